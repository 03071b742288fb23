package bundle

import (
	"net/netip"
	"strings"
	"time"

	"amber/evidence/record"
	"amber/timeline"
)

// socket reads a line of sockets.jsonl. A socket has no time of its own: it was
// there when it was read; of a TCP connection the kernel also knows when data
// last went out and came in.
func (p *parser) socket(line []byte, read time.Time) (timeline.Reason, string) {
	var s record.NetSocket
	if why, text := decode(line, &s); why != "" {
		return why, text
	}
	if read.IsZero() {
		return timeline.TimeMissing, ""
	}
	action := "socket-seen"
	switch s.State {
	case "listen":
		action = "socket-listening"
	case "established":
		action = "connection-seen"
	}
	p.oneSocket(&s, action, read)
	if t := s.TCP; t != nil && s.State != "listen" {
		for _, went := range []struct {
			action string
			ago    uint32
			bytes  uint64
		}{{"connection-last-sent", t.LastSentMS, t.BytesSent}, {"connection-last-received", t.LastReceivedMS, t.BytesReceived}} {
			if went.bytes == 0 {
				p.skip()
				continue
			}
			p.oneSocket(&s, went.action, read.Add(-time.Duration(went.ago)*time.Millisecond))
		}
	}
	return "", ""
}

func (p *parser) oneSocket(s *record.NetSocket, action string, at time.Time) {
	e := p.begin("amber.socket", action, at)
	kinds(e, "network", "connection", "info")
	e.Str(timeline.NetworkTransport, []byte(s.Protocol))
	local, remote := [2]timeline.Field{timeline.SourceIP, timeline.SourcePort}, [2]timeline.Field{timeline.DestinationIP, timeline.DestinationPort}
	if s.State == "listen" {
		local, remote = remote, local // where others connect to
	}
	address(e, local, s.Local, s.LocalPort)
	address(e, remote, s.Remote, s.RemotePort)
	if s.TCP != nil && s.State != "listen" {
		e.Num(timeline.NetworkBytes, int64(s.TCP.BytesSent+s.TCP.BytesReceived))
		e.Put("source.bytes", number(int64(s.TCP.BytesSent)))
		e.Put("destination.bytes", number(int64(s.TCP.BytesReceived)))
	}
	e.Put("network.type", []byte(s.Family))
	e.Put("amber.socket.type", []byte(s.Type))
	e.Put("amber.socket.state", []byte(s.State))
	e.Put("amber.socket.path", []byte(s.Path))
	if s.Inode != 0 {
		e.Put("amber.socket.inode", number(int64(s.Inode)))
	}
	if s.UID != nil {
		e.Str(timeline.UserID, number(int64(*s.UID)))
	}
	owners(e, s.Owners)
	p.send()
}

// owners sets the process of a socket; of several the first, and the others
// beside it.
func owners(e *timeline.Event, list []record.Owner) {
	var others []string
	for i, o := range list {
		if i == 0 {
			e.Num(timeline.ProcessPID, int64(o.PID))
			e.Str(timeline.ProcessName, []byte(o.Comm))
			continue
		}
		if i == 64 {
			others = append(others, "…")
			break
		}
		others = append(others, string(number(int64(o.PID)))+" "+string(o.Comm))
	}
	e.Put("amber.socket.other_owners", []byte(strings.Join(others, ", ")))
}

func address(e *timeline.Event, f [2]timeline.Field, ip string, port uint32) {
	if ip == "" {
		return
	}
	e.Str(f[0], []byte(ip))
	if port != 0 {
		e.Num(f[1], int64(port))
	}
	if a, err := netip.ParseAddr(ip); err == nil && !a.IsUnspecified() {
		e.Add(timeline.RelatedIP, []byte(ip))
	}
}

// flow reads a line of conntrack.jsonl.
func (p *parser) flow(line []byte, read time.Time) (timeline.Reason, string) {
	var f record.Flow
	if why, text := decode(line, &f); why != "" {
		return why, text
	}
	action, at := "flow-seen", read
	if f.StartNS != 0 && f.StartNS < 1<<62 {
		action, at = "flow-started", time.Unix(0, int64(f.StartNS)).UTC()
	}
	if at.IsZero() {
		return timeline.TimeMissing, ""
	}
	e := p.begin("amber.flow", action, at)
	kinds(e, "network", "connection", "info")
	e.Str(timeline.NetworkTransport, []byte(f.Protocol))
	address(e, [2]timeline.Field{timeline.SourceIP, timeline.SourcePort}, f.Original.Source, uint32(f.Original.SourcePort))
	address(e, [2]timeline.Field{timeline.DestinationIP, timeline.DestinationPort}, f.Original.Destination, uint32(f.Original.DestinationPort))
	if n := f.Original.Bytes + f.Reply.Bytes; n > 0 {
		e.Num(timeline.NetworkBytes, int64(n))
	}
	if f.Reply.Source != f.Original.Destination {
		e.Put("destination.nat.ip", []byte(f.Reply.Source))
	}
	e.Put("amber.flow.state", []byte(f.State))
	p.send()
	return "", ""
}
