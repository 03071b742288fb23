package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"amber/collect"
	"amber/collect/checkpoint"
	"amber/collect/filesystem"
	"amber/collect/metadata"
	"amber/container"
	"amber/container/containerd"
	"amber/evidence"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

// The test's binary is the helper, too.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == Verb:
		finish(Inside(context.Background(), os.Args[2]))
	case len(os.Args) == 4 && os.Args[1] == "run-and-be-killed":
		finish(runAsChild(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

func finish(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for begun := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("it does not come to that: %s", what)
		}
	}
}

// world is a real container's bundle.
type world struct {
	tb      *testbed.Containerd
	dir     string // of the bundle
	b       *evidence.Bundle
	content string
	work    string
	stood   int // where it stood in counting when it was frozen
}

// did is what the recorded container does before it is collected.
const did = `
mkdir -p /tmp/x /etc/old && echo loot >/tmp/x/loot && chmod 4755 /tmp/x/loot
ln -s /etc/passwd /tmp/x/link; mkfifo /tmp/x/fifo
rm -f /etc/group; printf evil >"/tmp/x/$(printf 'a\033[2Jb\nc')"
echo ready >/ready; exec sleep 1000`

func newWorld(t testing.TB, script string, options ...testbed.Option) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a sandbox needs root")
	}
	w := &world{tb: testbed.StartContainerd(t, options...), dir: filepath.Join(t.TempDir(), "b"), work: filepath.Join(t.TempDir(), "work")}
	w.content = filepath.Join(w.tb.Root, "io.containerd.content.v1.content")
	t.Setenv("PATH", w.tb.Bin+":"+os.Getenv("PATH"))
	rt, err := containerd.New(t.Context(), w.tb.Address)
	must(t, err)
	t.Cleanup(func() { rt.Close() })
	r := w.tb.Run(t, "recorded", script)
	until(t, "the container is ready", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d/root/ready", r.PID))
		return err == nil
	})
	found, err := rt.Find(t.Context(), container.Target{Scheme: "containerd", Namespace: r.Namespace, ID: r.ID})
	must(t, err)
	c, err := rt.Get(t.Context(), found[0])
	must(t, err)
	must(t, rt.Pause(t.Context(), c))
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/count", c.PID))
	for err == nil && len(text) == 0 { // it was stopped between emptying the file and writing it
		must(t, rt.Resume(t.Context(), c))
		must(t, rt.Pause(t.Context(), c))
		text, err = os.ReadFile(fmt.Sprintf("/proc/%d/root/count", c.PID))
	}
	if err == nil {
		w.stood, err = strconv.Atoi(strings.TrimSpace(string(text)))
		must(t, err)
	}
	w.collect(t, c, rt)
	return w
}

func (w *world) collect(t testing.TB, c container.Container, rt *containerd.Runtime) {
	t.Helper()
	all := []collect.Collector{filesystem.New(filesystem.Options{}), metadata.New(metadata.Options{})}
	if w.stood > 0 {
		all = append(all, checkpoint.New(checkpoint.Options{Spool: t.TempDir(), By: func(container.Container) []container.Checkpointer { return []container.Checkpointer{rt} }}))
	}
	out, err := evidence.Create(w.dir, "b", 1<<20)
	must(t, err)
	for _, by := range all {
		p, err := out.Payload(by.Name())
		must(t, err)
		must(t, by.Collect(t.Context(), c, p))
		must(t, p.Close())
	}
	_, err = out.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, nil)
	must(t, err)
	w.b, err = evidence.Open(w.dir)
	must(t, err)
	t.Cleanup(func() { w.b.Close() })
}

func (w *world) options(record string, command ...string) Options {
	return Options{
		Work: w.work, Record: record, Content: []string{w.content}, Runc: "runc", Command: command,
		Memory: 64 << 20, PIDs: 32, Disk: 16 << 20, Limit: 2 * time.Minute,
	}
}

// sh runs a script in the sandbox.
func (w *world) sh(t testing.TB, o Options) (string, *Report) {
	t.Helper()
	var out bytes.Buffer
	o.Out, o.Err = &out, &out
	if o.Record == "" {
		o.Record = t.TempDir()
	}
	r, err := Run(t.Context(), w.b, o)
	if err != nil {
		t.Fatalf("%v\n%s\n%+v", err, out.String(), r)
	}
	return out.String(), r
}
