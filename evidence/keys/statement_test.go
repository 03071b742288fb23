package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// The key that is unlocked is the one whose public half was written, each time.
func TestStatementKey(t *testing.T) {
	path, _ := newKey(t)
	for range 2 {
		s, err := Unlock(path, pass("correct horse"))
		if err != nil {
			t.Fatal(err)
		}
		unlocked, err := ssh.NewPublicKey(s.(StatementSigner).Statements().Public())
		if err != nil {
			t.Fatal(err)
		}
		written, err := StatementKey(path)
		if err != nil || !bytes.Equal(unlocked.Marshal(), written.Marshal()) {
			t.Error(err, "the public half is not that of the key")
		}
	}
	if out, err := exec.Command("ssh-keygen", "-l", "-f", path+statementFile).CombinedOutput(); err != nil || !strings.Contains(string(out), "256") {
		t.Errorf("%v %s", err, out)
	}
	if err := os.Remove(path + statementFile); err != nil {
		t.Fatal(err)
	}
	if pub, err := StatementKey(path); pub != nil || err != nil {
		t.Error(pub, err)
	}
}

// What is derived may never change: bundles of years ago name it. The figure
// was made by python3 (hmac, hashlib): HKDF-SHA256, then 1 + c mod (n-1).
func TestDerivedForEver(t *testing.T) {
	key, err := derived(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	if got := scalar(t, key); got != derivedFromSevens {
		t.Errorf("derived %s, want %s", got, derivedFromSevens)
	}
}

func scalar(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(raw)
}

const derivedFromSevens = "f5ae0e0948dc6e897190c4d748898c8f4d18e61f2f8b3ca04f4fbd170a323e5b"
