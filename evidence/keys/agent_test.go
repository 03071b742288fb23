package keys

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"amber/evidence/attest"
)

// startAgent runs a real ssh-agent with the keys in the files.
func startAgent(t *testing.T, files ...string) {
	t.Helper()
	startAgentWith(t, nil)
	for _, f := range files {
		run(t, "ssh-add", "-q", f)
	}
}

// startAgentWith is startAgent with options.
func startAgentWith(t *testing.T, options []string) {
	t.Helper()
	for _, tool := range []string{"ssh-agent", "ssh-add", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	dir, err := os.MkdirTemp("", "agent") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sock := filepath.Join(dir, "s")
	cmd := exec.Command("ssh-agent", append([]string{"-D", "-a", sock}, options...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("unix", sock)
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	t.Setenv("SSH_AUTH_SOCK", sock)
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func generated(t *testing.T, kind string) string {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), kind)
	run(t, "ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path)
	return path
}

// What a real agent signs is what the key itself would have signed.
func TestAgent(t *testing.T) {
	ed, ec := generated(t, "ed25519"), generated(t, "ecdsa")
	startAgent(t, ed, ec)
	for _, path := range []string{ed, ec} {
		if InAgent(path) || !InAgent(path+".pub") {
			t.Error("a private key is taken for a public one, or the other way")
		}
		s, err := Unlock(path+".pub", func() ([]byte, error) { return nil, errors.New("nobody is to be asked") })
		if err != nil {
			t.Fatal(err)
		}
		pub, err := Public(path + ".pub")
		if err != nil || !bytes.Equal(pub.Marshal(), s.PublicKey().Marshal()) {
			t.Fatal(pub, err)
		}
		armored, err := Sign(s, NamespaceBundle, strings.NewReader("message"))
		if err != nil {
			t.Fatal(err)
		}
		if by, err := Verify(armored, strings.NewReader("message"), NamespaceBundle); err != nil || Fingerprint(by) != Fingerprint(pub) {
			t.Error(by, err)
		}
		k, ok := s.(StatementSigner)
		if ok != (path == ec) {
			t.Errorf("%s: makes statements: %v", path, ok)
		}
		if !ok {
			continue
		}
		statement := []byte(`{"a":"b"}`)
		files, err := attest.Sign(k.Statements(), statement)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := attest.Verify(files, statement); err != nil {
			t.Error(err)
		}
		sum := sha256.Sum256(statement)
		if _, err := k.Statements().Sign(nil, sum[:], nil); err == nil {
			t.Error("a digest is signed as if it were a message")
		}
	}
}

func TestAgentRefuses(t *testing.T) {
	ed, rsa := generated(t, "ed25519"), generated(t, "rsa")
	t.Setenv("SSH_AUTH_SOCK", "")
	for say, path := range map[string]string{"SSH_AUTH_SOCK is not set": ed + ".pub", "type ssh-rsa cannot sign": rsa + ".pub"} {
		if _, err := Unlock(path, nil); !errors.Is(err, ErrAgent) || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
	t.Setenv("SSH_AUTH_SOCK", "/nonexistent")
	if _, err := Unlock(ed+".pub", nil); !errors.Is(err, ErrAgent) {
		t.Error(err)
	}
	startAgent(t)
	if _, err := Unlock(ed+".pub", nil); !errors.Is(err, ErrAgent) || !strings.Contains(err.Error(), "does not have the key") {
		t.Error(err)
	}
}
