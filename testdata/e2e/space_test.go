//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"amber/testdata/testbed"
)

// disk mounts a file system of size bytes.
func disk(t testing.TB, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("amber-e2e", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", size)); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// noise makes a file that does not compress, and gives its SHA-256.
func noise(t testing.TB, path string, size int64) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, sum), rand.NewChaCha8([32]byte{1}), size); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func TestFullDisk(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "noisy", script)
	ready(t, r, "/ready")
	const size = 300 << 20
	sum := noise(t, filepath.Join(upper(t, r), "noise"), size)
	release := func(t *testing.T, dir string) {
		t.Helper()
		wantState(t, c, r, "PAUSED", "before the release")
		u.run(t, "isolate", "release", "--case", dir, "--all", "--yes").want(t, 0)
		wantState(t, c, r, "RUNNING", "after the release")
		if held := u.holds(t); len(held) > 0 {
			t.Errorf("the index holds %q", held)
		}
	}
	t.Run("refused", func(t *testing.T) {
		dir := filepath.Join(disk(t, 80<<20), "case")
		u.run(t, "respond", "--case", dir, "--yes", ref(r)).want(t, 1).says(t, "--to -", "evidence import", "--ignore-space")
		release(t, dir)
	})
	t.Run("ignored", func(t *testing.T) {
		dir := filepath.Join(disk(t, 80<<20), "case")
		u.run(t, "respond", "--case", dir, "--yes", "--ignore-space", ref(r)).want(t, 3)
		release(t, dir)
		id := only(t, dir)
		u.run(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0)
		noSpace, metadata := 0, 0
		for _, m := range u.members(t, dir, id) {
			switch {
			case strings.Contains(m.Reason+strings.Join(m.Notes, " "), "no space left"):
				noSpace++
			case strings.HasPrefix(m.Path, "metadata/") && m.Type == "file":
				metadata++
			}
		}
		if noSpace == 0 || metadata < 5 {
			t.Errorf("%d members say that the disk was full, %d of metadata were kept", noSpace, metadata)
			t.Logf("%s", u.run(t, "evidence", "ls", "--case", dir, id).out)
		}
	})
	t.Run("streamed", func(t *testing.T) {
		near, far := filepath.Join(disk(t, 80<<20), "case"), filepath.Join(fastDir(t), "case")
		u.pipe(t, []string{"respond", "--case", near, "--yes", "--to", "-", ref(r)}, []string{"evidence", "import", "--case", far, "-"})
		release(t, near)
		u.run(t, "evidence", "verify", "--deep", "--case", far, "--signers", u.signers(t)).want(t, 0)
		for _, m := range u.members(t, far, only(t, far)) {
			if m.Path == "filesystem/upper/noise" && (m.SHA256 != sum || m.Size != size || len(m.Notes) > 0) {
				t.Errorf("the noise arrived as %+v, it is %s", m, sum)
			}
		}
	})
	t.Run("receiver dies", func(t *testing.T) { u.receiverDies(t, r, release) })
}

// pipe runs one amber into another.
func (u *user) pipe(t *testing.T, from, to []string) {
	t.Helper()
	ctx, cancel := limited()
	defer cancel()
	a, b := u.command(ctx, plainBin, from...), u.command(ctx, plainBin, to...)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	a.Stdout, b.Stdin = in, out
	ended := make(chan result, 1)
	go func() {
		r := finish(t, ctx, b)
		_ = out.Close()
		ended <- r
	}()
	first := finish(t, ctx, a)
	_ = in.Close()
	second := <-ended
	first.want(t, 0, 3)
	second.want(t, 0)
}

func (u *user) receiverDies(t *testing.T, r testbed.Running, release func(*testing.T, string)) {
	dir := filepath.Join(fastDir(t), "case")
	ctx, cancel := limited()
	defer cancel()
	cmd := u.command(ctx, plainBin, "respond", "--case", dir, "--yes", "--to", "-", ref(r))
	receiver := exec.CommandContext(ctx, "head", "-c", "40000000")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(u.home, "cut.tar")
	to, err := os.Create(cut)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	cmd.Stdout, receiver.Stdin, receiver.Stdout = in, out, to
	if err := receiver.Start(); err != nil {
		t.Fatal(err)
	}
	_ = out.Close() // the receiver alone has it now
	got := finish(t, ctx, cmd)
	_ = in.Close()
	if err := receiver.Wait(); err != nil {
		t.Fatal(err)
	}
	got.want(t, 1).says(t, "broken pipe")
	release(t, dir)
	far := filepath.Join(fastDir(t), "case")
	u.run(t, "evidence", "import", "--case", far, cut).want(t, 3)
	u.run(t, "evidence", "verify", "--case", far).want(t, 3).says(t, "incomplete")
}

// A disk that is full, or becomes so while journal and custody log are written,
// leaves nothing frozen that no journal knows.
func TestFullDiskForJournal(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "small", script)
	ready(t, r, "/ready")
	frozen := 0
	for _, shared := range []bool{false, true} {
		for pages := 0; pages <= 24; pages++ {
			if u.journalOnFullDisk(t, c, r, pages, shared) {
				frozen++
			}
		}
	}
	t.Logf("of 50 tries with 0 to 24 pages free, %d froze the target", frozen)
	if frozen == 0 || frozen == 50 {
		t.Errorf("the disk was never full at the right moment: %d of 50 froze", frozen)
	}
}

// journalOnFullDisk responds where so many pages are free; with shared, the
// index of holds is on that disk too. It reports whether the target was frozen.
func (u *user) journalOnFullDisk(t *testing.T, c *testbed.Containerd, r testbed.Running, pages int, shared bool) (froze bool) {
	const size = 1 << 20
	mount := disk(t, size)
	defer syscall.Unmount(mount, syscall.MNT_DETACH)
	if err := os.WriteFile(filepath.Join(mount, "ballast"), make([]byte, size-pages*os.Getpagesize()), 0o600); err != nil {
		t.Fatal(err)
	}
	v := u.with()
	if shared {
		v.env["AMBER_HOLDS"] = filepath.Join(mount, "holds")
	}
	dir, at := filepath.Join(mount, "case"), fmt.Sprintf("%d pages free, the index on the same disk: %v", pages, shared)
	got := v.run(t, "respond", "--case", dir, "--yes", "--ignore-space", ref(r))
	if got.code != 1 && got.code != 3 {
		t.Errorf("%s: respond exits %d\n%s%s", at, got.code, got.out, got.err)
	}
	state := kernel(t, r)
	if state == "RUNNING" {
		if held := v.holds(t); len(held) > 0 {
			t.Errorf("%s: not frozen, and the index holds %q", at, held)
		}
		return false
	}
	if held := v.holds(t); len(held) != 1 {
		t.Errorf("%s: frozen, and the index holds %q\n%s", at, held, got.err)
	}
	v.run(t, "isolate", "release", "--all", "--yes").want(t, 0)
	wantState(t, c, r, "RUNNING", at)
	if held := v.holds(t); len(held) > 0 {
		t.Errorf("%s: released, and the index holds %q", at, held)
	}
	remove(t, filepath.Join(mount, "ballast"))
	v.run(t, "respond", "--case", dir, "--yes", "--resume", "--ignore-space", ref(r)).want(t, 0, 3)
	v.run(t, "evidence", "verify", "--case", dir, newest(t, dir)).want(t, 0)
	return true
}
