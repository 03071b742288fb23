package custody

import (
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"amber/evidence/keys"
)

// addSigner enters that a key may sign, by the signature of another.
func addSigner(t *testing.T, path string, by, whom ssh.Signer, name string) string {
	t.Helper()
	line, err := keys.SignerLine(name, whom.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := entry(ActionAddSigner)
	e.Counterparty = line
	if _, _, err := l.Append(e, by); err != nil {
		t.Fatal(err)
	}
	return line + "\n"
}

// TestWhoLetWhomSign: a signer comes in by a signature of one who was in
// already. Who signs himself in is found out though case.json has him.
func TestWhoLetWhomSign(t *testing.T) {
	ana, _ := newSigner(t)
	bob, _ := newSigner(t)
	carl, _ := newSigner(t)
	mallory, _ := newSigner(t)
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	lines := addSigner(t, path, ana, ana, "ana@node1")
	lines += addSigner(t, path, ana, bob, "bob@lab")
	lines += addSigner(t, path, nil, carl, "carl@lab")
	lines += addSigner(t, path, bob, bob, "bob@home")
	signers, err := keys.ParseSigners([]byte(lines))
	if err != nil {
		t.Fatal(err)
	}
	r := verify(t, path, signers, nil)
	if r.Tampered() || len(r.Additions) != 4 {
		t.Fatalf("%v: %v: %v", r, r.Problems, r.Additions)
	}
	for i, want := range []Addition{{By: "ana@node1", First: true}, {By: "ana@node1"}, {}, {By: "bob@lab"}} {
		if got := r.Additions[i]; got.By != want.By || got.First != want.First || got.Forged || got.Entry != int64(i+1) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	lines += addSigner(t, path, mallory, mallory, "mallory@lab")
	if signers, err = keys.ParseSigners([]byte(lines)); err != nil {
		t.Fatal(err)
	}
	if r = verify(t, path, signers, nil); !r.has(WrongSigner) || !r.Additions[4].Forged {
		t.Fatalf("who signs himself in is believed: %v: %v", r, r.Additions)
	}
}

// TestFirstSignerAfterOthers: signers of bundles alone, such as a merge enters,
// let nobody sign the log: the first who may is the first.
func TestFirstSignerAfterOthers(t *testing.T) {
	ana, _ := newSigner(t)
	node, _ := newSigner(t)
	only, err := keys.SignerLine("node1", node.PublicKey())
	if err == nil {
		only, err = keys.OnlyFor(only, keys.NamespaceBundle)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "custody.jsonl")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := entry(ActionAddSigner)
	e.Counterparty = only
	if _, _, err := l.Append(e, nil); err != nil {
		t.Fatal(err)
	}
	line := addSigner(t, path, ana, ana, "ana@node1")
	signers, err := keys.ParseSigners([]byte(only + "\n" + line))
	if err != nil {
		t.Fatal(err)
	}
	r := verify(t, path, signers, nil)
	if r.Tampered() || len(r.Additions) != 2 || !r.Additions[1].First || r.Additions[1].By != "ana@node1" {
		t.Fatalf("%v: %v: %+v", r, r.Problems, r.Additions)
	}
}
