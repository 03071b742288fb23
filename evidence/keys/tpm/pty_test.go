package tpm

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"amber/evidence/keys/tpm/tpmtest"
)

// pty is a character device, as a TPM's is, whose other end the test holds: a
// kernel without TPM drivers has none that is more like one.
type pty struct {
	path   string
	master *os.File
}

func newPTY(t *testing.T) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil { // bytes as they are: no echo, no lines, no signals
		err = unix.IoctlSetTermios(fd, unix.TCSETS, &unix.Termios{Cflag: unix.CS8 | unix.CREAD, Cc: [19]uint8{unix.VMIN: 1}})
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &pty{fmt.Sprintf("/dev/pts/%d", number), master}
	// While a reader holds the other end, the master's reads do not fail.
	held, err := os.OpenFile(p.path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		held.Close()
		master.Close()
	})
	return p
}

// wire keeps what went over it.
type wire struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.Write(p)
}

// A key in a TPM behind a character device signs, and its passphrase is never on
// the wire, not when it is made either.
func TestCharacterDevice(t *testing.T) {
	software := tpmtest.New(t)
	terminal := newPTY(t)
	conn, err := net.Dial("unix", software.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	seen := &wire{}
	go io.Copy(conn, io.TeeReader(terminal.master, seen)) // both end with their files
	go io.Copy(io.MultiWriter(seen, terminal.master), conn)

	d := Device{Path: terminal.path}
	k := newKey(t, d, passphrase)
	s, err := k.Open(d, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	opensslVerifies(t, k.Public(), "a message", signed(t, s, "a message"))
	nothingLeft(t, d)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if !bytes.Contains(seen.all.Bytes(), k.public) {
		t.Error("the public key was not on the wire: the test looks at the wrong place")
	}
	if bytes.Contains(seen.all.Bytes(), []byte(passphrase)) {
		t.Error("the passphrase was on the wire")
	}
}
