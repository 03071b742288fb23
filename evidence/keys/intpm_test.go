package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"amber/evidence/keys/tpm"
	"amber/evidence/keys/tpm/tpmtest"
)

// inTestTPM makes a key in a TPM of its own, to which AMBER_TPM then points.
func inTestTPM(t *testing.T, passphrase string) (path string, pub ssh.PublicKey) {
	t.Helper()
	p := tpmtest.New(t)
	t.Setenv(tpm.Variable, p.Socket)
	path = filepath.Join(t.TempDir(), "made", "key")
	pub, err := NewInTPM(path, tpm.Default(), []byte(passphrase), "ana@laptop")
	if err != nil {
		t.Fatal(err)
	}
	return path, pub
}

func saying(passphrase string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(passphrase), nil }
}

func TestTPMsKeySignsBoth(t *testing.T) {
	path, pub := inTestTPM(t, "not a secret")
	shown, err := Public(path)
	if err != nil || !bytes.Equal(shown.Marshal(), pub.Marshal()) {
		t.Errorf("Public: %v, %v; want %v", shown, err, pub)
	}
	s, err := Unlock(path, saying("not a secret"))
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("what is signed")
	sig, err := Sign(s, NamespaceBundle, bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	by, err := Verify(sig, bytes.NewReader(message), NamespaceBundle)
	if err != nil || !bytes.Equal(by.Marshal(), pub.Marshal()) {
		t.Errorf("Verify: %v, %v", by, err)
	}
	sshKeygenVerifies(t, pub, message, sig)

	statements := s.(StatementSigner).Statements()
	der, err := crypto.SignMessage(statements, rand.Reader, message, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(message)
	if !ecdsa.VerifyASN1(statements.Public().(*ecdsa.PublicKey), digest[:], der) {
		t.Error("the statement's signature does not hold")
	}
}

func sshKeygenVerifies(t *testing.T, pub ssh.PublicKey, message, sig []byte) {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("no ssh-keygen here")
	}
	dir := t.TempDir()
	line, err := SignerLine("ana@laptop", pub)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"allowed": []byte(line + "\n"), "sig": sig} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]bool{string(message): true, string(message) + "!": false} {
		cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "ana@laptop", "-n", NamespaceBundle, "-s", "sig")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); (err == nil) != want {
			t.Errorf("ssh-keygen of %q: %v\n%s", text, err, out)
		}
	}
}

func TestTPMsKeyFile(t *testing.T) {
	path, pub := inTestTPM(t, "not a secret")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	line, err := os.ReadFile(path + ".pub")
	if want := fmt.Sprintf("%s ana@laptop\n", bytes.TrimSpace(ssh.MarshalAuthorizedKey(pub))); err != nil || string(line) != want {
		t.Errorf("the public half is %q, %v; want %q", line, err, want)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewInTPM(path, tpm.Default(), nil, ""); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made a second time: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key was overwritten, or %v", err)
	}
}

func TestTPMsKeyLocked(t *testing.T) {
	path, _ := inTestTPM(t, "not a secret")
	if _, err := Unlock(path, saying("wrong")); !errors.Is(err, ErrLocked) || !errors.Is(err, tpm.ErrAuth) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	none := errors.New("nobody to ask")
	if _, err := Unlock(path, func() ([]byte, error) { return nil, none }); !errors.Is(err, ErrLocked) || !errors.Is(err, none) {
		t.Errorf("no passphrase: %v", err)
	}
	if Unasked(path) {
		t.Error("a key with a passphrase wants none")
	}
	t.Setenv(tpm.Variable, filepath.Join(t.TempDir(), "absent"))
	if _, err := Unlock(path, saying("not a secret")); !errors.Is(err, tpm.ErrDevice) || errors.Is(err, ErrLocked) {
		t.Errorf("no TPM: %v", err)
	}
}

func TestTPMsKeyUnasked(t *testing.T) {
	path, _ := inTestTPM(t, "")
	if !Unasked(path) {
		t.Error("a key without a passphrase wants one")
	}
	if _, err := Unlock(path, func() ([]byte, error) { return nil, errors.New("asked") }); err != nil {
		t.Error(err)
	}
}

func TestTPMsKeyDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n-----END TSS2 PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Public(path); !errors.Is(err, tpm.ErrFile) || !strings.Contains(err.Error(), path) {
		t.Errorf("Public: %v", err)
	}
	if _, err := Unlock(path, saying("x")); !errors.Is(err, tpm.ErrFile) {
		t.Errorf("Unlock: %v", err)
	}
}
