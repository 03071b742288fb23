package custody

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence/canon"
	"amber/evidence/keys"
)

const caseID = "20261122T033000Z-abcdef"

func newSigner(t testing.TB) (ssh.Signer, *keys.Signers) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	line, err := keys.SignerLine("ana@node1", signer.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	signers, err := keys.ParseSigners([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return signer, signers
}

func entry(action string) Entry {
	e := Entry{Case: caseID, Action: action, Tool: Tool{Name: "amber", Version: "test"}, Result: "done"}
	Stamp(&e)
	return e
}

// add appends entries; an action that begins with "-" is not signed.
func add(t testing.TB, path string, signer ssh.Signer, actions ...string) Receipt {
	t.Helper()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var r Receipt
	for _, a := range actions {
		by := signer
		if strings.HasPrefix(a, "-") {
			by = nil
		}
		if _, r, err = l.Append(entry(strings.TrimPrefix(a, "-")), by); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func verify(t testing.TB, path string, signers *keys.Signers, receipt *Receipt) Report {
	t.Helper()
	r, err := Verify(path, signers, receipt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAppend(t *testing.T) {
	signer, signers := newSigner(t)
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	receipt := add(t, path, signer, "acquire", "seal", "verify")
	data := read(t, path)
	text := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	if len(text) != 3 {
		t.Fatalf("%d lines", len(text))
	}
	for i, l := range text {
		if err := canon.Check(l); err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
	}
	if receipt.Sequence != 3 || receipt.Hash != hashLine(text[2]) {
		t.Errorf("receipt %+v", receipt)
	}
	head, err := Head(path)
	if err != nil || head != receipt {
		t.Errorf("Head gives %+v, %v; Append gave %+v", head, err, receipt)
	}
	var actions []string
	for e, err := range Entries(path) {
		if err != nil {
			t.Fatal(err)
		}
		actions = append(actions, e.Action)
		if e.Host == "" || e.BootID == "" || e.Monotonic <= 0 || e.Clock.Method != "adjtimex" || e.Actor.UID != os.Getuid() {
			t.Errorf("not stamped: %+v", e)
		}
	}
	if got := strings.Join(actions, " "); got != "acquire seal verify" {
		t.Errorf("entries: %s", got)
	}
	r := verify(t, path, signers, nil)
	if !r.Vouched() || r.Tampered() || r.Complete != 3 || r.Anchor.By != "ana@node1" || r.Case != caseID {
		t.Errorf("%v: %+v", r, r)
	}
	want := "complete up to entry 3, anchored at entry 3 (" + receipt.Time.Format(time.RFC3339) + ", ana@node1)"
	if r.String() != want {
		t.Errorf("String: %q, want %q", r.String(), want)
	}
}

func TestAppendCleansText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := entry("cat")
	e.Errors, e.Reason = []string{"open a\xffb"}, "a\xc3"
	e.Actor.Claimed = map[string]string{"sudo_user": "\xfe"}
	got, _, err := l.Append(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Errors[0] != `open a\xffb` || got.Reason != `a\xc3` || got.Actor.Claimed["sudo_user"] != `\xfe` {
		t.Fatalf("%+v", got)
	}
	if e.Errors[0] != "open a\xffb" {
		t.Fatal("the caller's entry was changed")
	}
}

func TestAppendRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "custody.jsonl")
	add(t, path, nil, "-acquire")
	before := read(t, path)
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	other := entry("cat")
	other.Case = "another"
	if _, _, err := l.Append(other, nil); err == nil {
		t.Error("an entry of another case is taken")
	}
	long := entry("cat")
	long.Reason = strings.Repeat("x", maxEntry)
	if _, _, err := l.Append(long, nil); err == nil {
		t.Error("an entry of a megabyte is taken")
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("a refused entry changed the log")
	}
	garbage := filepath.Join(dir, "garbage")
	write(t, garbage, []byte("hello\n"))
	g, err := Open(garbage)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, _, err := g.Append(entry("cat"), nil); err == nil {
		t.Error("an entry is chained to what is none")
	}
	if _, err := Open(dir); err == nil {
		t.Error("a directory is a log")
	}
}

func TestCountersign(t *testing.T) {
	signer, signers := newSigner(t)
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	add(t, path, signer, "-acquire", "-seal")
	r := verify(t, path, signers, nil)
	if r.Vouched() || r.Tampered() || r.Complete != 2 || r.Anchor.Sequence != 0 || len(r.Awaiting) != 2 {
		t.Fatalf("unsigned: %v: %+v", r, r)
	}
	if want := "complete up to entry 2, anchored nowhere, 2 awaiting countersignature"; r.String() != want {
		t.Errorf("String: %q, want %q", r.String(), want)
	}
	add(t, path, signer, ActionCountersign)
	if r = verify(t, path, signers, nil); !r.Vouched() || len(r.Awaiting) != 0 {
		t.Fatalf("countersigned: %v: %+v", r, r)
	}
	add(t, path, signer, "-cat")
	if r = verify(t, path, signers, nil); r.Vouched() || r.Anchor.Sequence != 3 || len(r.Awaiting) != 1 {
		t.Fatalf("one more: %v: %+v", r, r)
	}
}

func TestAppendReadsTheTailAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	add(t, path, nil, "-acquire")
	last := read(t, path)
	// A hole of 1 GiB before the last line: to read it all would take seconds, to
	// hold it all a gigabyte.
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(append([]byte("\n"), last...), 1<<30); err != nil {
		t.Fatal(err)
	}
	var most uint64
	counted := readerAt(func(p []byte, off int64) (int, error) { most += uint64(len(p)); return f.ReadAt(p, off) })
	tail, err := readTail(counted, 1<<30+1+int64(len(last)))
	if err != nil || !bytes.Equal(append(tail.last, '\n'), last) {
		t.Fatalf("%q, %v", tail.last, err)
	}
	if most > 64<<10 {
		t.Fatalf("%d bytes read", most)
	}
}

type readerAt func([]byte, int64) (int, error)

func (r readerAt) ReadAt(p []byte, off int64) (int, error) { return r(p, off) }

// TestMain is also the child of TestTwoProcesses.
func TestMain(m *testing.M) {
	if path := os.Getenv("CUSTODY_TEST_LOG"); path != "" {
		os.Exit(child(path))
	}
	os.Exit(m.Run())
}

const perChild = 50

func child(path string) int {
	n := perChild
	if s := os.Getenv("CUSTODY_TEST_COUNT"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	l, err := Open(path)
	for i := 0; err == nil && i < n; i++ {
		_, _, err = l.Append(entry("cat"+strconv.Itoa(i)), nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	var cmds []*exec.Cmd
	for range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CUSTODY_TEST_LOG="+path)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	r := verify(t, path, nil, nil)
	if len(r.Problems) != 0 || r.Complete != 4*perChild {
		t.Fatalf("%v: %v", r, r.Problems)
	}
}

func BenchmarkAppend(b *testing.B) {
	signer, _ := newSigner(b)
	l, err := Open(filepath.Join(b.TempDir(), "custody.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		if _, _, err := l.Append(entry("cat"), signer); err != nil {
			b.Fatal(err)
		}
	}
}
