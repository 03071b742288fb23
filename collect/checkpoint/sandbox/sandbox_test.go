package sandbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/evidence"
)

// The recorded file system is there as it was recorded, without what could raise
// a privilege.
func TestLaidOut(t *testing.T) {
	w := newWorld(t, did)
	out, r := w.sh(t, w.options("", "/bin/sh", "-c", `
cat /tmp/x/loot /ready; readlink /tmp/x/link; ls -l /tmp/x; ls /etc; ls /bin/busybox
id -u; hostname; touch /bin/mine /tmp/x/new; rm /ready; sleep 1; exit 7`)) // what lives shorter than a look at it need not be seen
	for _, want := range []string{"loot\n", "ready\n", "/etc/passwd\n", "-rwxr-xr-x    1 root     0                5", "prw-r--r--", "passwd\n", "/bin/busybox\n", "\n0\nsandbox\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "\ngroup\n") {
		t.Error("what was deleted is there")
	}
	if r.Exit != 7 || r.Laid.Layers != 1 || r.Laid.Left != 0 || len(r.Missing) != 0 || r.Cut != "" {
		t.Errorf("%+v", r)
	}
	for _, want := range []Change{{Path: "/bin/mine", What: "file", SHA256: emptySum}, {Path: "/ready", What: "deleted"}, {Path: "/tmp/x/new", What: "file", SHA256: emptySum}} {
		if !slices.Contains(r.Changes, want) {
			t.Errorf("no %+v in %+v", want, r.Changes)
		}
	}
	if !slices.ContainsFunc(r.Processes, func(p Process) bool { return p.PID == 1 && len(p.Args) == 3 && p.Executable == "/bin/busybox" }) {
		t.Errorf("processes %+v", r.Processes)
	}
	w.untouched(t)
	w.gone(t, r.Name)
}

const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// untouched checks every byte of the bundle.
func (w *world) untouched(t testing.TB) {
	t.Helper()
	r, err := evidence.Verify(t.Context(), w.dir, evidence.VerifyOptions{})
	if err != nil || !r.Intact() {
		t.Errorf("the evidence: %v %+v", err, r)
	}
}

// gone checks that nothing is left of a sandbox.
func (w *world) gone(t testing.TB, name string) {
	t.Helper()
	left, err := os.ReadDir(w.work)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the working directory: %v %v", left, err)
	}
	if dirs := groups(name); len(dirs) > 0 {
		t.Errorf("left of cgroups: %v", dirs)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	if strings.Contains(string(mounts), name) || strings.Contains(string(mounts), "/run/sandbox") {
		t.Errorf("left of mounts:\n%s", mounts)
	}
}

// What runs has no capability, no privilege to gain, no network, no namespace of
// the host's, nothing of its file systems, and not its users.
func TestConfined(t *testing.T) {
	w := newWorld(t, did)
	out, r := w.sh(t, w.options("", "/bin/sh", "-c", `
grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; cat /proc/self/uid_map
for n in cgroup ipc mnt net pid user uts; do echo ns $n $(readlink /proc/self/ns/$n); done
echo links: $(ls /proc/sys/net/ipv4/conf); echo routes: $(grep -c . /proc/net/route)
echo mounts; cat /proc/self/mountinfo; echo end
mknod /tmp/null c 1 3 2>&1; mount -t tmpfs none /tmp 2>&1; unshare -n true 2>&1
ping -c 1 -W 1 192.0.2.1 2>&1; nc -w 1 192.0.2.1 80 2>&1 </dev/null; echo >/proc/sys/kernel/hostname; ls /sys; dmesg | head -1`))
	for _, want := range []string{"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "links: all default lo\n", "routes: 1\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	for _, n := range []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"} {
		own, err := os.Readlink("/proc/self/ns/" + n)
		must(t, err)
		if !strings.Contains(out, "ns "+n+" "+n+":[") || strings.Contains(out, own+"\n") {
			if n != "user" || r.UserNamespace {
				t.Errorf("the host's %s namespace %s is shared:\n%s", n, own, out)
			}
		}
	}
	for _, no := range []string{"mknod: /tmp/null", "mount: ", "unshare: ", "unreachable"} {
		if !strings.Contains(out, no) {
			t.Errorf("%q is not refused:\n%s", no, out)
		}
	}
	_, mounts, _ := strings.Cut(out, "mounts\n")
	mounts, _, _ = strings.Cut(mounts, "end\n")
	for _, line := range strings.Split(strings.TrimSpace(mounts), "\n") {
		f := strings.Fields(line)
		if len(f) < 6 || !mayBe(f, line) {
			t.Errorf("mounted: %s", line)
		}
	}
}

// mayBe says whether a mount is of the sandbox's own: of the host's there are but
// the device nodes that every container has.
func mayBe(f []string, line string) bool {
	_, kind, _ := strings.Cut(line, " - ")
	switch at := f[4]; {
	case at == "/":
		return strings.HasPrefix(kind, "overlay ") && strings.Contains(f[5], "nosuid") && strings.Contains(f[5], "nodev")
	case strings.HasPrefix(kind, "devtmpfs "):
		return slices.Contains([]string{"/null", "/zero", "/full", "/random", "/urandom", "/tty"}, f[3])
	default:
		return slices.Contains([]string{"proc", "tmpfs", "devpts", "mqueue"}, strings.Fields(kind)[0])
	}
}

// The limits hold.
func TestLimits(t *testing.T) {
	w := newWorld(t, did)
	out, r := w.sh(t, w.options("", "/bin/sh", "-c", `
i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done; wait`))
	if !strings.Contains(out, "can't fork") {
		t.Errorf("60 processes where 32 may be: %s", out)
	}
	w.gone(t, r.Name)
	out, _ = w.sh(t, w.options("", "/bin/sh", "-c", `dd if=/dev/zero of=/tmp/big bs=1M count=40 2>&1; ls -l /tmp/big`))
	if !strings.Contains(out, "No space left") {
		t.Errorf("40 MiB on a scratch of 16: %s", out)
	}
	out, r = w.sh(t, w.options("", "/bin/sh", "-c", `awk 'BEGIN { s = "0123456789abcdef"; while (length(s) < 200000000) s = s s; print "had it" }'; echo $?`))
	if strings.Contains(out, "had it") {
		t.Errorf("200 MB where 64 MiB may be: %s %+v", out, r)
	}
	o := w.options("", "/bin/sh", "-c", "echo begun; sleep 1000")
	o.Limit = 2 * time.Second
	out, r = w.sh(t, o)
	if r.Cut == "" || !strings.Contains(out, "begun") {
		t.Errorf("%s %+v", out, r)
	}
	w.gone(t, r.Name)
}

// A changed byte of a blob, of the bundle or of the image, and nothing is run.
func TestVerified(t *testing.T) {
	w := newWorld(t, did)
	damage := func(path string) func() {
		data, err := os.ReadFile(path)
		must(t, err)
		changed := bytes.Clone(data)
		changed[len(changed)/2] ^= 1
		must(t, os.WriteFile(path, changed, 0o600))
		return func() { must(t, os.WriteFile(path, data, 0o600)) }
	}
	refused := func(path string) {
		t.Helper()
		defer damage(path)()
		b, err := evidence.Open(w.dir)
		if err == nil {
			defer b.Close()
			var out bytes.Buffer
			o := w.options(t.TempDir(), "/bin/sh", "-c", "echo ran")
			o.Out, o.Err = &out, &out
			var r *Report
			r, err = Run(t.Context(), b, o)
			w.gone(t, r.Name)
			if out.Len() > 0 {
				t.Errorf("it ran: %s", out.String())
			}
		}
		t.Log(err)
		if err == nil {
			t.Errorf("%s is damaged and it runs", path)
		}
	}
	refused(biggest(t, w.content))
	refused(biggest(t, w.dir))
}

func biggest(t testing.TB, dir string) (path string) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	must(t, err)
	size := int64(0)
	for _, b := range blobs {
		if info, err := os.Stat(b); err == nil && info.Size() > size {
			path, size = b, info.Size()
		}
	}
	return path
}

// What is missing is said; another directory can stand in for the image.
func TestMissing(t *testing.T) {
	w := newWorld(t, did)
	o := w.options(t.TempDir(), "/bin/sh", "-c", "cat /tmp/x/loot")
	o.Content = nil
	var out bytes.Buffer
	o.Out, o.Err = &out, &out
	r, err := Run(t.Context(), w.b, o)
	if err == nil || len(r.Missing) == 0 || !strings.Contains(r.Missing[0], "--rootfs") {
		t.Errorf("%v %+v", err, r)
	}
	w.gone(t, r.Name)
	o.Rootfs = t.TempDir()
	must(t, os.Mkdir(filepath.Join(o.Rootfs, "bin"), 0o755))
	data, err := os.ReadFile(filepath.Join(w.tb.Bin, "busybox"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(o.Rootfs, "bin", "busybox"), data, 0o755))
	must(t, os.Symlink("busybox", filepath.Join(o.Rootfs, "bin", "sh")))
	o.Command = []string{"/bin/sh", "-c", "/bin/busybox cat /tmp/x/loot"}
	if said, _ := w.sh(t, o); said != "loot\n" {
		t.Errorf("%q", said)
	}
}

func TestInterrupted(t *testing.T) {
	w := newWorld(t, did)
	ctx, cancel := context.WithCancelCause(t.Context())
	o := w.options(t.TempDir(), "/bin/sh", "-c", "echo begun; sleep 1000")
	o.Err = os.Stderr
	o.Out = writer(func(p []byte) (int, error) {
		cancel(errors.New("interrupted"))
		return len(p), nil
	})
	r, err := Run(ctx, w.b, o)
	must(t, err)
	if r.Cut != "interrupted" {
		t.Errorf("%+v", r)
	}
	w.gone(t, r.Name)
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
