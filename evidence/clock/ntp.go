package clock

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"amber/evidence/custody"
)

const (
	ntpSize    = 48
	ntpSamples = 4
	ntpEpoch   = 2208988800 // seconds from 1900 to 1970
)

// sample is one exchange with a server (RFC 5905).
type sample struct {
	offset, delay           time.Duration
	rootDelay, rootDispersn time.Duration
	stratum                 int
}

// uncertainty bounds the error: half the way there and back, which may be all on
// one side, and what the server says of its own.
func (s sample) uncertainty() time.Duration { return s.delay/2 + s.rootDelay/2 + s.rootDispersn }

// ntp asks a server a few times, and takes the exchange with the least delay.
func ntp(ctx context.Context, server string) *custody.Offset {
	by := "ntp " + server
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "123")
	}
	var best *sample
	var last error
	for range ntpSamples {
		s, err := exchange(ctx, server)
		if err != nil {
			last = err
			break
		}
		if best == nil || s.delay < best.delay {
			best = &s
		}
	}
	if best == nil {
		return failed(by, last)
	}
	return measured(by, best.offset, best.uncertainty(), "stratum %d, %v there and back", best.stratum, best.delay.Round(time.Microsecond))
}

func exchange(ctx context.Context, server string) (s sample, err error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", server)
	if err != nil {
		return s, err
	}
	defer c.Close()
	deadline := time.Now().Add(time.Second)
	if at, ok := ctx.Deadline(); ok && at.Before(deadline) {
		deadline = at
	}
	if err := c.SetDeadline(deadline); err != nil {
		return s, err
	}
	var q [ntpSize]byte
	q[0] = 4<<3 | 3 // version 4, client
	// A random time of ours: it tells nothing, and nobody who does not see it can
	// answer.
	_, _ = rand.Read(q[40:48])
	sent := time.Now()
	if _, err := c.Write(q[:]); err != nil {
		return s, err
	}
	var p [512]byte
	for {
		n, err := c.Read(p[:])
		if err != nil {
			return s, err
		}
		got := time.Now()
		if n < ntpSize || string(p[24:32]) != string(q[40:48]) {
			continue // an answer to something else
		}
		return parseNTP(p[:ntpSize], sent, got)
	}
}

// parseNTP reads an answer that came at got to a question of sent.
func parseNTP(p []byte, sent, got time.Time) (s sample, err error) {
	s.stratum = int(p[1])
	switch {
	case p[0]&7 != 4:
		return s, errors.New("it does not answer as a server")
	case p[0]>>6 == 3 || s.stratum == 0 || s.stratum > 15:
		return s, fmt.Errorf("it says that it does not know the time (stratum %d)", s.stratum)
	}
	received, transmitted := ntpTime(p[32:40], got), ntpTime(p[40:48], got)
	if binary.BigEndian.Uint64(p[40:48]) == 0 || transmitted.Before(received) {
		return s, errors.New("it answers with no time")
	}
	took := got.Sub(sent)
	s.delay = max(took-transmitted.Sub(received), 0)
	s.offset = (received.Sub(sent.Round(0)) + transmitted.Sub(sent.Round(0).Add(took))) / 2
	s.rootDelay, s.rootDispersn = ntpShort(p[4:8]), ntpShort(p[8:12])
	return s, nil
}

// ntpTime reads a time of 64 bits, of the era that is nearest to now.
func ntpTime(b []byte, now time.Time) time.Time {
	seconds, fraction := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	near := uint32(now.Unix() + ntpEpoch)
	at := now.Unix() + int64(int32(seconds-near))
	return time.Unix(at, int64(uint64(fraction)*1e9>>32))
}

// ntpShort reads a time of 16 and 16 bits.
func ntpShort(b []byte) time.Duration {
	return time.Duration(uint64(binary.BigEndian.Uint32(b)) * 1e9 >> 16)
}
