package tpm

import (
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/evidence/keys/tpm/tpmtest"
)

// soon is a deadline that has to pass, in tests of what never answers.
const soon = 20 * time.Millisecond

// refused checks that making a key at path fails as it should, and says so.
func refused(t *testing.T, d Device, want string) {
	t.Helper()
	_, err := d.New(nil)
	if !errors.Is(err, ErrDevice) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v; want %q", d.Path, err, want)
	}
}

func TestNoDevice(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) Device { return Device{Path: filepath.Join(dir, name)} }
	if err := os.WriteFile(in("file").Path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(in("fifo").Path, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, in("absent"), "turn TPM 2.0 on")
	refused(t, in("file"), "neither a device nor a socket")
	refused(t, in("fifo"), "neither a device nor a socket")
	refused(t, Device{Path: dir}, "neither a device nor a socket")
	refused(t, Device{Path: "/dev/null"}, "ended its answer")
	refused(t, Device{Path: "/dev/zero"}, "does not answer as a TPM does")
}

func TestNobodyListens(t *testing.T) {
	l, d := listen(t)
	l.SetUnlinkOnClose(false)
	l.Close()
	refused(t, d, "no TPM listens")
}

func TestNotAllowed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot be somebody else for a moment")
	}
	_, d := listen(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	defer unix.SetfsuidRetUid(0)
	refused(t, d, "join the group that owns it")
}

// listen makes a socket of which nobody takes a connection yet.
func listen(t *testing.T) (*net.UnixListener, Device) {
	t.Helper()
	dir, err := os.MkdirTemp("", "tpm")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		os.RemoveAll(dir)
	})
	return l, Device{Path: path, Timeout: soon}
}

func TestNeverAnswers(t *testing.T) {
	_, d := listen(t)
	refused(t, d, "has not answered for 20ms")
	terminal := newPTY(t)
	refused(t, Device{Path: terminal.path, Timeout: soon}, "has not answered for 20ms")
}

// Sockets queue so many, and no more.
func TestBusy(t *testing.T) {
	_, d := listen(t)
	for {
		fd, err := connect(d.Path)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
	}
	refused(t, d, "another program holds")
}

// What answers need not be a TPM.
func TestWrongAnswers(t *testing.T) {
	for answer, want := range map[string]string{
		"":                         "ended its answer after 0 bytes",
		"8001000000":               "ended its answer after 5 bytes",
		"80010000000c00000000ff":   "ended its answer after 11 bytes",
		"80010000000900000000":     "does not answer as a TPM does",
		"8001ffffffff00000000":     "does not answer as a TPM does",
		"80010000100100000000":     "does not answer as a TPM does",
		"80010000000a000000000000": "answers more than it says",
		"00c40000000a0000001e":     "is a TPM 1.2",
	} {
		l, d := listen(t)
		d.Timeout = 0
		go func() {
			c, err := l.Accept()
			if err != nil {
				return // the listener was closed: the test is over
			}
			defer c.Close()
			data, _ := hex.DecodeString(answer)
			c.Read(make([]byte, maxResponse))
			c.Write(data)
		}()
		refused(t, d, want)
	}
}

func TestOldTPM(t *testing.T) { refused(t, deviceOf(tpmtest.Old(t)), "is a TPM 1.2; want a TPM 2.0") }

func TestNotStarted(t *testing.T) { refused(t, deviceOf(tpmtest.NotStarted(t)), "it was not started") }
