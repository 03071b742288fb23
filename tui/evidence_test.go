package tui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/evidence"
	"amber/evidence/custody"
	"amber/evidence/record"
)

const bundleID = "20261122T030000Z-web-abc123"

// piece is a member of a bundle, and what it holds.
type piece struct {
	m    record.Member
	data string
}

func file(path, data string) piece {
	return piece{record.Member{Path: path, Type: record.File, Mode: 0o644, Size: int64(len(data)), Mtime: day, ReadAt: day}, data}
}

// kept are the members of the tests' bundle.
func kept() []piece {
	drift := record.Drift{Path: "/tmp/x", Change: record.Added, Type: record.File, Mode: 0o4755, Size: 30, Mtime: day, Member: "filesystem/upper/tmp/x"}
	passwd := record.Drift{Path: "/etc/passwd", Change: record.Deleted, Type: record.File, Was: &record.Was{Type: record.File, Size: 900, Mtime: day, SHA256: strings.Repeat("ab", 32), Layer: 1}}
	socket := `{"family":"inet","type":"stream","protocol":"tcp","state":"established","local":"10.0.0.4","local_port":40000,"remote":"203.0.113.9","remote_port":4444,"recv_queue":0,"send_queue":0,"owners":[{"pid":4711,"fd":3,"comm":"sh"}],"via":"sock_diag"}` + "\n"
	return []piece{
		file(driftMember, string(drift.AppendJSON(nil))+"\n"+string(passwd.AppendJSON(nil))+"\n"),
		file("filesystem/upper/tmp/x", "#!/bin/sh\necho \x1b[2J gone\nid\n"),
		{record.Member{Path: "filesystem/upper/run/fuse", Type: record.Miss, Reason: "a FUSE mount: the target serves it", ReadAt: day}, ""},
		file(socketsMember, socket),
	}
}

func makeBundle(t *testing.T, dir string) { makeBundleOf(t, dir, kept()) }

func makeBundleOf(t *testing.T, dir string, pieces []piece) {
	t.Helper()
	w, err := evidence.Create(dir, bundleID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"filesystem", "metadata", "network"} {
		if !slices.ContainsFunc(pieces, func(k piece) bool { return strings.HasPrefix(k.m.Path, name) }) {
			continue
		}
		p, err := w.Payload(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range pieces {
			if !strings.HasPrefix(k.m.Path, name) {
				continue
			}
			if k.m.Type == record.Miss {
				if err := p.Miss(k.m.Path, errors.New(k.m.Reason)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := p.Add(&k.m, bytes.NewReader([]byte(k.data))); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Seal(&record.Acquisition{Argv: []string{"amber"}, Target: json.RawMessage("{}"), Name: "containerd://shop/web", Start: day, End: day}, nil); err != nil {
		t.Fatal(err)
	}
}

// What the screen shows of a bundle is what the bundle holds, read by itself.
func TestEvidence(t *testing.T) {
	s := sharedStore(t)
	c := caseOf(t, s)
	st := newStage(t, c, 160, 60)
	st.keys("4")
	b, err := evidence.Open(filepath.Join(c.Dir, "evidence", bundleID))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, n := range st.m.nodes() { // everything, down to the leaves
		unfoldAll(st, n)
	}
	view := st.view()
	for m, err := range b.Members() {
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(m.Path); !strings.Contains(view, name) || m.Type == record.Miss && !strings.Contains(view, m.Reason) {
			t.Errorf("%s is not on the screen:\n%s", m.Path, view)
		}
	}
	for _, want := range []string{"SETUID", "10.0.0.4:40000 -> 203.0.113.9:4444", "sh (4711)", "intact", "1 missed"} {
		if !strings.Contains(view, want) {
			t.Errorf("%q is not on the screen:\n%s", want, view)
		}
	}
}

func unfoldAll(s *stage, n *node) {
	if n.load == nil || n.text == "custody log" {
		return
	}
	s.m.unfold(n)
	s.settle()
	for _, k := range n.kids {
		unfoldAll(s, k)
	}
}

// Every look is a custody entry, and the log's own lines say so.
func TestLooksAreLogged(t *testing.T) {
	c := caseOf(t, sharedStore(t))
	st := newStage(t, c, 120, 40)
	st.keys("<enter>l") // a raw record
	st.keys("4j<enter>j<enter><esc>")
	want := map[string]bool{"timeline-raw": false, "ls": false, "view": false}
	for e, err := range custody.Entries(filepath.Join(c.Dir, "custody.jsonl")) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == "view" && e.Reason != "filesystem/upper/tmp/x" {
			t.Errorf("a look at %q", e.Reason)
		}
		want[e.Action] = true
	}
	for action, there := range want {
		if !there {
			t.Errorf("no entry says %s", action)
		}
	}
}

// A look that cannot be logged is not had.
func TestNoLookWithoutLog(t *testing.T) {
	c := caseOf(t, sharedStore(t))
	c.Log = func(custody.Entry) error { return fmt.Errorf("the disk is full") }
	st := newStage(t, c, 120, 40)
	st.keys("<enter>l")
	if v := st.view(); strings.Contains(v, `"username"`) || !strings.Contains(v, "the disk is full") {
		t.Errorf("a record is shown that nobody logged:\n%s", v)
	}
}

// What a response plans is shown before it is done; keys that are on their way
// are no answer.
func TestRespond(t *testing.T) {
	r := &rehearsal{}
	c := caseOf(t, sharedStore(t))
	c.Respond = r
	st := newStage(t, c, 80, 24)
	clock := now()
	st.m.o.Now = func() time.Time { return clock }
	st.keys("R<enter>iyes<enter>")
	if v := st.view(); !strings.Contains(v, "freezes cgroup /shop/web") || len(r.did) > 0 {
		t.Fatalf("%v was done without a word:\n%s", r.did, v)
	}
	st.keys("yes<enter>") // at the very moment at which it was drawn
	if len(r.did) > 0 {
		t.Fatalf("%v was done by keys that were on their way", r.did)
	}
	clock = clock.Add(armAfter)
	st.keys("no<enter>")
	if len(r.did) > 0 {
		t.Fatalf("%v was done by a no", r.did)
	}
	st.keys("yes<enter>")
	if len(r.did) != 1 || r.did[0] != "isolate containerd://shop/web" || !strings.Contains(st.view(), "it is frozen") {
		t.Fatalf("done: %v\n%s", r.did, st.view())
	}
}

// rehearsal stands for the commands that act on containers: those are tested
// where they are.
type rehearsal struct{ did []string }

func (r *rehearsal) Targets(context.Context) ([]Target, error) {
	return []Target{{Ref: "containerd://shop/web", Name: "web\x1b[2J"}}, nil
}

func (r *rehearsal) Plan(context.Context, string, string) (string, error) {
	return "freezes cgroup /shop/web", nil
}

func (r *rehearsal) Do(_ context.Context, action, target string) (string, error) {
	r.did = append(r.did, action+" "+target)
	return "it is frozen", nil
}

// A case on media that cannot be written is looked at all the same; notes go
// beside it.
func TestReadOnlyCase(t *testing.T) {
	c := caseOf(t, sharedStore(t))
	path := filepath.Join(c.Dir, "notes.jsonl")
	if err := os.Symlink("/dev/full", path); err != nil { // never followed
		t.Fatal(err)
	}
	st := newStage(t, c, 80, 24)
	st.keys(" ")
	if v := st.view(); !strings.Contains(v, "NOT saved") {
		t.Errorf("a note is lost without a word:\n%s", v)
	}
}
