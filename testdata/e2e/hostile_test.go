//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"golang.org/x/sys/unix"

	"amber/evidence/record"
	"amber/testdata/testbed"
)

// runTarget starts a container in which targetBin does something.
func runTarget(t testing.TB, c *testbed.Containerd, id string, args []string, opts ...testbed.RunOption) testbed.Running {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	opts = append(opts, testbed.LogTo(log), testbed.Mount(targetBin, "/bin/target", "ro"), testbed.Args(append([]string{"/bin/target"}, args...)...))
	r := c.Run(t, id, "", opts...)
	until(t, id+" to be ready", func() bool {
		if why, _ := os.ReadFile(log); len(why) > 0 {
			t.Fatalf("the target in %s says: %s", id, why)
		}
		_, err := os.Lstat(inside(r, "/ready"))
		return err == nil
	})
	return r
}

// drift reads the drift list of a bundle.
func (u *user) drift(t testing.TB, dir, id string) map[string]record.Drift {
	t.Helper()
	all := map[string]record.Drift{}
	for line := range strings.Lines(u.run(t, "evidence", "cat", "--case", dir, id, "filesystem/drift.jsonl").want(t, 0).out) {
		d, err := record.ParseDrift([]byte(strings.TrimSuffix(line, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		all[d.Path] = *d
	}
	return all
}

// walk lists what is in the writable layer, without amber's help: path in the
// container → SHA-256 of small files.
func walk(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		sum := ""
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() && info.Size() < 1<<30 {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			h := sha256.Sum256(data)
			sum = hex.EncodeToString(h[:])
		}
		all["/"+strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")] = sum
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Names, types and contents that an intruder chose are kept as they are, are
// shown as text that can do nothing, and stay inside when they are extracted.
func TestHostileFiles(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := runTarget(t, c, "hostile", []string{"hostile", "/h"})
	dir := filepath.Join(u.home, "case")
	u.run(t, "respond", "--case", dir, "--yes", ref(r)).want(t, 0, 3)
	id := only(t, dir)
	u.run(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0)
	t.Run("drift", func(t *testing.T) { compareDrift(t, walk(t, upper(t, r)), u.drift(t, dir, id)) })
	t.Run("members", func(t *testing.T) {
		kept := map[string]member{}
		for _, m := range u.members(t, dir, id) {
			kept[m.Path] = m
		}
		for path, sum := range walk(t, upper(t, r)) {
			m, ok := kept["filesystem/upper"+strings.TrimSuffix(path, "/")]
			if !ok || m.Type == "file" && sum != "" && m.SHA256 != sum {
				t.Errorf("%q is not a member, or has another digest: %+v", path, m)
			}
		}
		if m := kept["filesystem/upper/h/sparse"]; m.Size != 50<<30 {
			t.Errorf("the sparse file is kept as %+v", m)
		}
	})
	t.Run("terminal", func(t *testing.T) { u.onTerminal(t, dir, id) })
	t.Run("extract", func(t *testing.T) { u.extractInside(t, dir, id) })
	u.run(t, "isolate", "release", "--case", dir, "--all", "--yes").want(t, 0)
}

func compareDrift(t *testing.T, there map[string]string, drift map[string]record.Drift) {
	inImage := map[string]bool{"/": true, "/bin": true, "/dev": true, "/etc": true, "/proc": true, "/root": true, "/run": true, "/sys": true, "/tmp": true, "/var": true}
	for path, sum := range there {
		d, ok := drift[path]
		switch {
		case !ok && !inImage[path]:
			t.Errorf("%q is in the writable layer and not in the drift list", path)
		case ok && d.Type == record.File && sum != "" && d.SHA256 != sum:
			t.Errorf("%q: the drift list has the SHA-256 %s, it is %s", path, d.SHA256, sum)
		}
	}
	for path := range drift {
		if _, ok := there[path]; !ok {
			t.Errorf("%q is in the drift list and not in the writable layer", path)
		}
	}
	if len(drift) < 20_100 {
		t.Errorf("the drift list has %d lines", len(drift))
	}
	t.Logf("%d paths walked, %d in the drift list", len(there), len(drift))
}

// onTerminal reads everything as a user at a terminal does.
func (u *user) onTerminal(t *testing.T, dir, id string) {
	const name = "filesystem/upper/h/esc\x1b[31mred"
	for _, args := range [][]string{
		{"evidence", "ls", "--case", dir},
		{"evidence", "ls", "--case", dir, id},
		{"evidence", "ls", "--case", dir, "--output", "json", id},
		{"evidence", "ls", "--case", dir, id, name},
		{"evidence", "diff", "--case", dir, id},
		{"evidence", "diff", "--case", dir, "--output", "json", id},
		{"evidence", "cat", "--case", dir, id, name},
		{"evidence", "cat", "--case", dir, id, "process/tree.txt"},
		{"evidence", "cat", "--case", dir, id, "process/processes.jsonl"},
		{"evidence", "cat", "--case", dir, id, "no/\x1b[31m\x9b\n"},
		{"evidence", "cat", "--case", dir, id, "filesystem/upper/h/fifo"},
		{"evidence", "ls", "--case", dir, "no\x1b[31m"},
		{"evidence", "extract", "--case", dir, "--to", filepath.Join(u.home, "few"), id, "filesystem/upper/h/dirs", name, "filesystem/upper/h/setuid", "filesystem/upper/h/link-out", "filesystem/upper/h/link-esc", "filesystem/upper/h/fifo"},
		{"evidence", "extract", "--case", dir, "--output", "json", "--to", filepath.Join(u.home, "more"), id, "filesystem/upper/h/dirs"},
		{"evidence", "verify", "--deep", "--case", dir},
		{"evidence", "custody", "--case", dir},
		{"evidence", "custody", "--case", dir, "--output", "json"},
		{"isolate", "list", "--case", dir},
		{"isolate", "verify", "--case", dir},
		{"case", "show", "--case", dir},
		{"ps"},
		{"isolate", "release", "--case", dir, "--plan", "--all"},
	} {
		out := u.terminal(t, args...)
		if what := unsafe(out); what != "" {
			t.Errorf("amber %q sends %s to the terminal", args, what)
		}
		if len(out) == 0 {
			t.Errorf("amber %q says nothing", args)
		}
	}
}

// terminal runs amber on a terminal of its own and gives the bytes that it got.
func (u *user) terminal(t testing.TB, args ...string) []byte {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals: %v", err)
	}
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile("/dev/pts/"+itoa(n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := limited()
	defer cancel()
	cmd := u.command(ctx, plainBin, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr.Setctty = true
	got := make(chan []byte, 1)
	go func() {
		all, _ := io.ReadAll(master) // ends with EIO when the last descriptor of the terminal is closed
		got <- all
	}()
	err = cmd.Run()
	_ = tty.Close()
	if ctx.Err() != nil {
		t.Fatalf("amber %q hangs on a terminal", args)
	}
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return <-got
}

// unsafe names the first thing in out that does something to a terminal.
func unsafe(out []byte) string {
	for i := 0; i < len(out); {
		r, n := utf8.DecodeRune(out[i:])
		around := out[max(0, i-40):min(len(out), i+40)]
		switch {
		case r == utf8.RuneError && n == 1:
			return "the byte " + hex.EncodeToString(out[i:i+1]) + " in " + quoted(around)
		case r < 0x20 && r != '\n' && r != '\r' && r != '\t', r >= 0x7f && r <= 0x9f:
			return "the control character " + quoted([]byte(string(r))) + " in " + quoted(around)
		case r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return "the format character " + quoted([]byte(string(r))) + " in " + quoted(around)
		}
		i += n
	}
	return ""
}

func quoted(b []byte) string { return strings.Trim(strings.ReplaceAll(hexQuote(b), "\n", ""), " ") }

func hexQuote(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		if c >= 0x20 && c < 0x7f {
			s.WriteByte(c)
		} else {
			s.WriteString(`\x` + hex.EncodeToString([]byte{c}))
		}
	}
	return `"` + s.String() + `"`
}

// extractInside takes everything out, and looks whether it stayed where it
// should.
func (u *user) extractInside(t *testing.T, dir, id string) {
	parent := t.TempDir() // on a disk: the sparse file must stay sparse there too
	out := filepath.Join(parent, "out")
	before := time.Now()
	u.run(t, "evidence", "extract", "--case", dir, "--to", out, id).want(t, 3).says(t, "link-out", "setuid", "fifo")
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside out there is %v (%v)", entries, err)
	}
	files := 0
	err = filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		files++
		checkExtracted(t, out, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20_100 {
		t.Errorf("%d files were extracted", files)
	}
	if data, err := os.ReadFile(filepath.Join(out, `filesystem/upper/h/new\nline`)); err != nil || !bytes.Contains(data, []byte("content of new\nline")) {
		t.Errorf("a file with a line end in its name gives %q, %v", data, err)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(out, "filesystem/upper/h/sparse"), &st); err != nil || st.Size != 50<<30 || st.Blocks*512 > 1<<20 {
		t.Errorf("the sparse file has %d bytes, %d on the disk (%v)", st.Size, st.Blocks*512, err)
	}
	for _, path := range []string{"/etc/passwd", "/etc/shadow"} {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(before) {
			t.Errorf("%s was changed", path)
		}
	}
}

func checkExtracted(t *testing.T, root, path string) {
	info, err := os.Lstat(path)
	if err != nil {
		t.Error(err)
		return
	}
	if what := unsafe([]byte(path)); what != "" {
		t.Errorf("%q was extracted under a name with %s", path, what)
	}
	switch mode := info.Mode(); {
	case mode&(os.ModeSetuid|os.ModeSetgid) != 0:
		t.Errorf("%q has the mode %v", path, mode)
	case mode&(os.ModeDevice|os.ModeNamedPipe|os.ModeSocket) != 0:
		t.Errorf("%q is a %v", path, mode)
	case mode&os.ModeSymlink != 0:
		target, _ := os.Readlink(path)
		if filepath.IsAbs(target) || !strings.HasPrefix(filepath.Join(filepath.Dir(path), target)+"/", root+"/") {
			t.Errorf("%q leads to %q", path, target)
		}
		if real, err := filepath.EvalSymlinks(path); err == nil && !strings.HasPrefix(real+"/", root+"/") {
			t.Errorf("%q leads to %q in the end", path, real)
		}
	}
}

// What changes while it is read is kept as it was then, with a note.
func TestRestless(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	for verb, args := range map[string][]string{"files": {"restless", "/r"}, "processes": {"forks"}} {
		t.Run(verb, func(t *testing.T) {
			r := runTarget(t, c, args[0], args)
			for i := range 5 {
				dir := filepath.Join(u.home, verb+itoa(i))
				u.run(t, "collect", "--case", dir, ref(r)).want(t, 0, 3)
				u.run(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0)
				noted := 0
				for _, m := range u.members(t, dir, only(t, dir)) {
					if m.Type == "miss" || len(m.Notes) > 0 {
						noted++
					}
				}
				if got := kernel(t, r); got != "RUNNING" {
					t.Fatalf("collect left it %s", got)
				}
				t.Logf("run %d: %d misses and notes", i, noted)
			}
			dir := filepath.Join(u.home, verb+"-respond")
			u.run(t, "respond", "--case", dir, "--yes", "--resume", ref(r)).want(t, 0, 3)
			u.run(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0)
			c.Remove(t, r.Namespace, r.ID)
		})
	}
}

// A container that dies while it is collected costs what was not read yet, and
// no more.
func TestDiesUnderTheHand(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	for i, payload := range []string{"network", "process", "filesystem"} {
		t.Run(payload, func(t *testing.T) {
			r := c.Run(t, "mortal-"+itoa(i), script)
			ready(t, r, "/ready")
			noise(t, filepath.Join(upper(t, r), "noise"), 200<<20)
			dir := filepath.Join(u.home, "case-"+itoa(i))
			kill := killer(t, c, r)
			ctx, cancel := limited()
			defer cancel()
			cmd := u.command(ctx, plainBin, "collect", "--full", "--case", dir, ref(r))
			ended := make(chan result, 1)
			go func() { ended <- finish(t, ctx, cmd) }()
			for begun := false; !begun && len(ended) == 0; {
				found, _ := filepath.Glob(filepath.Join(dir, "evidence/*/partial", payload+"-*"))
				begun = len(found) > 0
			}
			kill()
			got := (<-ended).want(t, 3)
			u.run(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0)
			if !strings.Contains(got.out, "sealed") {
				t.Errorf("killed at %s: %s", payload, got.out)
			}
			steps := got.out[strings.Index(got.out, "  network"):strings.Index(got.out, "  in  ")]
			t.Logf("killed as soon as %s had a file: exit %d in %s\n%s", payload, got.code, got.took.Round(time.Millisecond), steps)
		})
	}
}

// killer makes ready what ctr task kill does, so that it takes no time.
func killer(t *testing.T, c *testbed.Containerd, r testbed.Running) func() {
	ctx := namespaces.WithNamespace(context.Background(), r.Namespace)
	ctr, err := c.Client().LoadContainer(ctx, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	task, err := ctr.Task(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := task.Kill(ctx, syscall.SIGKILL, client.WithKillAll); err != nil {
			t.Errorf("killing %s: %v", r.ID, err)
		}
	}
}

// File systems that the frozen target serves never answer: they are missed, and
// nothing waits for them.
func TestFUSEOfTheTarget(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	volume := t.TempDir()
	r := runTarget(t, c, "fuse", []string{"fuse", "/mnt/fuse", "/vol/fuse", "/etc"}, testbed.Privileged(), testbed.Mount(volume, "/vol"))
	if out, err := exec.Command("grep", "-c", "amber-mute", "/proc/"+itoa(r.PID)+"/mounts").Output(); err != nil || strings.TrimSpace(string(out)) != "3" {
		t.Fatalf("the container has %q FUSE mounts: %v", out, err)
	}
	for _, flags := range [][]string{nil, {"--full"}, {"--volumes"}, {"--full", "--volumes"}} {
		t.Run("respond "+strings.Join(flags, " "), func(t *testing.T) {
			dir := filepath.Join(fastDir(t), "case")
			args := append([]string{"respond", "--case", dir, "--yes"}, flags...)
			got := u.run(t, append(args, ref(r))...).want(t, 3)
			t.Logf("exit %d in %s", got.code, got.took.Round(time.Millisecond))
			wantState(t, c, r, "PAUSED", "respond")
			u.run(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0)
			u.saysFUSE(t, dir)
			u.run(t, "isolate", "release", "--case", dir, "--all", "--yes").want(t, 0)
			wantState(t, c, r, "RUNNING", "release")
		})
	}
}

// saysFUSE checks that what could not be looked at is in the bundle as such.
func (u *user) saysFUSE(t *testing.T, dir string) {
	found := []string{}
	for _, m := range u.members(t, dir, only(t, dir)) {
		if text := m.Reason + strings.Join(m.Notes, " "); strings.Contains(text, "fuse") {
			found = append(found, m.Path+": "+text)
		}
	}
	if len(found) == 0 {
		t.Errorf("nothing in the bundle says that a FUSE file system was left out")
	}
	t.Logf("%q", found)
}
