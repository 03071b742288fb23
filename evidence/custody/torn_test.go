package custody

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"amber/evidence/durable"
)

// tornLog gives a log of two entries and the start of a third.
func tornLog(t *testing.T) (path string, torn []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "custody[1].jsonl") // a name that means something to glob
	add(t, path, nil, "-acquire", "-seal")
	torn = []byte(`{"action":"cat","actor":{"ui`)
	write(t, path, append(read(t, path), torn...))
	return path, torn
}

func healed(t *testing.T, path string, torn []byte, entries int) {
	t.Helper()
	r := verify(t, path, nil, nil)
	if len(r.Problems) != 0 || r.Complete != int64(entries) || len(r.Notes) != 1 {
		t.Fatalf("%v: %v %v", r, r.Problems, r.Notes)
	}
	kept := 0
	for e, err := range Entries(path) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action != ActionTorn {
			continue
		}
		if kept++; !bytes.Equal(e.Torn.Bytes, torn) || e.Torn.SHA256 != hashLine(torn) {
			t.Fatalf("kept %q, want %q", e.Torn.Bytes, torn)
		}
	}
	if kept != 1 {
		t.Fatalf("the torn line is kept %d times", kept)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*torn*"))
	if err != nil || len(left) != 0 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
}

func TestTornLine(t *testing.T) {
	path, torn := tornLog(t)
	r := verify(t, path, nil, nil)
	if r.Complete != 2 || len(r.Problems) != 1 || r.Problems[0].Kind != TornEnd || r.Problems[0].Line != 3 {
		t.Fatalf("%v: %v", r, r.Problems)
	}
	if head, err := Head(path); err != nil || head.Sequence != 2 {
		t.Fatalf("Head: %+v, %v", head, err)
	}
	add(t, path, nil, "-cat")
	healed(t, path, torn, 4)
	add(t, path, nil, "-cat")
	healed(t, path, torn, 5)
}

func TestTornFirstLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	torn := make([]byte, 4097) // what a crash may leave: zeros
	write(t, path, torn)
	add(t, path, nil, "-acquire")
	healed(t, path, torn, 2)
}

// TestTornThenCrash stops the healing after each of its steps, by making what
// that step leaves.
func TestTornThenCrash(t *testing.T) {
	aside := func(path string, torn []byte) string { return path + tornMark + hashLine(torn)[:16] }
	steps := map[string]func(t *testing.T, path string, torn []byte){
		"while the file aside is written": func(t *testing.T, path string, torn []byte) {
			write(t, aside(path, torn)+".tmp", torn[:3])
		},
		"before the log is cut": func(t *testing.T, path string, torn []byte) {
			write(t, aside(path, torn), torn)
		},
		"before the entry": func(t *testing.T, path string, torn []byte) {
			write(t, aside(path, torn), torn)
			write(t, path, bytes.TrimSuffix(read(t, path), torn))
		},
		"before the file aside goes": func(t *testing.T, path string, torn []byte) {
			add(t, path, nil, "-cat")
			write(t, aside(path, torn), torn)
		},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			path, torn := tornLog(t)
			step(t, path, torn)
			entries := 4
			if name == "before the file aside goes" {
				entries = 5
			}
			add(t, path, nil, "-cat")
			healed(t, path, torn, entries)
		})
	}
}

// TestTornEntryTorn cuts the entry that keeps a torn line, at every byte.
func TestTornEntryTorn(t *testing.T) {
	path, torn := tornLog(t)
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	tail, err := l.tail()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.putAside(tail); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	clean := read(t, path)
	for _, n := range []int{1, 10, 100, 300} {
		write(t, path, clean)
		write(t, path+tornMark+hashLine(torn)[:16], torn)
		second := bytes.Repeat([]byte("x"), n)
		write(t, path, append(bytes.Clone(clean), second...))
		add(t, path, nil, "-cat")
		var kept [][]byte
		for e, err := range Entries(path) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Torn != nil {
				kept = append(kept, e.Torn.Bytes)
			}
		}
		if len(kept) != 2 || !bytes.Equal(kept[0], torn) && !bytes.Equal(kept[1], torn) {
			t.Fatalf("kept %q", kept)
		}
		if r := verify(t, path, nil, nil); len(r.Problems) != 0 || r.Complete != 5 {
			t.Fatalf("%v: %v", r, r.Problems)
		}
	}
}

func TestTornTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	write(t, path, make([]byte, maxLine))
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, _, err := l.Append(entry("cat"), nil); err == nil {
		t.Fatal("a log without lines is taken")
	}
	if info, err := os.Stat(path); err != nil || info.Size() != maxLine {
		t.Fatalf("it was changed: %v, %v", info.Size(), err)
	}
	if err := durable.Remove(path); err != nil {
		t.Fatal(err)
	}
}
