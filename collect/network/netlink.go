package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sys/unix"
)

var native = binary.NativeEndian

// errInterrupted says that a list changed while the kernel gave it out, so
// that it may lack something or have it twice.
var errInterrupted = errors.New("the list changed while it was read")

// conn is a netlink socket that gives out lists, one message at a time, so
// that no list is ever whole in memory.
type conn struct {
	fd    int
	seq   uint32
	proto int
}

// dial opens a socket in the network namespace of the calling thread.
func dial(proto int, timeout time.Duration) (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket (%d): %w", proto, err)
	}
	tv := unix.NsecToTimeval(timeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("setting a time-out: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("binding a netlink socket: %w", err)
	}
	return &conn{fd: fd, proto: proto}, nil
}

func (c *conn) close() { unix.Close(c.fd) }

// dump asks for a list and calls each with every message: its type, and what
// is behind its header. A list that changed meanwhile comes whole, with
// errInterrupted.
func (c *conn) dump(kind uint16, body []byte, each func(kind uint16, body []byte) error) error {
	c.seq++
	req := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	native.PutUint32(req[0:], uint32(cap(req)))
	native.PutUint16(req[4:], kind)
	native.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	native.PutUint32(req[8:], c.seq)
	if err := unix.Sendto(c.fd, append(req, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("asking the kernel: %w", err)
	}
	interrupted := false
	buf := make([]byte, 256<<10)
	for {
		n, from, err := c.receive(buf)
		if err != nil {
			return err
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue // not from the kernel
		}
		done, torn, err := messages(buf[:n], c.seq, each)
		interrupted = interrupted || torn
		if err != nil {
			return err
		}
		if done && interrupted {
			return errInterrupted
		}
		if done {
			return nil
		}
	}
}

func (c *conn) receive(buf []byte) (int, unix.Sockaddr, error) {
	for {
		n, _, flags, from, err := unix.Recvmsg(c.fd, buf, nil, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return 0, nil, errors.New("the kernel did not answer in time")
		case err != nil:
			return 0, nil, fmt.Errorf("listening to the kernel: %w", err)
		case flags&unix.MSG_TRUNC != 0:
			return 0, nil, fmt.Errorf("a message of the kernel is longer than %d bytes", len(buf))
		}
		return n, from, nil
	}
}

// messages takes one datagram apart. Messages of older requests are passed
// over.
func messages(b []byte, seq uint32, each func(uint16, []byte) error) (done, torn bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(native.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return false, torn, fmt.Errorf("a netlink message of %d bytes in %d", size, len(b))
		}
		kind, flags := native.Uint16(b[4:]), native.Uint16(b[6:])
		body, ours := b[unix.SizeofNlMsghdr:size], native.Uint32(b[8:]) == seq
		b = b[min(align(size), len(b)):]
		if !ours {
			continue
		}
		torn = torn || flags&unix.NLM_F_DUMP_INTR != 0
		switch kind {
		case unix.NLMSG_DONE:
			return true, torn, errorCode(body)
		case unix.NLMSG_ERROR:
			return true, torn, errorCode(body)
		case unix.NLMSG_NOOP:
			continue
		}
		if err := each(kind, body); err != nil {
			return false, torn, err
		}
	}
	return false, torn, nil
}

// errorCode reads the negative errno that ends a list; 0 is none.
func errorCode(body []byte) error {
	if len(body) < 4 {
		return nil
	}
	if n := int32(native.Uint32(body)); n < 0 {
		return unix.Errno(-n)
	}
	return nil
}

func align(n int) int { return (n + 3) &^ 3 }

// attrs goes over netlink attributes (struct nlattr) and stops at one that is
// cut off.
func attrs(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofNlAttr {
			size := int(native.Uint16(b))
			if size < unix.SizeofNlAttr || size > len(b) {
				return
			}
			const flags = unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER
			if !yield(native.Uint16(b[2:])&^flags, b[unix.SizeofNlAttr:size]) {
				return
			}
			b = b[min(align(size), len(b)):]
		}
	}
}

// attr appends one attribute to a request.
func attr(b []byte, kind uint16, value []byte) []byte {
	b = native.AppendUint16(b, uint16(unix.SizeofNlAttr+len(value)))
	b = native.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, align(len(b))-len(b))...)
}

// number reads an unsigned number of 1, 2, 4 or 8 bytes; anything else is 0.
func number(b []byte, order binary.ByteOrder) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(order.Uint16(b))
	case 4:
		return uint64(order.Uint32(b))
	case 8:
		return order.Uint64(b)
	}
	return 0
}
