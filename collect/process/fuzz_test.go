package process

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"amber/collect/process/proc"
	"amber/container/procfs"
	"amber/evidence/record"
)

func FuzzRecord(f *testing.F) {
	f.Add([]byte("a\x00b\xff\x00"), []byte("0::/a:b\n5:cpu,x:/y\n"), "/bin/sh", "-sh", "sh")
	f.Add([]byte(""), []byte("::"), "/memfd:x (deleted)", "[kworker/0:1]", "kworker/0:1")
	f.Fuzz(func(t *testing.T, cmdline, cgroup []byte, exe, argv0, comm string) {
		args := arguments(cmdline)
		var joined []string
		for _, a := range args {
			joined = append(joined, string(a))
		}
		if got := strings.Join(joined, "\x00"); got != strings.TrimSuffix(string(cmdline), "\x00") {
			t.Errorf("%q gives %q", cmdline, args)
		}
		argvNames(argv0, exe)
		commNames(comm, exe, args)
		kernelName(argv0)
		proc.ParseNamespace(exe)
		pseudo(exe)
		p := record.Process{
			PID: 1, Args: args, Comm: record.Text(comm), Exe: &record.Executable{Link: record.Text(exe)},
			Cgroups: cgroups(cgroup), LoginUID: audit(cgroup),
		}
		p.Lies = placeLies(p.Exe)
		credentials(&p, procfs.ParseStatus(cmdline))
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var back record.Process
		if err := json.Unmarshal(b, &back); err != nil || back.Comm != p.Comm || len(back.Args) != len(args) {
			t.Fatalf("%v: %s", err, b)
		}
		for i := range args {
			if back.Args[i] != args[i] {
				t.Errorf("argument %q came back as %q", args[i], back.Args[i])
			}
		}
		var tr tree
		tr.add(&p)
		out := tr.render()
		if bytes.Count(out, []byte("\n")) != 1+len(p.Lies) || bytes.ContainsAny(out, "\x1b\r\x00") {
			t.Errorf("tree: %q", out)
		}
	})
}

func TestTreeOfALoop(t *testing.T) {
	var tr tree
	for _, p := range []record.Process{{PID: 5, PPID: 6}, {PID: 6, PPID: 5}, {PID: 7, PPID: 7}, {PID: 8, PPID: 7}} {
		tr.add(&p)
	}
	out := string(tr.render())
	if strings.Count(out, "\n") != 4 || !strings.Contains(out, "\n  8 ") {
		t.Errorf("%s", out)
	}
}
