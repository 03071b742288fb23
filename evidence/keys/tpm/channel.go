package tpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/sys/unix"
)

const (
	headerSize  = 10      // of a response: tag, size, code
	maxResponse = 4 << 10 // TPM_BUFSIZE of the kernel's driver
	tagTPM12    = 0xC4    // TPM_TAG_RSP_COMMAND: how a TPM 1.2 begins

	longestPause = 100 * time.Millisecond // before a command is given again
)

// channel is a TPM that was opened. It is what go-tpm calls a transport. That
// one's own waits for ever, and reads a device before its answer is there.
type channel struct {
	fd      int
	path    string
	timeout time.Duration
	late    bool // it has let a deadline pass
}

// open opens a device or a socket, and nothing else: a FIFO would wait, and a
// file would be written to. The error is ErrDevice.
func (d Device) open() (*channel, error) {
	info, err := os.Stat(d.Path)
	if err != nil {
		return nil, noDevice(d.Path, err)
	}
	c := &channel{path: d.Path, timeout: d.timeout()}
	switch mode := info.Mode(); {
	case mode&fs.ModeCharDevice != 0:
		// Without O_NONBLOCK the write lasts until the TPM has its answer.
		c.fd, err = unix.Open(d.Path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	case mode&fs.ModeSocket != 0:
		c.fd, err = connect(d.Path)
	default:
		return nil, fmt.Errorf("%w: %s is neither a device nor a socket (%s names the TPM)", ErrDevice, d.Path, Variable)
	}
	if err != nil {
		return nil, noDevice(d.Path, err)
	}
	return c, nil
}

func connect(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// Close gives the device back. Where the TPM is late the kernel waits for it
// before it lets go, and that wait is not ours.
func (c *channel) Close() error {
	if c.late {
		go unix.Close(c.fd)
		return nil
	}
	return unix.Close(c.fd)
}

// Send gives the TPM a command and returns its whole response. One that the TPM
// was not ready for it gives again, as the kernel's driver does too: the first
// use of a passphrase after the start, for one, is always put off.
func (c *channel) Send(command []byte) ([]byte, error) {
	deadline := time.Now().Add(c.timeout)
	for wait := time.Millisecond; ; wait = min(2*wait, longestPause) {
		response, err := c.exchange(command, deadline)
		if err != nil || !again(response) || time.Until(deadline) < wait {
			return response, err
		}
		time.Sleep(wait)
	}
}

func again(response []byte) bool {
	switch tpm2.TPMRC(binary.BigEndian.Uint32(response[6:])) {
	case tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting:
		return true
	}
	return false
}

func (c *channel) exchange(command []byte, deadline time.Time) ([]byte, error) {
	for sent := 0; sent < len(command); {
		n, err := c.when(unix.POLLOUT, deadline, func() (int, error) { return unix.Write(c.fd, command[sent:]) })
		if err != nil {
			return nil, err
		}
		sent += n
	}
	buf := make([]byte, maxResponse)
	for got, want := 0, headerSize; ; {
		n, err := c.when(unix.POLLIN, deadline, func() (int, error) { return unix.Read(c.fd, buf[got:]) })
		if err != nil {
			return nil, err
		}
		if got += n; n == 0 {
			return nil, fmt.Errorf("%w: %s ended its answer after %d bytes", ErrDevice, c.path, got)
		}
		if got >= headerSize {
			if want, err = c.size(buf); err != nil {
				return nil, err
			}
		}
		if got > want {
			return nil, fmt.Errorf("%w: %s answers more than it says", ErrDevice, c.path)
		}
		if got == want && got >= headerSize {
			return buf[:got], nil
		}
	}
}

// size is the length that a response's header gives it.
func (c *channel) size(header []byte) (int, error) {
	if binary.BigEndian.Uint16(header) == tagTPM12 {
		return 0, fmt.Errorf("%w: %s is a TPM 1.2; want a TPM 2.0", ErrDevice, c.path)
	}
	size := binary.BigEndian.Uint32(header[2:])
	if size < headerSize || size > maxResponse {
		return 0, fmt.Errorf("%w: %s does not answer as a TPM does", ErrDevice, c.path)
	}
	return int(size), nil
}

// when does what it is given when the device is ready for it, or fails at the
// deadline.
func (c *channel) when(ready int16, deadline time.Time, do func() (int, error)) (int, error) {
	for {
		left := time.Until(deadline).Milliseconds()
		if left <= 0 {
			c.late = true
			return 0, fmt.Errorf("%w: %s has not answered for %v", ErrDevice, c.path, c.timeout)
		}
		fds := []unix.PollFd{{Fd: int32(c.fd), Events: ready}}
		n, err := unix.Poll(fds, int(left))
		if n > 0 {
			n, err = do()
		} else if err == nil {
			continue
		}
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		case err != nil:
			return 0, noDevice(c.path, err)
		default:
			return n, nil
		}
	}
}
