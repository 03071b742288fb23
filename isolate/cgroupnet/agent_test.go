package cgroupnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"amber/isolate/isolatetest"
	"amber/isolate/reach"
)

// agentSocket is where the test binary, run in a box, makes sockets for the
// test: they are a container process's own, whoever uses them.
const agentSocket = "AMBER_CGROUPNET_AGENT"

func TestMain(m *testing.M) {
	if path := os.Getenv(agentSocket); path != "" {
		if err := agent(path); err != nil {
			fmt.Fprintln(os.Stderr, "agent:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// agent answers each request, a list of reach.Socket, with descriptors. It
// keeps its own copies open.
func agent(path string) error {
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return err
	}
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return err
		}
		if err := serve(c); err != nil {
			return err
		}
	}
}

func serve(c *net.UnixConn) error {
	defer c.Close()
	buf := make([]byte, 1<<16)
	n, err := c.Read(buf)
	if n == 0 {
		return nil // somebody looked whether it is there
	}
	if err != nil {
		return err
	}
	var want []reach.Socket
	if err := json.Unmarshal(buf[:n], &want); err != nil {
		return err
	}
	var fds []int
	for _, s := range want {
		fd, err := unix.Socket(s.Domain, s.Type|unix.SOCK_CLOEXEC, s.Proto)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	_, _, err = c.WriteMsgUnix([]byte("ok"), unix.UnixRights(fds...), nil)
	return err
}

// box is a container that shares the host's network, with an agent in it.
type box struct {
	*isolatetest.Box
	path string
}

func newBox(t testing.TB, opts ...isolatetest.Option) box {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent")
	b := isolatetest.Start(t, []string{os.Args[0]}, append(opts, isolatetest.Env(agentSocket+"="+path))...)
	isolatetest.Until(t, "the agent", func() bool {
		c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return box{b, path}
}

// sockets is a reach.Place: the container's process makes them.
func (b box) sockets(want []reach.Socket) []reach.Made {
	made := make([]reach.Made, len(want))
	fds, err := b.ask(want)
	for i := range made {
		if made[i].Err = err; err == nil {
			made[i].FD = fds[i]
		}
	}
	return made
}

func (b box) ask(want []reach.Socket) ([]int, error) {
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: b.path, Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	data, err := json.Marshal(want)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(data); err != nil {
		return nil, err
	}
	oob := make([]byte, 4096)
	_, n, _, _, err := c.ReadMsgUnix(make([]byte, 16), oob)
	if err != nil {
		return nil, err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(msgs) != 1 {
		return nil, errors.Join(errors.New("the agent sent no descriptors"), err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err == nil && len(fds) != len(want) {
		err = errors.New("the agent sent too few")
	}
	return fds, err
}

// socket is one made by the container's process.
func (b box) socket(t testing.TB, domain, kind int) int {
	t.Helper()
	return b.made(t, reach.Socket{Domain: domain, Type: kind})
}

func (b box) made(t testing.TB, s reach.Socket) int {
	t.Helper()
	m := b.sockets([]reach.Socket{s})[0]
	if m.Err != nil {
		t.Fatal(m.Err)
	}
	t.Cleanup(func() { _ = unix.Close(m.FD) })
	return m.FD
}
