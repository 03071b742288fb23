//go:build fault

package custody

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCrash kills a process before and after every write, sync, rename and
// truncation of an append, on a new log, on a whole one and on a torn one; each
// time the next append must find a log in which nothing is lost. It needs the
// fault points: go test -tags fault.
func TestCrash(t *testing.T) {
	torn := []byte(`{"action":"cat","actor":{"ui`)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	add(t, whole, nil, "-acquire", "-seal")
	starts := map[string][]byte{"new": nil, "whole": read(t, whole), "torn": append(read(t, whole), torn...)}
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			points := crash(t, start, 0)
			if points < 4 {
				t.Fatalf("%d fault points", points)
			}
			t.Logf("%d fault points", points)
			for at := 1; at <= points; at++ {
				crash(t, start, at)
			}
		})
	}
}

// crash lets a child append one entry to a log that begins as start, and kills it
// at the given point (0: never); then it appends another entry itself and checks
// what is there. It gives the number of points passed.
func crash(t *testing.T, start []byte, at int) (points int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	list := path + ".list"
	if start != nil {
		write(t, path, start)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CUSTODY_TEST_LOG="+path, "CUSTODY_TEST_COUNT=1", "AMBER_FAULT_LIST="+list, fmt.Sprintf("AMBER_FAULT_AT=%d", at))
	if err := cmd.Run(); (err == nil) != (at == 0) {
		t.Fatalf("killed at %d: %v", at, err)
	}
	add(t, path, nil, "-verify")
	r := verify(t, path, nil, nil)
	if len(r.Problems) != 0 {
		t.Fatalf("killed at %d: %v: %v", at, r, r.Problems)
	}
	whole := start[:bytes.LastIndexByte(start, '\n')+1]
	if !bytes.HasPrefix(read(t, path), whole) {
		t.Fatalf("killed at %d: the log's first entries were changed", at)
	}
	kept := 0
	for e, err := range Entries(path) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Torn != nil && bytes.Equal(e.Torn.Bytes, start[len(whole):]) {
			kept++
		}
	}
	if want := min(1, len(start)-len(whole)); kept != want {
		t.Fatalf("killed at %d: the torn line is kept %d times, want %d", at, kept, want)
	}
	if left, _ := filepath.Glob(path + tornMark + "????????????????"); len(left) != 0 {
		t.Fatalf("killed at %d: left behind %v", at, left)
	}
	return bytes.Count(read(t, list), []byte("\n"))
}
