package custody

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence/keys"
)

type fixture struct {
	path    string
	signers *keys.Signers
	receipt *Receipt // of the last line
	data    []byte
	lines   [][]byte
}

// six is a log of six entries, of which the second and fourth await the
// signature that the sixth gives.
func six(t *testing.T) fixture {
	return logOf(t, "acquire", "-seal", "verify", "-cat", "export", "countersign")
}

func logOf(t *testing.T, actions ...string) (f fixture) {
	t.Helper()
	f.path = filepath.Join(t.TempDir(), "custody.jsonl")
	signer, signers := newSigner(t)
	f.signers = signers
	r := add(t, f.path, signer, actions...)
	f.receipt = &r
	f.data = read(t, f.path)
	for _, l := range bytes.SplitAfter(f.data, []byte("\n")) {
		if len(l) > 0 {
			f.lines = append(f.lines, l)
		}
	}
	return f
}

func (f fixture) check(t *testing.T, data []byte, receipt *Receipt) Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tampered")
	write(t, path, data)
	return verify(t, path, f.signers, receipt)
}

func (r Report) has(k Kind) bool {
	for _, p := range r.Problems {
		if p.Kind == k {
			return true
		}
	}
	return false
}

func TestWholeLog(t *testing.T) {
	f := six(t)
	for _, receipt := range []*Receipt{nil, f.receipt} {
		if r := f.check(t, f.data, receipt); !r.Vouched() || r.Complete != 6 {
			t.Fatalf("%v: %v", r, r.Problems)
		}
	}
}

func TestEveryFlippedBit(t *testing.T) {
	f := logOf(t, "-acquire", "seal")
	path := filepath.Join(t.TempDir(), "flipped")
	for i := range len(f.data) * 8 {
		flipped := bytes.Clone(f.data)
		flipped[i/8] ^= 1 << (i % 8)
		write(t, path, flipped)
		r := verify(t, path, f.signers, nil)
		at := int64(bytes.Count(f.data[:i/8], []byte("\n"))) // whole lines before the flip
		if !r.Tampered() || r.Anchor.Sequence > at {
			t.Fatalf("bit %d of byte %d, in line %d (%q): %v: %v", i%8, i/8, at+1, f.data[max(0, i/8-10):i/8+1], r, r.Problems)
		}
	}
}

func TestLinesRemoved(t *testing.T) {
	f := six(t)
	for i := range f.lines {
		r := f.check(t, bytes.Join(append(append([][]byte(nil), f.lines[:i]...), f.lines[i+1:]...), nil), nil)
		if i == len(f.lines)-1 {
			continue // the tail: TestTailCut
		}
		if !r.has(Removed) || r.Complete != int64(i) {
			t.Errorf("line %d removed: %v: %v", i+1, r, r.Problems)
		}
	}
}

func TestLinesSwapped(t *testing.T) {
	f := six(t)
	for i := range f.lines {
		for j := range i {
			swapped := append([][]byte(nil), f.lines...)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			r := f.check(t, bytes.Join(swapped, nil), nil)
			if !r.has(Reordered) || r.has(Removed) || r.Complete != int64(j) {
				t.Errorf("lines %d and %d swapped: %v: %v", j+1, i+1, r, r.Problems)
			}
		}
	}
}

func TestLinesDuplicated(t *testing.T) {
	f := six(t)
	for i := range f.lines {
		twice := append([][]byte(nil), f.lines[:i+1]...)
		twice = append(append(twice, f.lines[i]), f.lines[i+1:]...)
		r := f.check(t, bytes.Join(twice, nil), nil)
		if !r.has(Duplicated) || r.Complete != int64(i+1) {
			t.Errorf("line %d twice: %v: %v", i+1, r, r.Problems)
		}
	}
}

func TestTailCut(t *testing.T) {
	f := six(t)
	for n := range len(f.lines) {
		cut := bytes.Join(f.lines[:n], nil)
		r := f.check(t, cut, nil)
		if r.Complete != int64(n) || r.Tampered() {
			t.Errorf("cut to %d without a receipt: %v: %v", n, r, r.Problems)
		}
		if n%2 == 0 && n > 0 && r.Vouched() { // ends in a line that awaits
			t.Errorf("cut to %d: vouched for", n)
		}
		if r = f.check(t, cut, f.receipt); !r.has(Cut) || !r.Tampered() {
			t.Errorf("cut to %d with a receipt: %v: %v", n, r, r.Problems)
		}
	}
}

func TestCutInsideALine(t *testing.T) {
	f := logOf(t, "acquire", "seal")
	for n := 1; n < len(f.lines[1]); n++ {
		r := f.check(t, f.data[:len(f.data)-n], nil)
		if !r.has(TornEnd) || r.Complete != 1 || r.Anchor.Sequence != 1 {
			t.Fatalf("%d bytes cut: %v: %v", n, r, r.Problems)
		}
	}
}

func TestRewritten(t *testing.T) {
	f := six(t)
	mallory, _ := newSigner(t)
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	forged := add(t, path, mallory, "acquire", "seal", "verify", "cat", "export", "countersign")
	r := verify(t, path, f.signers, nil)
	if !r.has(WrongSigner) || !r.Tampered() || r.Anchor.Sequence != 0 {
		t.Errorf("signed by another: %v: %v", r, r.Problems)
	}
	if r = verify(t, path, nil, nil); !r.has(UnknownSigner) || r.Tampered() || r.Vouched() {
		t.Errorf("without allowed signers: %v: %v", r, r.Problems)
	}
	if r = verify(t, path, f.signers, f.receipt); !r.has(Changed) {
		t.Errorf("against the receipt: %v: %v", r, r.Problems)
	}
	signed, err := forged.Sign(mallory)
	if err != nil {
		t.Fatal(err)
	}
	if r = verify(t, path, f.signers, &signed); r.Anchor.By == "ana@node1" || !r.Tampered() {
		t.Errorf("with a forged receipt: %v", r)
	}
	bare := filepath.Join(t.TempDir(), "custody.jsonl")
	add(t, bare, nil, "-acquire", "-seal", "-verify", "-cat", "-export", "-countersign")
	if r = verify(t, bare, f.signers, nil); r.Vouched() || r.Anchor.Sequence != 0 || len(r.Awaiting) != 6 {
		t.Errorf("rewritten unsigned: %v", r)
	}
	if r = verify(t, bare, f.signers, f.receipt); !r.has(Changed) {
		t.Errorf("rewritten unsigned, against the receipt: %v", r)
	}
}

func TestReceipt(t *testing.T) {
	signer, signers := newSigner(t)
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	receipt := add(t, path, signer, "-acquire", "-seal")
	add(t, path, signer, "-cat")
	r := verify(t, path, signers, &receipt)
	if r.Anchor.Sequence != 2 || len(r.Awaiting) != 1 || r.Tampered() {
		t.Fatalf("unsigned receipt: %v: %v", r, r.Problems)
	}
	signed, err := receipt.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseReceipt(text)
	if err != nil || parsed != signed {
		t.Fatalf("%+v, %v", parsed, err)
	}
	if r = verify(t, path, signers, &parsed); r.Anchor.By != "a kept receipt of ana@node1" || r.Tampered() {
		t.Fatalf("signed receipt: %v: %v", r, r.Problems)
	}
	for i := range len(text) * 8 {
		flipped := bytes.Clone(text)
		flipped[i/8] ^= 1 << (i % 8)
		bad, err := ParseReceipt(flipped)
		if err != nil {
			continue
		}
		if r := verify(t, path, signers, &bad); !r.Tampered() {
			t.Fatalf("bit %d of byte %d of the receipt can be flipped: %s: %v", i%8, i/8, flipped, r)
		}
	}
	if _, err := Head(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("Head of no log")
	}
}

func TestNamesThatReadersTakeDifferently(t *testing.T) {
	f := logOf(t, "-acquire")
	line := bytes.Replace(f.data, []byte(`{"action"`), []byte(`{"Action":"kill","action"`), 1)
	if r := f.check(t, line, nil); !r.has(Changed) {
		t.Fatalf("%v: %v", r, r.Problems)
	}
}

func TestVerifyRefusesToWait(t *testing.T) {
	if _, err := Verify(t.TempDir(), nil, nil); err == nil {
		t.Error("a directory is a log")
	}
}

func TestReadOnlyLogVerifies(t *testing.T) {
	f := six(t)
	if err := os.Chmod(f.path, 0o400); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, f.path, f.signers, f.receipt); !r.Vouched() {
		t.Fatalf("%v: %v", r, r.Problems)
	}
}

func FuzzVerify(f *testing.F) {
	// Every worker must have the same key and log, or what one finds means
	// nothing to the next.
	signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		f.Fatal(err)
	}
	signers, err := keys.ParseSigners(append([]byte("ana@node1 "), ssh.MarshalAuthorizedKey(signer.PublicKey())...))
	if err != nil {
		f.Fatal(err)
	}
	var good []byte
	previous := zeros
	for i, by := range []ssh.Signer{signer, nil, signer} {
		_, text, err := encode(Entry{Sequence: int64(i + 1), Previous: previous, Case: "c", Action: "a"}, by)
		if err != nil {
			f.Fatal(err)
		}
		good, previous = append(append(good, text...), '\n'), hashLine(text)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	_, seen, err := encode(Entry{Sequence: 4, Previous: previous, Case: "c", Action: ActionCountersign, Unsigned: 7, Seen: []Run{{2, 9007199254740991}, {9, -1}}}, signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(append(bytes.Clone(good), seen...), '\n'))
	f.Add(bytes.ReplaceAll(good, []byte(`"awaiting"`), []byte(`""`)))
	f.Add([]byte("{}\n\n{\"sequence\":9007199254740991}\n"))
	f.Add([]byte(fmt.Sprintf(`{"action":"x","previous":"%s","sequence":9007199254740991,"signature":"awaiting","time":"%s"}`+"\n", zeros, time.Time{}.Format(time.RFC3339))))
	scratch := filepath.Join(f.TempDir(), "log")
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, scratch, data)
		r, err := Verify(scratch, signers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Anchor.Sequence > r.Complete || r.Complete > int64(r.Lines) {
			t.Fatalf("%+v", r)
		}
		if r.Anchor.Sequence > 0 && !bytes.HasPrefix(data, good[:bytes.IndexByte(good, '\n')+1]) {
			t.Fatalf("anchored, and not what was signed: %v", r)
		}
		for range Entries(scratch) {
		}
		_, _ = Head(scratch)
		_ = r.String()
		for _, u := range r.Unsigned {
			if u.Sequence < 1 || r.Vouches(u.Sequence) && u.Seen == 0 {
				t.Fatalf("%+v is vouched for", u)
			}
			_, _ = u.By(), u.Standing()
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	f.Add([]byte(`{"case":"c","hash":"` + zeros + `","sequence":1,"time":"2026-11-22T03:30:00Z"}` + "\n"))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseReceipt(data)
		if err != nil {
			return
		}
		_, _ = r.signer()
	})
}

// A receipt, or a log, of another case is told to be that, and not to be a log
// that somebody wrote anew.
func TestAnotherCases(t *testing.T) {
	f := logOf(t, "-acquire", "-seal")
	for _, sequence := range []int64{1, 2, 9} {
		r := *f.receipt
		r.Case, r.Sequence = "20261122T000000Z-aaaaaa", sequence
		got := verify(t, f.path, f.signers, &r)
		if len(got.Problems) != 1 || got.Problems[0].Kind != Foreign || !got.Tampered() || got.Anchor.By == "a kept receipt" {
			t.Errorf("entry %d: %v: %v", sequence, got, got.Problems)
		}
	}
	r := verify(t, f.path, f.signers, nil)
	r.Belongs(r.Case)
	if len(r.Problems) != 0 {
		t.Errorf("%v", r.Problems)
	}
	r.Belongs("20261122T000000Z-aaaaaa")
	if !r.has(Foreign) || !r.Tampered() {
		t.Errorf("%v", r.Problems)
	}
}

func TestHas(t *testing.T) {
	f := logOf(t, "-acquire", "-seal")
	for want, a := range map[Anchor]bool{
		{1, hashLine(bytes.TrimSuffix(f.lines[0], []byte("\n")))}: true, {f.receipt.Sequence, f.receipt.Hash}: true,
		{1, f.receipt.Hash}: false, {3, f.receipt.Hash}: false,
	} {
		if got, err := Has(f.path, want); err != nil || got != a {
			t.Errorf("%+v: %v, %v", want, got, err)
		}
	}
}

// A clock that was set back is noted: its times go back while the host runs on.
func TestClockSetBack(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	entry := func(sequence int64, boot string, seconds, since int) Entry {
		return Entry{Sequence: sequence, Host: "node1", BootID: boot, Time: at.Add(time.Duration(seconds) * time.Second), Monotonic: int64(since) * 1e9}
	}
	for name, c := range map[string]struct {
		entries []Entry
		notes   int
	}{
		"forth":           {[]Entry{entry(1, "a", 0, 10), entry(2, "a", 5, 15)}, 0},
		"back":            {[]Entry{entry(1, "a", 0, 10), entry(2, "a", -3600, 15), entry(3, "a", -3500, 115)}, 1},
		"another boot":    {[]Entry{entry(1, "a", 0, 10), entry(2, "b", -3600, 15)}, 0},
		"written later":   {[]Entry{entry(1, "a", 0, 10), entry(2, "a", -5, 5)}, 0},
		"within a second": {[]Entry{entry(1, "a", 0, 10), {Sequence: 2, Host: "node1", BootID: "a", Time: at.Add(-time.Millisecond), Monotonic: 10e9}}, 0},
	} {
		var v verifier
		for _, e := range c.entries {
			v.clock(e)
		}
		if len(v.report.Notes) != c.notes {
			t.Errorf("%s: %q", name, v.report.Notes)
		}
	}
}
