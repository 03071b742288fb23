package custody

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/evidence/keys"
)

// TestByHand runs the script of docs/custody-log.md, which uses nothing of
// amber, on a log and on tampered copies of it.
func TestByHand(t *testing.T) {
	for _, tool := range []string{"sh", "sha256sum", "ssh-keygen", "fold"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	doc := string(read(t, "../../docs/custody-log.md"))
	_, script, found := strings.Cut(doc, "```sh\n")
	script, _, end := strings.Cut(script, "```")
	if !found || !end {
		t.Fatal("the document has no script")
	}
	signer, _ := newSigner(t)
	allowed, err := keys.SignerLine("ana@node1", signer.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "signers"), []byte(allowed+"\n"))
	path := filepath.Join(dir, "custody.jsonl")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hostile := entry("seal")
	hostile.Reason = `a "signature":"awaiting", and \"previous\" é ` + "\n\x1b"
	hostile.Actor.Claimed = map[string]string{"sudo_user": `"sequence":2,`}
	for _, e := range []Entry{hostile, entry("countersign")} {
		if _, _, err := l.Append(e, signer); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := l.Append(entry("cat"), nil); err != nil {
		t.Fatal(err)
	}
	run := func(log []byte) string {
		write(t, path+".copy", log)
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LOG="+path+".copy", "SIGNERS=signers", "WHO=ana@node1", "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	good := read(t, path)
	want := "entry 1: chained\nentry 1: signed by ana@node1\nentry 2: chained\nentry 2: signed by ana@node1\n" +
		"entry 3: chained\nentry 3: awaiting countersignature\n"
	if got := run(good); got != want {
		t.Fatalf("the script says\n%swant\n%s", got, want)
	}
	lines := bytes.SplitAfter(good, []byte("\n"))
	for name, bad := range map[string][]byte{
		"changed": bytes.Replace(good, []byte(`"seal"`), []byte(`"seat"`), 1),
		"swapped": bytes.Join([][]byte{lines[1], lines[0], lines[2]}, nil),
		"removed": bytes.Join([][]byte{lines[0], lines[2]}, nil),
	} {
		if got := run(bad); !strings.Contains(got, "NOT CHAINED") && !strings.Contains(got, "BAD SIGNATURE") {
			t.Errorf("%s: the script says\n%s", name, got)
		}
	}
}
