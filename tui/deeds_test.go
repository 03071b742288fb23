package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"amber/timeline"
	"amber/timeline/correlate"
)

// busy are the events of two processes: a shell that becomes nc, in records that
// name no host, and one that writes a file; and of one that has the shell's
// number half an hour before.
func busy() []small {
	at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	open := func(after float64, pid int64, command, path, flags, outcome string) small {
		return small{
			after: at(after), dataset: "auditd.log", action: "opened-file", outcome: outcome, pid: pid, command: command, file: path,
			more: map[string]string{"auditd.data.syscall": "openat", "auditd.data.a2": flags},
		}
	}
	run := func(after float64, pid int64, command string) small {
		return small{after: at(after), dataset: "auditd.log", action: "executed", outcome: "success", pid: pid, command: command, file: "/bin/busybox"}
	}
	return []small{
		run(0, 4711, "cat /etc/motd"), open(0.1, 4711, "cat /etc/motd", "/etc/motd", "0", "success"),
		{after: at(1), dataset: "auditd.log", action: "ended", outcome: "success", pid: 4711, command: "cat /etc/motd"},
		run(1800, 4711, "/bin/sh -c nc"), open(1800.2, 4711, "/bin/sh -c nc", "/etc/passwd", "0", "success"),
		open(1800.3, 4711, "/bin/sh -c nc", "/etc/shadow", "0", "failure"), open(1800.3, 4711, "/bin/sh -c nc", "/etc/shadow", "0", "failure"),
		{after: at(1800), dataset: "amber.process", action: "process-started", host: "node-1", container: "0123456789ab", pid: 4711, command: "/bin/sh -c nc"},
		run(1801, 4711, "nc 203.0.113.9 4444"),
		{after: at(1801.5), dataset: "auditd.log", action: "connected-to", outcome: "success", pid: 4711, command: "nc 203.0.113.9 4444", peer: "203.0.113.9"},
		run(1802, 4712, "dd of=/tmp/x"), open(1802.1, 4712, "dd of=/tmp/x", "/tmp/x", "241", "success"),
		{after: at(1803), dataset: "amber.process", action: "process-started", host: "node-1", container: "0123456789ab", pid: 4712, command: "dd of=/tmp/x"},
	}
}

// at goes to the process of a command line.
func (s *stage) at(command string) *correlate.Proc {
	s.t.Helper()
	s.keys("g")
	for range s.m.procs.rows {
		if x := s.m.process(); x != nil && x.CommandLine == command {
			return x
		}
		s.keys("j")
	}
	s.t.Fatalf("no process is %q:\n%s", command, s.view())
	return nil
}

// What a process did is what the store has of it, and nothing of another that
// had its number.
func TestDeeds(t *testing.T) {
	s := storeOf(t, busy())
	st := newStage(t, caseOf(t, s), 160, 40)
	st.keys("3")
	for command, want := range map[string]struct {
		deeds []string // kind, verb, object
		query string   // for the same, of the store
		from  float64
		to    float64
	}{
		"/bin/sh -c nc":       {[]string{"x process-started /bin/sh -c nc", "x executed /bin/sh -c nc", "r opened-file /etc/passwd", "r opened-file /etc/shadow"}, "process.pid:4711", 1799, 1801},
		"nc 203.0.113.9 4444": {[]string{"x executed nc 203.0.113.9 4444", "n connected-to 203.0.113.9"}, "process.pid:4711", 1801, 1900},
		"dd of=/tmp/x":        {[]string{"x executed dd of=/tmp/x", "w opened-file /tmp/x", "x process-started dd of=/tmp/x"}, "process.pid:4712", 0, 1900},
	} {
		x := st.at(command)
		var got []string
		n := 0
		for _, d := range st.m.procs.did.deeds {
			got = append(got, d.kind.letter()+" "+d.verb+" "+d.object)
			n += d.count
		}
		if fmt.Sprint(got) != fmt.Sprint(want.deeds) {
			t.Errorf("%s did %q, not %q", command, got, want.deeds)
		}
		_, rows := ask(t, s, want.query)
		told := 0
		for _, r := range rows {
			if after := goTime(r.Time.Micros).Sub(day).Seconds(); after >= want.from && after < want.to {
				told++
			}
		}
		if n != told {
			t.Errorf("%s did %d things, the store tells of %d", command, n, told)
		}
		files, network := 0, 0
		for _, d := range st.m.procs.did.deeds {
			switch d.kind {
			case deedRead, deedWrite:
				files += d.count
			case deedNet:
				network += d.count
			}
		}
		if x.Files != files || x.Network != network {
			t.Errorf("beside %s stand %d files and %d connections, and it did %d and %d", command, x.Files, x.Network, files, network)
		}
		view := st.view()
		for _, d := range st.m.procs.did.deeds {
			if !strings.Contains(view, d.verb) || !strings.Contains(view, d.object) {
				t.Errorf("%s %s is not on the screen:\n%s", d.verb, d.object, view)
			}
		}
		st.keys("<enter>")
		if st.m.screen != onTimeline || st.m.tl.over.count != int64(told) || !strings.Contains(st.m.tl.view.Filter, pidText(x)) {
			t.Errorf("the events of %s are %d, not %d", command, st.m.tl.over.count, told)
		}
		st.keys("3")
	}
}

// From a thing that a process did to its event, and into the story.
func TestDeedIsAnEvent(t *testing.T) {
	s := storeOf(t, busy())
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		st := newStage(t, caseOf(t, s), size[0], size[1])
		st.keys("3")
		st.at("nc 203.0.113.9 4444")
		st.keys("<tab>j")
		if st.m.here() != atDeeds || !strings.Contains(st.view(), "[what it did]") || !strings.Contains(st.view(), "203.0.113.9") {
			t.Fatalf("%v: what it did has not the focus:\n%s", size, st.view())
		}
		st.golden("processes-did")
		st.keys("S<enter>")
		_, rows := ask(t, s, "event.action:connected-to")
		if got := st.m.tl.win.selected(); got == nil || got.ID != rows[0].ID {
			t.Errorf("%v: enter does not go to the event:\n%s", size, st.view())
		}
		if p := st.m.notes.pins(); len(p) != 1 || p[0].row != rows[0].ID {
			t.Errorf("%v: %v is pinned", size, p)
		}
		st.keys("3<tab>")
		if st.m.here() != atProcesses {
			t.Errorf("%v: tab does not go back to the tree", size)
		}
		was := st.m.deedsShown()
		st.keys("f")
		if st.m.deedsShown() == was {
			t.Errorf("%v: f changes nothing", size)
		}
		st.view()
	}
}

// A process with more events than are read says so.
func TestDeedsAreBounded(t *testing.T) {
	events := []small{{dataset: "auditd.log", action: "executed", pid: 7, command: "busy", host: "h", container: "0123456789ab"}}
	for i := range maxDeeds + 10 {
		events = append(events, small{
			after: time.Duration(i) * time.Millisecond, dataset: "auditd.log", action: "opened-file", outcome: "success", pid: 7, command: "busy", host: "h",
			container: "0123456789ab", file: fmt.Sprint("/tmp/", i),
		})
	}
	st := newStage(t, caseOf(t, storeOf(t, events)), 120, 40)
	st.keys("3")
	if d := st.m.procs.did; !d.cut || len(d.deeds) > maxDeeds || !strings.Contains(st.view(), "its first 5,000 events") {
		t.Errorf("%d deeds, cut %v:\n%s", len(d.deeds), d.cut, st.view())
	}
	st.keys("<tab>G")
	if st.m.procs.did.list.sel != len(st.m.procs.did.deeds)-1 {
		t.Error("G does not go to the last")
	}
	st.view()
}

// Rows are told apart by what they are about.
func TestDeedOf(t *testing.T) {
	for _, c := range []struct {
		values map[string]any
		want   string
	}{
		{map[string]any{"event.action": "deleted", "file.path": "/x"}, "w deleted /x"},
		{map[string]any{"event.action": "read", "file.path": "/x"}, "r read /x"},
		{map[string]any{"event.action": "opened-file", "file.path": "/x", "falco.output_fields.evt.arg.flags": "O_RDWR"}, "w opened-file /x"},
		{map[string]any{"event.action": "connection-seen", "event.category": []string{"network"}, "source.ip": "::1", "source.port": int64(9), "destination.ip": "fe80::1", "destination.port": int64(4444), "network.transport": "tcp"}, "n connection-seen tcp [::1]:9 -> [fe80::1]:4444"},
		{map[string]any{"event.action": "socket-listening", "source.ip": "0.0.0.0", "source.port": int64(80)}, "n socket-listening 0.0.0.0:80"},
		{map[string]any{"event.action": "opened-file", "file.path": strings.Repeat("/x", 1<<20)}, "r opened-file " + strings.Repeat("/x", maxObject/2)},
		{map[string]any{"event.action": "setns", "process.executable": "/bin/nsenter"}, "- setns /bin/nsenter"},
		{map[string]any{"event.action": "opened-file", "file.path": "/x", "event.outcome": "failure", "error.code": "ENOENT"}, "r opened-file /x ENOENT"},
	} {
		d := deedOf(&timeline.Row{Values: c.values})
		if got := d.kind.letter() + " " + d.verb + " " + d.object; got != c.want {
			t.Errorf("%v is %q, not %q", c.values, got, c.want)
		}
		if len(d.object) > maxObject {
			t.Errorf("%d bytes are kept of an object", len(d.object))
		}
		if d.failed != (c.values["event.outcome"] == "failure") {
			t.Errorf("%v: failed %v", c.values, d.failed)
		}
	}
}
