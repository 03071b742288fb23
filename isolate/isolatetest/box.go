// Package isolatetest makes plain processes in cgroups of their own, which
// stand in for containers where no runtime is needed, and file systems that
// never answer.
package isolatetest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/container"
)

const (
	v1Root = "/sys/fs/cgroup/freezer"
	magic2 = 0x63677270 // CGROUP2_SUPER_MAGIC
)

// Box is a process in cgroups of its own.
type Box struct {
	ID    string
	PID   int
	Group string // "/amber-test-XXXX/ID"
	V1    string // directory in the freezer's hierarchy, empty without one
	V2    string

	cmd *exec.Cmd
}

// Option changes how a box is made.
type Option func(*options)

type options struct {
	v1, v2 bool
	hostNS bool
	env    []string
	out    io.Writer
}

// OnlyV1 leaves the box in the root of version 2.
func OnlyV1() Option { return func(o *options) { o.v2 = false } }

// OnlyV2 leaves the box in the root of the version 1 freezer.
func OnlyV2() Option { return func(o *options) { o.v1 = false } }

// HostPID lets it share the host's pid namespace.
func HostPID() Option { return func(o *options) { o.hostNS = true } }

// Env adds to its environment.
func Env(kv ...string) Option { return func(o *options) { o.env = append(o.env, kv...) } }

// Output takes what it prints.
func Output(w io.Writer) Option { return func(o *options) { o.out = w } }

// Start runs argv in a box, by default in cgroups of both versions and in a
// pid namespace of its own. It is gone when the test ends.
func Start(t testing.TB, argv []string, opts ...Option) *Box {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making cgroups needs root")
	}
	o := options{v1: true, v2: true, out: os.Stderr}
	for _, opt := range opts {
		opt(&o)
	}
	b := &Box{ID: "box-" + random(), cmd: exec.Command("/bin/sh", append([]string{"-c", `read go; exec "$@"`, "sh"}, argv...)...)}
	b.Group = "/amber-test-" + random() + "/" + b.ID
	b.makeGroups(t, o)
	b.run(t, o)
	return b
}

func (b *Box) makeGroups(t testing.TB, o options) {
	if o.v1 && exists(v1Root+"/cgroup.procs") {
		b.V1 = v1Root + b.Group
	}
	if root := V2Root(); o.v2 && root != "" {
		b.V2 = root + b.Group
	}
	if b.V1 == "" && b.V2 == "" {
		t.Skip("the cgroup hierarchy that the test wants is not mounted here")
	}
	for _, dir := range b.dirs() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { removeGroup(t, dir) })
	}
}

// run starts the process, which waits for a line on its standard input until
// it is in its cgroups.
func (b *Box) run(t testing.TB, o options) {
	b.cmd.Env = append(os.Environ(), o.env...)
	b.cmd.Stdout, b.cmd.Stderr = o.out, os.Stderr
	b.cmd.SysProcAttr = &syscall.SysProcAttr{}
	if !o.hostNS {
		b.cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	}
	stdin, err := b.cmd.StdinPipe()
	if err == nil {
		err = b.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	b.PID = b.cmd.Process.Pid
	t.Cleanup(func() { b.Stop(t) })
	for _, dir := range b.dirs() {
		b.Enter(t, b.PID, dir)
	}
	if _, err := stdin.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
}

// Enter puts a process into a cgroup.
func (b *Box) Enter(t testing.TB, pid int, dir string) {
	t.Helper()
	if err := os.WriteFile(dir+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0); err != nil {
		t.Fatal(err)
	}
}

func (b *Box) dirs() []string {
	var dirs []string
	for _, d := range []string{b.V1, b.V2} {
		if d != "" {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// Container is the box as an adapter would show it.
func (b *Box) Container() container.Container {
	return container.Container{Runtime: "box", ID: b.ID, Name: "box", PID: b.PID, State: container.Running}
}

// State reads what the kernel says, version 1 then version 2.
func (b *Box) State() string {
	var s []string
	if b.V1 != "" {
		s = append(s, strings.ToLower(read(b.V1+"/freezer.state")))
	}
	if b.V2 != "" {
		state := "thawed"
		if strings.Contains(read(b.V2+"/cgroup.events"), "frozen 1") {
			state = "frozen"
		}
		s = append(s, state)
	}
	return strings.Join(s, " ")
}

// Stop thaws the box and ends all that runs in it.
func (b *Box) Stop(t testing.TB) {
	Thaw(b.V1, b.V2)
	for _, dir := range b.dirs() {
		killAll(dir)
	}
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// Thaw lets a box's cgroups go, whoever froze them.
func Thaw(v1, v2 string) {
	if v1 != "" {
		_ = os.WriteFile(v1+"/freezer.state", []byte("THAWED"), 0)
	}
	if v2 != "" {
		_ = os.WriteFile(v2+"/cgroup.freeze", []byte("0"), 0)
	}
}

// Descendants are the processes in the box besides its first.
func (b *Box) Descendants() []int {
	var pids []int
	for _, f := range strings.Fields(read(b.dirs()[0] + "/cgroup.procs")) {
		if pid, _ := strconv.Atoi(f); pid > 0 && pid != b.PID {
			pids = append(pids, pid)
		}
	}
	return pids
}

func killAll(dir string) {
	for _, f := range strings.Fields(read(dir + "/cgroup.procs")) {
		if pid, _ := strconv.Atoi(f); pid > 1 && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// removeGroup waits until the kernel has let go of the last process.
func removeGroup(t testing.TB, dir string) {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		err := os.Remove(dir)
		if err == nil || os.IsNotExist(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("leaving a cgroup behind: %v", err)
			return
		}
		killAll(dir)
	}
	_ = os.Remove(filepath.Dir(dir))
}

// V2Root is where version 2 is mounted, empty where it is not.
func V2Root() string {
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st syscall.Statfs_t
		if syscall.Statfs(root, &st) == nil && int64(st.Type) == magic2 {
			return root
		}
	}
	return ""
}

// Until polls until ok, and fails the test after ten seconds.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited ten seconds for %s", what)
		}
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func read(path string) string {
	data, _ := os.ReadFile(path)
	return strings.TrimSpace(string(data))
}

func random() string {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(fmt.Sprintf("no random numbers: %v", err))
	}
	return hex.EncodeToString(b[:])
}
