package custody

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestPlantedEntryIsNotLaundered: somebody without a key appends an entry, and
// the keyholder goes on. What was planted is told before and for ever after.
func TestPlantedEntryIsNotLaundered(t *testing.T) {
	signer, signers := newSigner(t)
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	add(t, path, signer, "acquire", "-isolate", "-cat", "seal", "verify")
	r := verify(t, path, signers, nil)
	if !r.Vouched() || r.Tampered() || len(r.Unsigned) != 2 || len(r.Awaiting) != 0 {
		t.Fatalf("%v: %+v", r, r)
	}
	u := r.Unsigned[0]
	if u.Sequence != 2 || u.Action != "isolate" || u.Covered != 4 || !u.Counted || u.Seen != 0 || u.Time.IsZero() || u.By() == "" {
		t.Errorf("%+v", u)
	}
	for n, want := range map[int64]bool{0: false, 1: true, 2: false, 3: false, 4: true, 5: true, 6: false} {
		if r.Vouches(n) != want {
			t.Errorf("Vouches(%d) = %v", n, !want)
		}
	}
	if want := ", 2 signed by nobody (2-3)"; !strings.HasSuffix(r.String(), want) {
		t.Errorf("%q does not end in %q", r.String(), want)
	}
	if want := "signed by nobody; unchanged since entry 4, whose signer does not vouch for it"; u.Standing() != want {
		t.Errorf("%q, want %q", u.Standing(), want)
	}
}

// countersign appends such an entry over what was looked at.
func countersign(t *testing.T, path string, signer ssh.Signer, head Receipt, seen ...Run) error {
	t.Helper()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := entry(ActionCountersign)
	e.Previous, e.Seen = head.Hash, seen
	_, _, err = l.Append(e, signer)
	return err
}

func TestCountersignSaysWhatWasSeen(t *testing.T) {
	signer, signers := newSigner(t)
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	head := add(t, path, signer, "acquire", "-isolate", "seal", "-cat")
	if err := countersign(t, path, signer, head, Run{2, 2}, Run{4, 4}); err != nil {
		t.Fatal(err)
	}
	r := verify(t, path, signers, nil)
	if r.Tampered() || len(r.Unseen()) != 0 || !r.Vouches(2) || !r.Vouches(4) || !strings.HasSuffix(r.String(), ", 2 only countersigned (2, 4)") {
		t.Fatalf("%v: %+v", r, r.Unsigned)
	}
	if got := r.Unsigned[0].Standing(); got != "signed by nobody when it was made; entry 5 says that ana@node1 has seen it" {
		t.Error(got)
	}
	// What came after the look is not vouched for by it.
	head = add(t, path, signer, "-cat")
	add(t, path, signer, "-kill")
	if err := countersign(t, path, signer, head, Run{6, 6}); !errors.Is(err, ErrGrown) {
		t.Fatalf("a log that has grown is countersigned: %v", err)
	}
	// Without a key nobody has seen anything.
	head = add(t, path, signer, "-cat")
	if err := countersign(t, path, nil, head, Run{6, 8}); err != nil {
		t.Fatal(err)
	}
	add(t, path, signer, "verify")
	if r = verify(t, path, signers, nil); len(r.Unseen()) != 4 {
		t.Fatalf("%v: %+v", r, r.Unsigned)
	}
}

// TestOlderLog: lines of an amber that did not say how many it covers still
// verify, and the unsigned ones among them are told.
func TestOlderLog(t *testing.T) {
	signer, signers := newSigner(t)
	var log []byte
	previous := zeros
	for i, by := range []ssh.Signer{signer, nil, signer} {
		e := entry("act")
		e.Sequence, e.Previous = int64(i+1), previous
		_, text, err := encode(e, by)
		if err != nil {
			t.Fatal(err)
		}
		log, previous = append(append(log, text...), '\n'), hashLine(text)
	}
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	write(t, path, log)
	r := verify(t, path, signers, nil)
	if r.Tampered() || !r.Vouched() || len(r.Unsigned) != 1 || r.Unsigned[0].Covered != 3 || r.Unsigned[0].Counted {
		t.Fatalf("%v: %v: %+v", r, r.Problems, r.Unsigned)
	}
	if got := r.Unsigned[0].Standing(); !strings.Contains(got, "may not have known of it") {
		t.Error(got)
	}
}

// TestWrongCount: a signed line that says another number than there are.
func TestWrongCount(t *testing.T) {
	signer, signers := newSigner(t)
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	add(t, path, signer, "acquire", "-cat")
	lines := bytes.SplitAfter(read(t, path), []byte("\n"))
	e := entry("seal")
	e.Sequence, e.Previous, e.Unsigned = 3, hashLine(bytes.TrimSuffix(lines[1], []byte("\n"))), 2
	_, text, err := encode(e, signer)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, append(append(read(t, path), text...), '\n'))
	if r := verify(t, path, signers, nil); !r.has(Changed) || r.Anchor.Sequence != 1 {
		t.Fatalf("%v: %v", r, r.Problems)
	}
}

// TestUnsignedIsCountedBack over more lines than one block of the tail has.
func TestUnsignedIsCountedBack(t *testing.T) {
	signer, signers := newSigner(t)
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	add(t, path, signer, "acquire")
	for range 20 {
		add(t, path, signer, "-cat")
	}
	add(t, path, signer, "verify")
	last := read(t, path)
	if !bytes.Contains(last[bytes.LastIndexByte(last[:len(last)-1], '\n')+1:], []byte(`"unsigned":20`)) {
		t.Fatalf("%s", last)
	}
	if r := verify(t, path, signers, nil); !r.Vouched() || len(r.Unseen()) != 20 {
		t.Fatalf("%v: %v", r, r.Problems)
	}
}

func TestRunsText(t *testing.T) {
	if got := RunsText([]int64{4, 7, 8, 9}); got != "4, 7-9" {
		t.Error(got)
	}
	var many []int64
	for i := range int64(20) {
		many = append(many, 2*i+1)
	}
	if got := RunsText(many); got != "1, 3, 5, 7, 9, 11, 13, 15 and 12 more" {
		t.Error(got)
	}
}
