package network

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"amber/collect/jsonl"
	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// Numbers of include/uapi/linux/netfilter/nfnetlink_conntrack.h.
const (
	ctGet           = 1
	ctTupleOrig     = 1
	ctTupleReply    = 2
	ctStatus        = 3
	ctProtoInfo     = 4
	ctHelp          = 5
	ctTimeout       = 7
	ctMark          = 8
	ctCountersOrig  = 9
	ctCountersReply = 10
	ctID            = 12
	ctZone          = 18
	ctTimestamp     = 20
)

// nfgenmsg is struct nfgenmsg of a request.
func nfgenmsg(family uint8) []byte { return []byte{family, unix.NFNETLINK_V0, 0, 0} }

// conntrack lists the connections that are followed; where netlink has none to
// give, the text of /proc is kept instead.
func (r *run) conntrack(ctx context.Context, n *space) error {
	out := jsonl.New(r.sink, n.dir+"/conntrack.jsonl", "netlink")
	bad := 0
	if bytes.Contains(n.sysctls, []byte("net.netfilter.nf_conntrack_count = 0\n")) {
		return out.Close() // the list is a walk over the whole hash table, 13 ms for nothing
	}
	err := errors.New("no netfilter socket")
	if n.filter != nil {
		err = n.filter.dump(unix.NFNL_SUBSYS_CTNETLINK<<8|ctGet, nfgenmsg(unix.AF_UNSPEC), func(_ uint16, b []byte) error {
			f, ok := decodeFlow(b)
			if !ok {
				bad++
				return nil
			}
			if err := out.Write(f); err != nil {
				return fmt.Errorf("%w: %w", errSink, err)
			}
			return nil
		})
	}
	switch {
	case errors.Is(err, errSink):
		return err
	case err == nil && bad > 0:
		err = fmt.Errorf("%d flows are not understood", bad)
	case err != nil && !errors.Is(err, errInterrupted):
		if keepErr := r.keep(ctx, n, n.read(ctx, "nf_conntrack")); keepErr != nil {
			return keepErr
		}
	}
	if err != nil {
		if err := r.miss(ctx, n.dir+"/conntrack", fmt.Errorf("listing by netlink: %w", err)); err != nil {
			return err
		}
	}
	return out.Close()
}

// decodeFlow reads a message of ctnetlink.
func decodeFlow(b []byte) (record.Flow, bool) {
	f := record.Flow{Via: "netlink"}
	if len(b) < 4 {
		return f, false
	}
	f.Family = familyName(int(b[0]))
	var protocol uint8
	for k, v := range attrs(b[4:]) {
		switch k {
		case ctTupleOrig:
			protocol = decodeTuple(&f.Original, v)
		case ctTupleReply:
			decodeTuple(&f.Reply, v)
		case ctStatus:
			f.Status = uint32(number(v, binary.BigEndian))
		case ctProtoInfo:
			f.State = conntrackState(v)
		case ctHelp:
			for k, v := range attrs(v) {
				if k == 1 {
					f.Helper = record.Text(cString(v))
				}
			}
		case ctTimeout:
			f.Timeout = uint32(number(v, binary.BigEndian))
		case ctMark:
			f.Mark = uint32(number(v, binary.BigEndian))
		case ctCountersOrig:
			decodeCounters(&f.Original, v)
		case ctCountersReply:
			decodeCounters(&f.Reply, v)
		case ctID:
			f.ID = uint32(number(v, binary.BigEndian))
		case ctZone:
			f.Zone = uint16(number(v, binary.BigEndian))
		case ctTimestamp:
			for k, v := range attrs(v) {
				if k == 1 {
					f.StartNS = number(v, binary.BigEndian)
				}
			}
		}
	}
	f.Protocol = protocolName(protocol)
	return f, f.Original.Source != ""
}

func decodeTuple(t *record.Tuple, b []byte) (protocol uint8) {
	for k, v := range attrs(b) {
		switch k {
		case 1: // CTA_TUPLE_IP
			for k, v := range attrs(v) {
				switch k {
				case 1, 3:
					t.Source = address(v)
				case 2, 4:
					t.Destination = address(v)
				}
			}
		case 2: // CTA_TUPLE_PROTO
			protocol = decodePorts(t, v)
		}
	}
	return protocol
}

func decodePorts(t *record.Tuple, b []byte) (protocol uint8) {
	for k, v := range attrs(b) {
		n := number(v, binary.BigEndian)
		switch k {
		case 1:
			protocol = uint8(n)
		case 2:
			t.SourcePort = uint16(n)
		case 3:
			t.DestinationPort = uint16(n)
		case 4, 7:
			t.ICMPID = uint16(n)
		case 5, 8:
			t.ICMPType = uint8(n)
		case 6, 9:
			t.ICMPCode = uint8(n)
		}
	}
	return protocol
}

func decodeCounters(t *record.Tuple, b []byte) {
	for k, v := range attrs(b) {
		switch k {
		case 1, 3:
			t.Packets = number(v, binary.BigEndian)
		case 2, 4:
			t.Bytes = number(v, binary.BigEndian)
		}
	}
}

// conntrackStates are those of enum tcp_conntrack.
var conntrackStates = []string{
	"none", "syn-sent", "syn-recv", "established", "fin-wait", "close-wait", "last-ack", "time-wait", "close", "syn-sent2",
}

// conntrackState reads CTA_PROTOINFO; only TCP has a state that matters here.
func conntrackState(b []byte) string {
	for k, v := range attrs(b) {
		if k != 1 { // CTA_PROTOINFO_TCP
			continue
		}
		for k, v := range attrs(v) {
			if n := number(v, native); k == 1 && n < uint64(len(conntrackStates)) {
				return conntrackStates[n]
			}
		}
	}
	return ""
}

// familyName names an address family of the kernel.
func familyName(n int) string {
	switch n {
	case unix.AF_INET:
		return "inet"
	case unix.AF_INET6:
		return "inet6"
	}
	return strconv.Itoa(n)
}
