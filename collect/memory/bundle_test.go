package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/container"
	"amber/container/procfs"
	"amber/evidence"
	"amber/evidence/analyse"
	"amber/evidence/record"
)

// stop stops a process, and waits until all its threads have.
func stop(t testing.TB, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		tids, err := procfs.Threads(pid)
		if err != nil || time.Since(began) > 20*time.Second {
			t.Fatalf("process %d does not stop: %v", pid, err)
		}
		stopped := 0
		for _, tid := range tids {
			if st, err := procfs.ReadTask(pid, tid); err == nil && (st.State == 'T' || st.State == 't') {
				stopped++
			}
		}
		if stopped == len(tids) {
			return
		}
	}
}

// only is a container of these processes.
func only(opts Options, pids ...int) (container.Container, Options) {
	opts.PIDs = func(container.Container) (all []container.Process, err error) {
		for _, p := range pids {
			all = append(all, container.Process{PID: p, How: []string{"test"}})
		}
		return all, nil
	}
	return container.Container{Runtime: "test", ID: "test", PID: pids[0]}, opts
}

// taken is a bundle of memory.
type taken struct {
	t      testing.TB
	dir    string
	b      *evidence.Bundle
	misses map[string]string
	recs   map[int]*record.MemoryProcess
}

// take collects into a real bundle, and opens it.
func take(t testing.TB, c container.Container, opts Options) *taken {
	t.Helper()
	k := &taken{t: t, dir: filepath.Join(t.TempDir(), "b"), misses: map[string]string{}, recs: map[int]*record.MemoryProcess{}}
	w, err := evidence.Create(k.dir, "b", 1<<20)
	must(t, err)
	p, err := w.Payload("memory")
	must(t, err)
	must(t, New(opts).Collect(context.Background(), c, p))
	must(t, p.Close())
	_, err = w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, nil)
	must(t, err)
	k.b, err = evidence.Open(k.dir)
	must(t, err)
	t.Cleanup(func() { k.b.Close() })
	for m, err := range k.b.Members() {
		must(t, err)
		if m.Type == record.Miss {
			k.misses[m.Path] = m.Reason
		}
		if len(m.Notes) > 0 {
			t.Logf("%s: %q", m.Path, m.Notes)
		}
	}
	all, bad := analyse.Memories(k.b)
	if len(bad) > 0 {
		t.Error(bad)
	}
	for _, r := range all {
		k.recs[r.PID] = r
	}
	r, err := evidence.Verify(context.Background(), k.dir, evidence.VerifyOptions{Deep: true})
	must(t, err)
	if !r.Intact() {
		t.Errorf("the bundle is not intact: %+v", r.Problems)
	}
	return k
}

// find gives the addresses at which a word lies, as "PID:ADDRESS".
func (k *taken) find(word []byte) (places []string) {
	k.t.Helper()
	p, err := analyse.ParsePattern(fmt.Sprintf("hex:%x", word))
	must(k.t, err)
	s, err := analyse.Search(context.Background(), func() (*evidence.Bundle, error) { return evidence.Open(k.dir) }, p, analyse.Options{}, func(h analyse.Hit) error {
		places = append(places, place(h.PID, h.Address))
		return nil
	})
	must(k.t, err)
	if len(s.Failed) > 0 {
		k.t.Errorf("not searched: %v", s.Failed)
	}
	return places
}

func place(pid int, address uint64) string { return fmt.Sprintf("%d:%x", pid, address) }

// core writes a process's core to a file.
func (k *taken) core(pid int) string {
	k.t.Helper()
	m, err := k.b.Lookup(fmt.Sprintf("memory/%d/core", pid))
	must(k.t, err)
	r, err := k.b.Content(m)
	must(k.t, err)
	name := filepath.Join(k.t.TempDir(), "core")
	f, err := os.Create(name)
	must(k.t, err)
	defer f.Close()
	_, err = f.ReadFrom(r)
	must(k.t, err)
	return name
}

// missed is the reason of the miss whose path ends so.
func (k *taken) missed(end string) string {
	for path, why := range k.misses {
		if strings.HasSuffix(path, end) {
			return why
		}
	}
	return ""
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
