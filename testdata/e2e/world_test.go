//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/pkg/namespaces"

	"amber/container/procfs"
	"amber/testdata/testbed"
)

const passphrase = "correct horse battery staple"

// hang is how long amber may take at anything in these tests.
const hang = 60 * time.Second

// user is one user of amber on the testbed: a home with a key, an index of
// holds, and nothing else of the machine's.
type user struct {
	c    *testbed.Containerd
	home string
	env  map[string]string
}

// newUser gives a user who has a key that amber made.
func newUser(t testing.TB, c *testbed.Containerd) *user {
	t.Helper()
	u := newUserWithoutKey(t, c)
	u.env["AMBER_KEY_PASSPHRASE"] = passphrase
	u.run(t, "keys", "new").want(t, 0)
	return u
}

// newHastyUser gives a user whose key ssh-keygen has made, with a derivation
// that takes no time: for tests that unlock it a thousand times.
func newHastyUser(t testing.TB, c *testbed.Containerd) *user {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Log("no ssh-keygen: the test takes longer")
		return newUser(t, c)
	}
	u := newUserWithoutKey(t, c)
	u.env["AMBER_KEY_PASSPHRASE"] = passphrase
	key := filepath.Join(u.home, ".config", "amber", "key")
	if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", passphrase, "-C", "hasty", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	return u
}

func newUserWithoutKey(t testing.TB, c *testbed.Containerd) *user {
	home := fastDir(t)
	return &user{c: c, home: home, env: map[string]string{
		"HOME": home, "AMBER_HOLDS": filepath.Join(home, "holds"), "CONTAINERD_ADDRESS": c.Address, "AMBER_CONTAINERD_STATE": c.State,
		"DOCKER_HOST": "unix://" + filepath.Join(home, "no-docker.sock"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "xterm", "LC_ALL": "C.UTF-8",
	}}
}

// with is the same user with other variables; an empty value takes one away.
func (u *user) with(kv ...string) *user {
	v := &user{c: u.c, home: u.home, env: map[string]string{}}
	for k, val := range u.env {
		v.env[k] = val
	}
	for i := 0; i < len(kv); i += 2 {
		if v.env[kv[i]] = kv[i+1]; kv[i+1] == "" {
			delete(v.env, kv[i])
		}
	}
	return v
}

func (u *user) environ() (env []string) {
	for k, v := range u.env {
		env = append(env, k+"="+v)
	}
	slices.Sort(env)
	return env
}

// command is amber, ready to be started.
func (u *user) command(ctx context.Context, bin string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env, cmd.Dir = u.environ(), u.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal to ask on
	cmd.WaitDelay = time.Second
	return cmd
}

// result is how a run of amber ended.
type result struct {
	args     []string
	code     int // -1 where a signal ended it
	signal   syscall.Signal
	out, err string
	maxRSS   int64 // bytes
	took     time.Duration
}

// run runs the shipped amber.
func (u *user) run(t testing.TB, args ...string) result {
	t.Helper()
	return u.runWith(t, nil, args...)
}

// runWith gives it standard input.
func (u *user) runWith(t testing.TB, stdin io.Reader, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	cmd := u.command(ctx, plainBin, args...)
	cmd.Stdin = stdin
	return finish(t, ctx, cmd)
}

// finish runs a command to its end and sums up.
func finish(t testing.TB, ctx context.Context, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &errs
	}
	begin := time.Now()
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("amber %q hangs: not ended after %s\nstdout: %.2000s\nstderr: %.2000s", cmd.Args[1:], time.Since(begin), out.String(), errs.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("running amber %q: %v", cmd.Args[1:], err)
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	r := result{args: cmd.Args[1:], code: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String(), took: time.Since(begin)}
	if ws.Signaled() {
		r.signal = ws.Signal()
	}
	r.maxRSS = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	for _, text := range []string{r.out, r.err} {
		if strings.Contains(text, "panic: ") || strings.Contains(text, "goroutine 1 [") || strings.Contains(text, "fatal error: ") {
			t.Errorf("amber %q panics:\n%.4000s", r.args, text)
		}
	}
	return r
}

// want fails the test unless amber ended with one of the codes.
func (r result) want(t testing.TB, codes ...int) result {
	t.Helper()
	if !slices.Contains(codes, r.code) {
		t.Fatalf("amber %q exits %d (signal %v), want %d\nstdout: %.3000s\nstderr: %.3000s", r.args, r.code, r.signal, codes, r.out, r.err)
	}
	return r
}

// says fails the test unless standard output or error hold each text.
func (r result) says(t testing.TB, texts ...string) result {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.out+r.err, text) {
			t.Errorf("amber %q does not say %q\nstdout: %.3000s\nstderr: %.3000s", r.args, text, r.out, r.err)
		}
	}
	return r
}

// json reads standard output into v.
func (r result) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.out), v); err != nil {
		t.Fatalf("amber %q: %v\n%.2000s", r.args, err, r.out)
	}
}

// ref is the target that means a container of the testbed.
func ref(r testbed.Running) string { return "containerd://" + r.Namespace + "/" + r.ID }

// kernel is what the kernel says of a container's cgroup: RUNNING, FROZEN or
// FREEZING, in whichever hierarchy it stands still.
func kernel(t testing.TB, r testbed.Running) string {
	t.Helper()
	state, found := "RUNNING", false
	if data, err := os.ReadFile("/sys/fs/cgroup/freezer" + r.CGroup + "/freezer.state"); err == nil {
		found = true
		if s := strings.TrimSpace(string(data)); s != "THAWED" {
			state = s
		}
	}
	if data, err := os.ReadFile(filepath.Join(testbed.CGroup2(), r.CGroup, "cgroup.events")); err == nil {
		found = true
		if strings.Contains(string(data), "frozen 1") {
			state = "FROZEN"
		}
	}
	if !found {
		t.Fatalf("no freezer cgroup %s", r.CGroup)
	}
	return state
}

// wantState fails the test unless kernel and runtime agree on the state.
func wantState(t testing.TB, c *testbed.Containerd, r testbed.Running, want, when string) {
	t.Helper()
	if got := kernel(t, r); got != map[string]string{"RUNNING": "RUNNING", "PAUSED": "FROZEN"}[want] {
		t.Fatalf("%s: the kernel says that %s is %s, want %s", when, r.ID, got, want)
	}
	ctx := namespaces.WithNamespace(context.Background(), r.Namespace)
	got := "no task"
	if ctr, err := c.Client().LoadContainer(ctx, r.ID); err == nil {
		if task, err := ctr.Task(ctx, nil); err == nil {
			if status, err := task.Status(ctx); err == nil {
				got = strings.ToUpper(string(status.Status)) // as ctr task ls prints it
			}
		}
	}
	if got != want {
		t.Fatalf("%s: containerd says that %s is %s, want %s", when, r.ID, got, want)
	}
}

// holds lists what the index of holds says is held.
func (u *user) holds(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(u.env["AMBER_HOLDS"])
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") {
			names = append(names, e.Name())
		}
	}
	return names
}

// bundles are the bundles of a case, oldest first.
func bundles(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "evidence"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids
}

// only is the one bundle of a case.
func only(t testing.TB, dir string) string {
	t.Helper()
	ids := bundles(t, dir)
	if len(ids) != 1 {
		t.Fatalf("the case %s holds %q, want one bundle", dir, ids)
	}
	return ids[0]
}

// until polls until ok, and fails the test after 30 seconds.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30 seconds for %s", what)
		}
	}
}

// inside is where a path of a running container is seen from the host.
func inside(r testbed.Running, path string) string {
	return filepath.Join("/proc", itoa(procfs.Living(r.PID)), "root", path)
}

// ready waits until a container's script has made a file.
func ready(t testing.TB, r testbed.Running, path string) {
	t.Helper()
	until(t, r.ID+" to make "+path, func() bool { _, err := os.Lstat(inside(r, path)); return err == nil })
}

func limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), hang)
}

// fastDir is a directory in memory, where there is such a file system: a death
// by SIGKILL loses nothing that was written, so syncs may be cheap.
func fastDir(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat("/dev/shm"); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "amber-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, dir) })
	return dir
}
