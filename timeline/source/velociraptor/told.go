package velociraptor

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

// told fills what rows of some artefacts tell by columns whose names mean
// something else elsewhere: logins, Docker's containers, the process of a socket.
// True is that the row has its category.
func (p *parser) told() bool {
	e := &p.E
	p.Unless(timeline.ProcessName, ownerName)
	p.Unless(timeline.ProcessCommandLine, ownerLine)
	p.Unless(timeline.ProcessExecutable, ownerExe)
	switch {
	case len(p.Get(result)) > 0 && len(p.Get(method)) > 0: // SSHLogin
		e.Const(timeline.EventAction, "ssh_login")
		p.login(string(p.Get(result)) == "Accepted")
		if n, ok := members.Int(p.Get(port)); ok {
			e.Num(timeline.SourcePort, n)
		}
		return true
	case string(p.Get(logins)) == "USER_PROCESS": // of utmp
		e.Const(timeline.EventAction, "logged-in")
		p.login(true)
		return true
	case len(p.Get(dockerImage)) > 0 && len(p.Get(dockerID)) > 0:
		e.Str(timeline.ContainerID, p.Get(dockerID))
		e.Str(timeline.ContainerImageName, p.Get(dockerImage))
		e.Str(timeline.ContainerName, bytes.TrimPrefix(p.Get(dockerNames), []byte("/")))
		e.AddConst(timeline.EventCategory, "process")
		e.AddConst(timeline.EventType, "info")
		return true
	}
	return false
}

func (p *parser) login(ok bool) {
	e := &p.E
	e.AddConst(timeline.EventCategory, "authentication")
	e.AddConst(timeline.EventType, "start")
	if ok {
		e.Const(timeline.EventOutcome, "success")
	} else {
		e.Const(timeline.EventOutcome, "failure")
	}
}
