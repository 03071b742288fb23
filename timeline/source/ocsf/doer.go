package ocsf

import (
	"amber/timeline"
	"amber/timeline/source/members"
)

// doer fills who did it where the class has no field for that: the process of what
// was done to a file, a socket or a kernel module is the actor's, the user of a
// login is who logs in.
func (p *parser) doer() {
	e := &p.E
	if !e.Has(timeline.ProcessPID) && !e.Has(timeline.ProcessName) && !e.Has(timeline.ProcessCommandLine) {
		if n, ok := members.Int(p.Get(actorPID)); ok {
			e.Num(timeline.ProcessPID, n)
		}
		e.Str(timeline.ProcessExecutable, p.Get(actorExe))
		e.Str(timeline.ProcessCommandLine, p.Get(actorCommand))
		e.Str(timeline.ProcessName, p.Get(actorName))
	}
	p.Unless(timeline.ContainerID, actorContainer)
	p.Unless(timeline.ContainerName, actorContainerName)
	p.Unless(timeline.ContainerImageName, actorImage)
	p.Unless(timeline.OrchestratorResourceID, actorPod)
	p.Unless(timeline.UserName, processUser)
	p.Unless(timeline.UserID, processUserID)
	if p.classNumber() == 3002 {
		p.Unless(timeline.UserName, targetUser)
		p.Unless(timeline.UserName, userMail)
		p.Unless(timeline.UserID, userID)
		p.Unless(timeline.UserDomain, userDomain)
	}
	if len(p.Get(resourceSpace)) > 0 {
		p.Unless(timeline.OrchestratorResourceType, resourceType)
		p.Unless(timeline.OrchestratorResourceName, resourceName)
	}
	p.Unless(timeline.ProcessCommandLine, jobCommand)
}

// kept tells whether something kept it from happening, whatever the status says:
// that it was blocked or dropped.
func (p *parser) kept() bool { return p.blocked() || p.did == "Refuse" || p.did == "Fail" }

func (p *parser) blocked() bool {
	d := string(p.Get(dispositionID))
	return d == "2" || d == "6"
}

// judged is the outcome where no status tells it: an action that was denied, a
// disposition that kept something from happening, an error of the API, an answer
// of 400 and above.
func (p *parser) judged() {
	code, ok := members.Int(p.Get(httpStatus))
	disposition := string(p.Get(dispositionID))
	switch {
	case string(p.Get(actionID)) == "2", len(p.Get(apiError)) > 0, ok && code >= 400:
		p.E.Const(timeline.EventOutcome, "failure")
	case string(p.Get(actionID)) == "1", disposition == "1", ok:
		p.E.Const(timeline.EventOutcome, "success")
	}
}
