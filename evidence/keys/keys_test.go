package keys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

const secret = "correct horse"

func pass(s string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(s), nil }
}

func newKey(t *testing.T) (path string, pub ssh.PublicKey) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dir", "key")
	pub, err := New(path, []byte(secret), "ana@node1")
	if err != nil {
		t.Fatal(err)
	}
	return path, pub
}

func sshKeygen(t *testing.T, stdin []byte, args ...string) (string, error) {
	t.Helper()
	bin, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	cmd := exec.Command(bin, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestNew(t *testing.T) {
	path, pub := newKey(t)
	for p, mode := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700 | fs.ModeDir} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", p, info.Mode(), mode)
		}
	}
	line, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	got, comment, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil || comment != "ana@node1" || !bytes.Equal(got.Marshal(), pub.Marshal()) {
		t.Fatalf("public half %q: comment %q, %v", line, comment, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(path, []byte("x"), ""); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("a second New: %v, want fs.ErrExist", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Fatal("a second New changed the key")
	}
}

func TestNewRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if _, err := New(path, nil, "a@b"); err == nil {
		t.Error("an empty passphrase is taken")
	}
	if _, err := New(path, []byte("x"), "a\nssh-ed25519 AAAA"); err == nil {
		t.Error("a comment of two lines is taken")
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused New left a file: %v", err)
	}
}

func TestUnlock(t *testing.T) {
	path, pub := newKey(t)
	signer, err := Unlock(path, pass(secret))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(signer.PublicKey().Marshal(), pub.Marshal()) {
		t.Fatal("another key came out")
	}
	got, err := Public(path)
	if err != nil || !bytes.Equal(got.Marshal(), pub.Marshal()) {
		t.Fatalf("Public: %v, %v", got, err)
	}
	if _, err := Unlock(path, pass("wrong")); !errors.Is(err, ErrLocked) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := Unlock(path, pass("")); !errors.Is(err, ErrLocked) {
		t.Errorf("empty passphrase: %v", err)
	}
	noTTY := errors.New("no terminal")
	_, err = Unlock(path, func() ([]byte, error) { return nil, noTTY })
	if !errors.Is(err, ErrLocked) || !errors.Is(err, noTTY) {
		t.Errorf("missing passphrase: %v", err)
	}
	if _, err := Unlock(path+"x", pass(secret)); !errors.Is(err, ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
}

func TestUnlockRefusesOpenFile(t *testing.T) {
	path, _ := newKey(t)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := Unlock(path, pass(secret))
	if err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Fatalf("a key that its group can read: %v", err)
	}
}

func TestUnlockRefusesWhatIsNoKey(t *testing.T) {
	dir := t.TempDir()
	if _, err := Unlock(dir, pass(secret)); err == nil {
		t.Error("a directory is a key")
	}
	fifo := filepath.Join(dir, "fifo")
	if out, err := exec.Command("mkfifo", "-m", "600", fifo).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v: %s", err, out)
	}
	if _, err := Unlock(fifo, pass(secret)); err == nil {
		t.Error("a FIFO is a key")
	}
	for name, data := range map[string][]byte{"empty": nil, "text": []byte("hello"), "big": make([]byte, maxKeyFile+1)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Unlock(path, pass(secret)); err == nil || errors.Is(err, ErrLocked) || errors.Is(err, ErrNoKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDefaultPath(t *testing.T) {
	t.Setenv("AMBER_KEY", "")
	t.Setenv("XDG_CONFIG_HOME", "/x")
	if p, err := DefaultPath(); err != nil || p != "/x/amber/key" {
		t.Errorf("%q, %v", p, err)
	}
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("HOME", "/h")
	if p, err := DefaultPath(); err != nil || p != "/h/.config/amber/key" {
		t.Errorf("%q, %v", p, err)
	}
	t.Setenv("AMBER_KEY", "/k")
	if p, err := DefaultPath(); err != nil || p != "/k" {
		t.Errorf("%q, %v", p, err)
	}
}

func TestAsk(t *testing.T) {
	t.Setenv(PassphraseVariable, secret)
	path, _ := newKey(t)
	if _, err := Unlock(path, Ask(path)); err != nil {
		t.Error(err)
	}
	if got, err := AskNew(); err != nil || string(got) != secret {
		t.Errorf("AskNew: %q, %v", got, err)
	}
}

func TestStockSSHKeygenReadsTheKey(t *testing.T) {
	path, pub := newKey(t)
	out, err := sshKeygen(t, nil, "-y", "-P", secret, "-f", path)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.HasPrefix(out, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))) {
		t.Fatalf("ssh-keygen -y gives %q", out)
	}
	if out, err := sshKeygen(t, nil, "-y", "-P", "wrong", "-f", path); err == nil {
		t.Fatalf("ssh-keygen takes a wrong passphrase: %s", out)
	}
	out, err = sshKeygen(t, nil, "-l", "-f", path+".pub")
	if err != nil || !strings.Contains(out, Fingerprint(pub)) {
		t.Fatalf("ssh-keygen -l: %v: %q does not hold %s", err, out, Fingerprint(pub))
	}
}
