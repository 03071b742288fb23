package checkpoint

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"amber/container"
	"amber/evidence/record"
)

// docs/checkpoint.md tells what the code does.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/checkpoint.md")
	must(t, err)
	var rows []string
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "| ") && !strings.Contains(line, "---") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	want := []string{"| `--checkpoint-allow` | what |"}
	for _, k := range Kinds {
		want = append(want, fmt.Sprintf("| `%s` | %s |", k.Name, k.What))
	}
	want = append(want, "| CRIU or its runtime says | what can be done |")
	for _, a := range Advices {
		want = append(want, fmt.Sprintf("| %s | %s |", a.Says, a.Do))
	}
	if !slices.Equal(rows, want) {
		t.Errorf("docs/checkpoint.md should have these rows:\n%s\nand has\n%s", strings.Join(want, "\n"), strings.Join(rows, "\n"))
	}
}

func TestReasons(t *testing.T) {
	log := []byte(`(00.000000) Version: 4.1.1 (gitid 0)
(00.055050) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.1) Warn  (criu/x.c:1): nothing
(00.2) Error (criu/one.c:1): one
(00.3) Error (criu/two.c:1): two
(00.4) Error (criu/sk-inet.c:188): inet: Connected TCP socket, consider using --tcp-established option.` + "\x1b[31m" + `
(00.5) Error (criu/cr-dump.c:2128): Dumping FAILED.
`)
	got := reasons(log)
	if len(got) != 3 || !strings.Contains(string(got[2]), "Dumping FAILED") {
		t.Errorf("%q", got)
	}
	if v := versionOf(log); v != "4.1.1" {
		t.Errorf("version %q", v)
	}
	r := record.Checkpoint{Reason: got, Advice: advise("runc says nothing", got)}
	if text := explain(&r); strings.Contains(text, "\x1b") || !strings.Contains(text, "--checkpoint-allow tcp-established") {
		t.Errorf("%q", text)
	}
}

func TestParseAllow(t *testing.T) {
	a, err := ParseAllow([]string{"tcp-established", "file-locks"})
	if err != nil || a != (container.CheckpointAllow{TCPEstablished: true, FileLocks: true}) {
		t.Errorf("%+v %v", a, err)
	}
	if got := allowed(a); !slices.Equal(got, []string{"tcp-established", "file-locks"}) {
		t.Errorf("%v", got)
	}
	if _, err := ParseAllow([]string{"all"}); err == nil {
		t.Error("\"all\" is taken")
	}
}

// What has a kernel of its own is never asked for a checkpoint.
func TestSandboxesAreNotAsked(t *testing.T) {
	asked := func(container.Container) []container.Checkpointer {
		t.Error("it was asked")
		return nil
	}
	for _, handler := range []string{"io.containerd.runsc.v1", "kata-qemu", "aws.firecracker"} {
		sink, _ := take(t, container.Container{Runtime: "test", ID: "x", PID: os.Getpid(), Handler: handler}, Options{By: asked})
		if !strings.Contains(sink.Misses["checkpoint"], "not CRIU's to dump") {
			t.Errorf("%s: %v", handler, sink.Misses)
		}
	}
}

func FuzzLog(f *testing.F) {
	f.Add([]byte("(00.4) Error (criu/sk-inet.c:188): inet: Connected TCP socket\nVersion: 4"), []byte("\x19CVT\x00\x00\x00\x00\x05\x00\x00\x00\x0a\x03\x10\x80\x01"))
	f.Fuzz(func(t *testing.T, log, stats []byte) {
		if got := reasons(log); len(got) > maxReason {
			t.Errorf("%d reasons", len(got))
		}
		versionOf(log)
		if frozenTime(stats) < 0 {
			t.Error("a negative time")
		}
	})
}
