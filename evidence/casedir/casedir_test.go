package casedir

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"amber/evidence/canon"
	"amber/evidence/custody"
	"amber/evidence/keys"
)

// TestMain is also the child that holds a case's lock until its input ends.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CASEDIR_TEST_HOLD"); dir != "" {
		if _, err := Open(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func newCase(t *testing.T) *Case {
	t.Helper()
	c, err := Create(filepath.Join(t.TempDir(), "a", "case"), "a title", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.Tool = custody.Tool{Name: "amber", Version: "test"}
	return c
}

func newSigner(t *testing.T) (ssh.Signer, string) {
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
	return signer, line
}

func TestCreate(t *testing.T) {
	c := newCase(t)
	data, err := os.ReadFile(filepath.Join(c.Dir(), "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := canon.Check(bytes.TrimSuffix(data, []byte("\n"))); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(c.Dir()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got := c.Info()
	if !idForm().MatchString(got.ID) || got.Title != "a title" || time.Since(got.Created) > time.Minute || got.Format != Format {
		t.Errorf("%+v", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(c.Dir(), "", nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a case over a case: %v", err)
	}
	again, err := Open(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Info().ID != got.ID || !again.Info().Created.Equal(got.Created) {
		t.Errorf("read back %+v, wrote %+v", again.Info(), got)
	}
}

func TestCreateHere(t *testing.T) {
	t.Chdir(t.TempDir())
	c, created, err := OpenOrCreate("", "", nil)
	if err != nil || !created {
		t.Fatal(created, err)
	}
	defer c.Close()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(here, "amber-case-"+c.Info().ID); c.Dir() != want {
		t.Fatalf("made in %s, want %s", c.Dir(), want)
	}
}

func TestCreateRefusesWhatIsInUse(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, "", nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a case among other files: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, lockFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it left a lock: %v", err)
	}
	half := t.TempDir() // what a crash inside Create leaves
	for _, name := range []string{lockFile, infoFile + ".tmp"} {
		if err := os.WriteFile(filepath.Join(half, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, created, err := OpenOrCreate(half, "", nil)
	if err != nil || !created {
		t.Fatalf("after a crash: %v, %v", created, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c, created, err = OpenOrCreate(half, "", nil)
	if err != nil || created {
		t.Fatalf("the second time: %v, %v", created, err)
	}
	defer c.Close()
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNoCase) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := Open("/dev/null"); !errors.Is(err, ErrNoCase) {
		t.Errorf("no directory: %v", err)
	}
	for _, text := range []string{
		``, `{}`, `[]`, `{"format":1,"id":"../../etc"}`, `{"format":0,"id":"20261122T033000Z-abcdef"}`,
		`{"format":2,"id":"20261122T033000Z-abcdef"}`, `{"format":1,"id":"20261122T033000Z-abcdef\n"}`, strings.Repeat(" ", maxInfo+1),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, infoFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenRead(dir); err == nil || errors.Is(err, ErrNoCase) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, infoFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRead(dir); err == nil {
		t.Error("a FIFO is a case.json")
	}
}

func TestLock(t *testing.T) {
	c := newCase(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "hello")
	child.Env = append(os.Environ(), "CASEDIR_TEST_HOLD="+c.Dir())
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	word := make([]byte, 4)
	if _, err := out.Read(word); err != nil || string(word) != "held" {
		t.Fatalf("the child says %q, %v", word, err)
	}
	_, err = Open(c.Dir())
	var locked *LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("a second writer: %v", err)
	}
	h := locked.Holder
	if h.PID != child.Process.Pid || len(h.Argv) != 2 || h.Argv[1] != "hello" || h.Host == "" || time.Since(h.Since) > time.Minute {
		t.Errorf("holder %+v, want process %d", h, child.Process.Pid)
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("process %d on ", child.Process.Pid)) {
		t.Errorf("the error names no holder: %v", err)
	}
	reader, err := OpenRead(c.Dir())
	if err != nil {
		t.Fatalf("a reader beside a writer: %v", err)
	}
	defer reader.Close()
	if _, err := reader.Log(custody.Entry{Action: "cat"}); err != nil {
		t.Errorf("a reader's entry: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // the signal's error is what is wanted
	after, err := Open(c.Dir())
	if err != nil {
		t.Fatalf("after the holder died: %v", err)
	}
	if err := after.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLockIsNotFollowed(t *testing.T) {
	c := newCase(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(c.Dir(), lockFile)
	if err := errors.Join(os.Remove(link), os.Symlink(victim, link)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c.Dir()); err == nil {
		t.Error("a symlink is a lock")
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "precious" {
		t.Errorf("the file behind it holds %q, %v", data, err)
	}
}

func TestFind(t *testing.T) {
	t.Setenv(Variable, "")
	c := newCase(t)
	below := filepath.Join(c.Dir(), "evidence", "x")
	if err := os.MkdirAll(below, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	want, err := filepath.EvalSymlinks(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Find(""); err != nil || got != want {
		t.Errorf("below a case: %q, %v", got, err)
	}
	t.Setenv(Variable, "/from/env")
	if got, err := Find(""); err != nil || got != "/from/env" {
		t.Errorf("by variable: %q, %v", got, err)
	}
	if got, err := Find("/from/flag"); err != nil || got != "/from/flag" {
		t.Errorf("by flag: %q, %v", got, err)
	}
	t.Setenv(Variable, "")
	t.Chdir(t.TempDir())
	if got, err := Find(""); !errors.Is(err, ErrNoCase) {
		t.Errorf("nowhere: %q, %v", got, err)
	}
}

func TestFindRefusesForeignCase(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a file to another user needs root")
	}
	t.Setenv(Variable, "")
	t.Setenv("SUDO_UID", "")
	c := newCase(t)
	if err := os.Chown(filepath.Join(c.Dir(), infoFile), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	t.Chdir(c.Dir())
	if got, err := Find(""); err == nil || !strings.Contains(err.Error(), "uid 65534") {
		t.Errorf("another user's case: %q, %v", got, err)
	}
	t.Setenv("SUDO_UID", "65534")
	if got, err := Find(""); err != nil {
		t.Errorf("the case of the one who called sudo: %q, %v", got, err)
	}
}

func TestLogAndSigners(t *testing.T) {
	c := newCase(t)
	signer, line := newSigner(t)
	if _, err := c.Log(custody.Entry{Action: "isolate", Evidence: &custody.Evidence{ID: "b1"}}); err != nil {
		t.Fatal(err)
	}
	c.Signer = signer
	for range 2 { // the second changes nothing
		if err := c.AddSigner(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []string{"", "# comment", "ana@x", line + "\n" + line, "x cert-authority " + line} {
		if err := c.AddSigner(bad); err == nil {
			t.Errorf("%q is a signer", bad)
		}
	}
	receipt, err := c.Log(custody.Entry{Action: "seal"})
	if err != nil || receipt.Sequence != 3 || receipt.Case != c.Info().ID {
		t.Fatalf("%+v, %v", receipt, err)
	}
	signers, err := c.Signers()
	if err != nil {
		t.Fatal(err)
	}
	report, err := custody.Verify(c.CustodyPath(), signers, &receipt)
	if err != nil || !report.Vouched() || report.Complete != 3 {
		t.Fatalf("%v: %v, %v", report, report.Problems, err)
	}
	for e, err := range custody.Entries(c.CustodyPath()) {
		if err != nil || e.Tool.Name != "amber" || e.Host == "" || e.Case != c.Info().ID {
			t.Errorf("%+v, %v", e, err)
		}
		if e.Action == "add-signer" && (e.Before == e.After || !strings.HasPrefix(e.After, "sha256:") || e.Counterparty != line) {
			t.Errorf("%+v", e)
		}
	}
	if path, err := c.LogPath(); err != nil || path != c.CustodyPath() {
		t.Errorf("LogPath %q, %v", path, err)
	}
	reader, err := OpenRead(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if got := reader.Info().Signers; len(got) != 1 || got[0] != line {
		t.Errorf("signers on the disk: %q", got)
	}
	if err := reader.AddSigner(line + "x"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a reader adds a signer: %v", err)
	}
}

// TestReadOnlyMedia has the case alone on a read-only file system, and then the
// directory around it too.
func TestReadOnlyMedia(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	t.Run("the case", func(t *testing.T) {
		mount := mountTmpfs(t)
		testReadOnly(t, mount, mount, func(string) string { return mount + ".custody.jsonl" })
	})
	t.Run("all around it", func(t *testing.T) {
		mount := mountTmpfs(t)
		testReadOnly(t, mount, filepath.Join(mount, "case"), func(id string) string {
			return filepath.Join(state, "amber", "custody", id+".jsonl")
		})
	})
}

func mountTmpfs(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	mount := filepath.Join(t.TempDir(), "mount")
	if err := os.Mkdir(mount, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("amber-test", mount, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	})
	return mount
}

func testReadOnly(t *testing.T, mount, dir string, want func(id string) string) {
	c, err := Create(dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	head, err := c.Log(custody.Entry{Action: "acquire"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", mount, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	reader, err := OpenRead(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	receipt, err := reader.Log(custody.Entry{Action: "cat"})
	if err != nil || receipt.Sequence != 1 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	path := want(c.Info().ID)
	if got, err := reader.LogPath(); err != nil || got != path {
		t.Fatalf("the log is %q, %v; want %q", got, err, path)
	}
	for e, err := range custody.Entries(path) {
		if err != nil || e.Beside == nil || e.Beside.Sequence != 1 || e.Beside.Hash != head.Hash {
			t.Fatalf("%+v, %v", e.Beside, err)
		}
	}
	if _, err := Open(dir); !errors.Is(err, unix.EROFS) {
		t.Errorf("opened for writing: %v", err)
	}
}

func TestEvidenceDir(t *testing.T) {
	c := newCase(t)
	if got, err := c.EvidenceDir("b1"); err != nil || got != filepath.Join(c.Dir(), "evidence", "b1") {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", ".", "..", "../x", "a/b", "/", "a\x00"} {
		if got, err := c.EvidenceDir(bad); err == nil {
			t.Errorf("%q gives %q", bad, got)
		}
	}
}

func FuzzReadInfo(f *testing.F) {
	f.Add([]byte(`{"created":"2026-11-22T03:30:00Z","format":1,"id":"20261122T033000Z-abcdef","signers":["a ssh-ed25519 AAAA"]}`))
	f.Add([]byte(`{"format":1}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, infoFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := OpenRead(dir)
		if err != nil {
			return
		}
		if strings.ContainsAny(c.Info().ID, "/\n\x00") {
			t.Fatalf("id %q", c.Info().ID)
		}
		_, _ = c.Signers()
	})
}

func BenchmarkCreate(b *testing.B) {
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		c, err := Create(filepath.Join(dir, fmt.Sprint(i)), "", nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAbandon(t *testing.T) {
	c := newCase(t)
	if err := c.Abandon(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(c.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there still: %v", err)
	}
}
