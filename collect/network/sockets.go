package network

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"amber/collect/jsonl"
	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// kind is one kind of socket and where it is found: asked of sock_diag, or
// else read from a file of /proc/net.
type kind struct {
	name     string
	protocol string // as /proc/net/protocols has it; the kernel is not asked for what it has not loaded
	request  []byte
	decode   func([]byte) (record.NetSocket, error)
	file     string
	parse    func(line string) (record.NetSocket, error)
}

func kinds() []kind {
	all := []kind{}
	inet := func(name, protocol string, number uint32, file string) {
		for _, v := range []struct {
			family uint8
			suffix string
			marked string
		}{{familyInet, "", ""}, {familyInet6, "6", "v6"}} {
			k := kind{
				name: name + v.suffix, protocol: protocol + v.marked,
				request: inetRequest(v.family, number),
				decode:  func(b []byte) (record.NetSocket, error) { return decodeInet(b, name) },
			}
			if file != "" {
				k.file = file + v.suffix
				k.parse = func(line string) (record.NetSocket, error) { return parseInet(line, name) }
			}
			all = append(all, k)
		}
	}
	inet("tcp", "TCP", 6, "tcp")
	inet("udp", "UDP", 17, "udp")
	inet("raw", "RAW", 255, "raw")
	inet("udplite", "UDPLITE", 136, "udplite")
	inet("icmp", "PING", 0, "icmp") // ping sockets: sock_diag does not know them
	inet("sctp", "SCTP", 132, "")
	inet("dccp", "DCCP", 33, "")
	inet("mptcp", "MPTCP", 262, "")
	return append(all,
		kind{name: "unix", protocol: "UNIX", request: unixRequest(), decode: decodeUnix, file: "unix", parse: parseUnix},
		kind{name: "packet", protocol: "PACKET", request: packetRequest(), decode: decodePacket, file: "packet", parse: parsePacket},
		kind{name: "netlink", protocol: "NETLINK", request: netlinkRequest(), decode: decodeNetlink, file: "netlink", parse: parseNetlink},
		kind{name: "vsock", protocol: "AF_VSOCK", request: vsockRequest(), decode: decodeVsock})
}

// sockets lists all sockets of the namespace.
func (r *run) sockets(ctx context.Context, n *space) error {
	out := jsonl.New(r.sink, n.dir+"/sockets.jsonl", "sock_diag")
	loaded := n.protocols(ctx)
	for _, k := range kinds() {
		if k.protocol != "" && loaded != nil && !loaded[k.protocol] {
			continue // no socket can be of a protocol that is not there
		}
		if err := r.socketsOf(ctx, n, k, out); err != nil {
			return err
		}
	}
	return out.Close()
}

// protocols are those that the kernel has; nil where it does not say.
func (n *space) protocols(ctx context.Context) map[string]bool {
	b, err := n.h.Read(ctx, "net/protocols", maxFile)
	if err != nil {
		return nil
	}
	loaded := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 0 {
			loaded[strings.Replace(f[0], "UDP-Lite", "UDPLITE", 1)] = true
		}
	}
	return loaded
}

// socketsOf lists one kind, through sock_diag or else through /proc/net.
func (r *run) socketsOf(ctx context.Context, n *space, k kind, out *jsonl.Writer) error {
	missed := n.dir + "/sockets/" + k.name
	written, bad, err := r.ask(n, k, out)
	if errors.Is(err, errSink) {
		return err
	}
	if bad > 0 {
		if err := r.miss(ctx, missed+"/malformed", fmt.Errorf("%d sockets that the kernel gave are not understood", bad)); err != nil {
			return err
		}
	}
	if err == nil {
		return nil
	}
	if written == 0 && k.file == "" && errors.Is(err, unix.ENOENT) {
		return nil // the kernel has no list of these; those that are open come as unlisted
	}
	if written > 0 || k.file == "" {
		return r.miss(ctx, missed, fmt.Errorf("after %d sockets: %w", written, err))
	}
	if fallback := r.readSockets(ctx, n, k, out); fallback != nil {
		if errors.Is(fallback, errSink) {
			return fallback
		}
		return r.miss(ctx, missed, fmt.Errorf("sock_diag: %w; /proc/net/%s: %w", err, k.file, fallback))
	}
	return nil
}

// errSink marks an error that is the sink's own, and ends the collection.
var errSink = errors.New("keeping a record")

// ask lists one kind through sock_diag, and says how many it wrote and could
// not read.
func (r *run) ask(n *space, k kind, out *jsonl.Writer) (written, bad int, err error) {
	if n.diag == nil || k.name == "icmp" || k.name == "icmp6" {
		return 0, 0, errors.New("cannot be asked for these")
	}
	err = n.diag.dump(sockDiagByFamily, k.request, func(_ uint16, b []byte) error {
		s, err := k.decode(b)
		if err != nil {
			bad++
			return nil
		}
		written++
		return r.write(&s, "sock_diag", out)
	})
	return written, bad, err
}

func (r *run) write(s *record.NetSocket, via string, out *jsonl.Writer) error {
	s.Via = via
	if s.Inode != 0 {
		s.Owners = r.owners.of(s.Inode)
	}
	if err := out.Write(s); err != nil {
		return fmt.Errorf("%w: %w", errSink, err)
	}
	return nil
}

// readSockets lists one kind from a file of /proc/net.
func (r *run) readSockets(ctx context.Context, n *space, k kind, out *jsonl.Writer) error {
	b, err := n.h.Read(ctx, "net/"+k.file, maxFile)
	if err != nil {
		return err
	}
	bad, first := 0, true
	for line := range strings.Lines(string(b)) {
		if first {
			first = false
			continue // the head
		}
		s, err := k.parse(strings.TrimSuffix(line, "\n"))
		if err != nil {
			bad++
			continue
		}
		if err := r.write(&s, "/proc/net/"+k.file, out); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d lines are not understood", bad)
	}
	return nil
}
