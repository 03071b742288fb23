package bundle

import (
	"fmt"
	"strings"

	"amber/evidence/record"
	"amber/timeline"
)

// process reads a line of processes.jsonl. A process without a start was seen
// when it was read.
func (p *parser) process(line []byte) (timeline.Reason, string) {
	var pr record.Process
	if why, text := decode(line, &pr); why != "" {
		return why, text
	}
	action, at, kind := "process-started", pr.Start, "start"
	if at.IsZero() {
		action, at, kind = "process-seen", pr.Read, "info"
	}
	if at.IsZero() {
		return timeline.TimeMissing, ""
	}
	e := p.begin("amber.process", action, at)
	kinds(e, "process", kind)
	e.Num(timeline.ProcessPID, int64(pr.PID))
	if pr.PPID != 0 {
		e.Num(timeline.ProcessParentPID, int64(pr.PPID))
	}
	e.Str(timeline.ProcessName, []byte(pr.Comm))
	e.Str(timeline.ProcessWorkingDirectory, []byte(pr.Cwd))
	e.Str(timeline.ProcessCommandLine, commandLine(pr.Args))
	if pr.BootID != "" && pr.StartTicks != 0 {
		e.Str(timeline.ProcessEntityID, fmt.Appendf(nil, "%s/%d/%d", pr.BootID, pr.PID, pr.StartTicks))
	}
	executable(e, pr.Exe)
	credentials(e, &pr)
	e.Put("amber.lies", []byte(strings.Join(pr.Lies, "; ")))
	e.Put("amber.notes", []byte(strings.Join(pr.Notes, "; ")))
	e.Put("amber.found_by", []byte(strings.Join(pr.Found, ",")))
	p.send()
	return "", ""
}

func executable(e *timeline.Event, x *record.Executable) {
	if x == nil {
		return
	}
	e.Str(timeline.ProcessExecutable, []byte(x.Link))
	e.Str(timeline.ProcessHash, []byte(x.SHA256))
	e.Put("amber.member", []byte(x.Member))
	e.Put("amber.executable.outside_image", []byte(x.Outside))
	if x.Deleted {
		e.AddConst(timeline.Tags, "executable-deleted")
	}
	if x.Replaced {
		e.AddConst(timeline.Tags, "executable-replaced")
	}
	if x.Memfd {
		e.AddConst(timeline.Tags, "executable-memfd")
	}
}

func credentials(e *timeline.Event, pr *record.Process) {
	if pr.UIDs != nil {
		e.Str(timeline.UserID, number(int64(pr.UIDs.Real)))
		e.Put("user.effective.id", number(int64(pr.UIDs.Effective)))
	}
	if pr.GIDs != nil {
		e.Put("group.id", number(int64(pr.GIDs.Real)))
	}
	if pr.LoginUID != nil {
		e.Put("user.audit.id", number(int64(*pr.LoginUID)))
	}
	if pr.Capabilities != nil {
		e.Put("process.thread.capabilities.effective", []byte(strings.Join(pr.Capabilities.Effective, ",")))
	}
	e.Put("amber.lsm_label", []byte(pr.LSM))
	e.Put("amber.seccomp", []byte(pr.Seccomp))
	e.Put("process.tty", []byte(pr.TTY))
}

func commandLine(args []record.Text) []byte {
	var b []byte
	for i, a := range args {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, a...)
	}
	return b
}
