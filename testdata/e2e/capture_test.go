//go:build e2e

package e2e

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// restored has a checkpoint go on in the sandbox while a packet socket listens to
// all of its interfaces.
func (u *user) restored(t *testing.T, dir, id string, stood int, sinkhole bool) {
	t.Helper()
	work := filepath.Join(u.home, "work")
	args := []string{
		"sandbox", "--i-know-it-runs-hostile-code", "--restore", "--work", work, "--case", dir,
		"--content", filepath.Join(u.c.Root, "io.containerd.content.v1.content"),
	}
	if sinkhole {
		args = append(args, "--sinkhole")
	}
	seen := listen(t, work)
	// The count is read in the sandbox, from the file that the process writes.
	res := u.run(t, append(args, id, "--", "/bin/sh", "-c", "cat /count; sleep 3; cat /count")...)
	if res.code != 0 {
		logs, _ := filepath.Glob(filepath.Join(dir, "sandbox", "*", "restore.log"))
		log, _ := os.ReadFile(slices.Max(append(logs, "")))
		t.Fatalf("%s%s\n%s", res.out, res.err, log[max(0, len(log)-3000):])
	}
	seen.stop(t)
	lines := strings.Fields(res.out)
	if len(lines) < 2 {
		t.Fatalf("%s%s", res.out, res.err)
	}
	first, then := atoi(t, lines[0]), atoi(t, lines[1])
	if first < stood || first > stood+5000 || then <= first {
		t.Errorf("it stood at %d, then at %d and %d", stood, first, then)
	}
	links := []string{"lo"}
	if sinkhole {
		links = []string{"eth0", "lo"}
	}
	if !slices.Equal(seen.links, links) {
		t.Errorf("the sandbox has the links %q, want %q", seen.links, links)
	}
	seen.check(t, sinkhole)
	t.Logf("it stood at %d, went on from %d to %d; links %q; %d frames captured, %d of them for others than itself",
		stood, first, then, seen.links, len(seen.frames), seen.out)
}

func atoi(t testing.TB, text string) (n int) {
	t.Helper()
	for _, c := range text {
		if c < '0' || c > '9' {
			t.Fatalf("%q is no number", text)
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// frame is a captured packet: from and to where it is of IPv4.
type frame struct {
	link     int
	from, to netip.Addr
	kind     uint16 // of Ethernet
}

// captured is what a packet socket saw in the network namespace of what was
// restored.
type captured struct {
	links  []string
	frames []frame
	out    int // that were for others than the container itself
	quit   chan struct{}
	done   chan error
}

// listen waits for the intruder in the sandbox below a directory, and captures all
// that passes its interfaces.
func listen(t testing.TB, work string) *captured {
	c := &captured{quit: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is in another namespace
		c.done <- c.capture(work)
	}()
	return c
}

func (c *captured) capture(work string) error {
	pid := ""
	for pid == "" {
		select {
		case <-c.quit:
			return os.ErrNotExist
		default:
			pid = intruderBelow(work)
		}
	}
	ns, err := os.Open("/proc/" + pid + "/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0x0300) // ETH_P_ALL, in network order
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}); err != nil {
		return err
	}
	for buf := make([]byte, 65536); ; {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		if sll, ok := from.(*unix.SockaddrLinklayer); err == nil && ok {
			c.frames = append(c.frames, parse(sll, buf[:n]))
		}
		c.note()
		select {
		case <-c.quit:
			return nil
		default:
		}
	}
}

// note remembers every link that is there at some time.
func (c *captured) note() {
	text, _ := os.ReadFile("/proc/thread-self/net/dev")
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && !slices.Contains(c.links, name) {
			c.links = append(c.links, name)
		}
	}
	slices.Sort(c.links)
}

func parse(sll *unix.SockaddrLinklayer, b []byte) frame {
	f := frame{link: sll.Ifindex, kind: binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, sll.Protocol))}
	if f.kind == unix.ETH_P_IP && len(b) >= 20 {
		f.from, f.to = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	}
	return f
}

// intruderBelow is a process of the sandbox that was laid out below a directory.
func intruderBelow(work string) string {
	locks, _ := filepath.Glob(filepath.Join(work, "*.lock"))
	for _, lock := range locks {
		name := strings.TrimSuffix(filepath.Base(lock), ".lock")
		for _, pattern := range []string{"/sys/fs/cgroup/*/" + name, "/sys/fs/cgroup/" + name} {
			dirs, _ := filepath.Glob(pattern)
			for _, dir := range dirs {
				procs, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
				for _, pid := range strings.Fields(string(procs)) {
					if cmd, _ := os.ReadFile("/proc/" + pid + "/cmdline"); strings.Contains(string(cmd), "\x00intruder\x00") {
						return pid
					}
				}
			}
		}
	}
	return ""
}

func (c *captured) stop(t testing.TB) {
	t.Helper()
	close(c.quit)
	if err := <-c.done; err != nil {
		t.Fatalf("capturing: %v", err)
	}
}

// check has the frames be the container's own talk with itself, or with the
// sinkhole, and nothing besides.
func (c *captured) check(t testing.TB, sinkhole bool) {
	t.Helper()
	own := 0
	for _, f := range c.frames {
		switch {
		case f.from.IsLoopback() && f.to.IsLoopback() && f.link == 1:
			own++
		case sinkhole:
			c.out++
		default:
			t.Errorf("something else passed an interface: %+v", f)
		}
	}
	if own == 0 {
		t.Error("the capture has not seen the connection that is within the container")
	}
	if sinkhole && c.out == 0 {
		t.Error("the capture has seen nothing go to the sinkhole")
	}
}
