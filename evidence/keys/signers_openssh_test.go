package keys

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestSignersAsStockSSHKeygen asks ssh-keygen and amber the same of one
// signature under many lists. They differ where a line is bad and another one
// allows: ssh-keygen says so and goes on, amber refuses the list.
func TestSignersAsStockSSHKeygen(t *testing.T) {
	signer, armored := signed(t)
	dir := t.TempDir()
	sig, list := filepath.Join(dir, "sig"), filepath.Join(dir, "signers")
	if err := os.WriteFile(sig, armored, 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	yes := 0
	for _, text := range []string{
		"ana@x KEY", "ana@x KEY comment", "  ana@x\tKEY", "#ana@x KEY", "ana@x", "ana@x " + keyB, "", "\n\nana@x KEY\n",
		`ana@x,bob@y KEY`, `"ana@x" KEY`, `"ana@x KEY`, `ana@x KEYx`,
		`ana@x namespaces="amber" KEY`, `ana@x namespaces="file,amber" KEY`, `ana@x NAMESPACES="a*" KEY`, `ana@x namespaces="file" KEY`,
		`ana@x namespaces="*,!amber" KEY`, `ana@x namespaces="!file" KEY`, `ana@x namespaces=amber KEY`, `ana@x namespaces="amber KEY`,
		`ana@x namespaces="a",namespaces="amber" KEY`, `ana@x namespaces="amb\"er" KEY`, `ana@x namespaces="ambe?" KEY`, `ana@x namespaces="[a]mber" KEY`,
		`ana@x valid-after="20261122Z" KEY`, `ana@x valid-after="20261122030000Z" KEY`, `ana@x valid-after="202611220301Z" KEY`,
		`ana@x valid-before="20261122030000Z" KEY`, `ana@x valid-before="202611220259Z" KEY`, `ana@x valid-before="x" KEY`, `ana@x valid-before="20261345" KEY`,
		`ana@x valid-after="20270101Z",valid-before="20260101Z" KEY`, `ana@x valid-after="20200101",namespaces="amber",valid-before="20300101" KEY`,
		`ana@x no-pty KEY`, `ana@x cert-authority KEY`, `ana@x namespaces="amber"x KEY`, `ana@x namespaces="amber", KEY`,
		"ana@x namespaces=\"file\" KEY\nana@x KEY",
	} {
		text = strings.ReplaceAll(text, "KEY", key)
		if err := os.WriteFile(list, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := sshKeygen(t, message, "-Y", "verify", "-f", list, "-I", "ana@x", "-n", "amber", "-s", sig, "-Overify-time=20261122030000Z")
		theirs := err == nil
		ours := false
		if s, err := ParseSigners([]byte(text)); err == nil {
			_, ours = s.Lookup(signer.PublicKey(), NamespaceBundle, at)
		}
		if ours != theirs {
			t.Errorf("%s: amber %v, ssh-keygen %v: %s", strings.ReplaceAll(text, key, "KEY"), ours, theirs, out)
		}
		if theirs {
			yes++
		}
	}
	if yes < 10 {
		t.Fatalf("ssh-keygen allows %d of these lists: the test asks it wrongly", yes)
	}
	if _, err := Verify(armored, bytes.NewReader(message), NamespaceBundle); err != nil {
		t.Fatal(err)
	}
}
