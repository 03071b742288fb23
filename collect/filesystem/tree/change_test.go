package tree

import (
	"bytes"
	"os"
	"os/exec"
	"path"
	"syscall"
	"testing"

	"amber/collect/collecttest"
)

// changing is a file's body that something is done to after its first bytes.
type changing struct {
	*file
	do func()
}

func (c *changing) Read(p []byte) (int, error) {
	if c.do != nil {
		n, err := c.file.Read(p[:1])
		c.do()
		c.do = nil
		return n, err
	}
	return c.file.Read(p)
}

// newChanging walks dir and changes files while they are read.
func newChanging(t *testing.T, dir string, do map[string]func()) *collecttest.Recorder {
	rec := collecttest.New(t)
	got := walk(t, dir, Walk{Visit: func(e *Entry) error {
		if f, ok := e.Body.(*file); ok {
			return rec.Add(e.Member, &changing{f, do[path.Base(e.Rel)]})
		}
		return rec.Add(e.Member, e.Body)
	}})
	rec.Misses = got.Misses
	return rec
}

// TestUnreadableAsNobody runs the test of unreadable files as another user.
func TestUnreadableAsNobody(t *testing.T) {
	needRoot(t)
	exe, err := os.Executable()
	must(t, err)
	dir, err := os.MkdirTemp("/tmp", "amber-nobody-")
	must(t, err)
	defer os.RemoveAll(dir)
	must(t, os.Chown(dir, 65534, 65534))
	bin := dir + "/test"
	data, err := os.ReadFile(exe)
	must(t, err)
	must(t, os.WriteFile(bin, data, 0o755))
	cmd := exec.Command(bin, "-test.run", "TestUnreadableIsAMiss", "-test.v")
	cmd.Dir, cmd.Env = dir, []string{"TMPDIR=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestUnreadableIsAMiss")) {
		t.Errorf("%v\n%s", err, out)
	}
}
