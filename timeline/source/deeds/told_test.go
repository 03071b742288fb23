package deeds

import (
	"testing"

	"amber/timeline"
	"amber/timeline/source/scratch"
)

func TestTold(t *testing.T) {
	set := func(e *timeline.Event, f timeline.Field, v string) { e.Str(f, []byte(v)) }
	for _, c := range []struct {
		fill func(e *timeline.Event)
		want string
	}{
		{func(e *timeline.Event) {
			set(e, timeline.UserName, "root")
			e.PutConst("user.audit.name", "bob")
			set(e, timeline.ProcessExecutable, "/usr/bin/curl")
			e.Num(timeline.ProcessPID, 4711)
			set(e, timeline.OrchestratorNamespace, "shop")
			set(e, timeline.OrchestratorResourceName, "web-1")
			set(e, timeline.EventAction, "executed")
			set(e, timeline.ProcessCommandLine, "curl -s http://203.0.113.9/x")
		}, "bob as root: curl (4711) in shop/web-1 executed curl -s http://203.0.113.9/x"},
		{func(e *timeline.Event) {
			set(e, timeline.UserID, "33")
			set(e, timeline.ProcessName, "nc")
			set(e, timeline.ContainerID, "0123456789abcdef")
			set(e, timeline.EventAction, "connected-to")
			e.AddConst(timeline.EventCategory, "network")
			set(e, timeline.DestinationIP, "2001:db8::9")
			e.Num(timeline.DestinationPort, 4444)
			set(e, timeline.EventOutcome, "failure")
			set(e, timeline.ErrorCode, "ECONNREFUSED")
		}, "uid 33: nc in 0123456789ab connected to [2001:db8::9]:4444: failed ECONNREFUSED"},
		{func(e *timeline.Event) {
			set(e, timeline.EventAction, "accepted-connection-from")
			e.AddConst(timeline.EventCategory, "network")
			set(e, timeline.SourceIP, "203.0.113.9")
			set(e, timeline.DestinationIP, "10.0.0.1")
		}, "accepted connection from 203.0.113.9"},
		{func(e *timeline.Event) {
			e.PutConst("user.audit.id", "1000")
			set(e, timeline.UserID, "0")
			set(e, timeline.EventAction, "changed-namespace")
			set(e, timeline.ProcessCommandLine, "sh")
			set(e, timeline.RuleName, "ns")
		}, "uid 1000 as uid 0: changed namespace, rule ns"},
		{func(e *timeline.Event) {
			e.PutConst("user.audit.id", "1000")
			set(e, timeline.EventAction, "started-service")
			e.PutConst("service.name", "cron")
		}, "started service cron"},
		{func(e *timeline.Event) {
			set(e, timeline.EventAction, "exited")
			set(e, timeline.ProcessExecutable, "/bin/sh")
			e.Num(timeline.ProcessExitCode, 137)
		}, "sh exited /bin/sh: status 137"},
		{func(*timeline.Event) {}, ""},
	} {
		var e timeline.Event
		var text scratch.Text
		e.Reset()
		c.fill(&e)
		if got := string(Told(&e, &text)); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
