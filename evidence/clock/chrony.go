package clock

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"amber/evidence/custody"
)

// chronyAddress is where chronyd answers those who monitor it, on this host
// alone.
const chronyAddress = "127.0.0.1:323"

// Of chrony's protocol for that (candm.h, version 6).
const (
	chronyVersion  = 6
	chronyRequest  = 1
	chronyReply    = 2
	chronyTracking = 33 // the question
	chronyTracked  = 5  // the answer
	chronySize     = 104
	chronyWait     = 500 * time.Millisecond
)

// chrony asks what chronyd knows of the clock; nil where there is none.
func chrony(ctx context.Context, address string) *custody.Offset {
	p, err := askChrony(ctx, address)
	if err != nil {
		return nil // nobody is there, or does not answer
	}
	o, err := parseTracking(p)
	if err != nil {
		return failed("chrony", err)
	}
	return o
}

func askChrony(ctx context.Context, address string) ([]byte, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(chronyWait)); err != nil {
		return nil, err
	}
	q := make([]byte, chronySize) // as long as the answer, or there is none
	q[0], q[1] = chronyVersion, chronyRequest
	binary.BigEndian.PutUint16(q[4:], chronyTracking)
	_, _ = rand.Read(q[8:12]) // the sequence
	if _, err := c.Write(q); err != nil {
		return nil, err
	}
	p := make([]byte, 1024)
	for {
		n, err := c.Read(p)
		if err != nil {
			return nil, err
		}
		if n >= 28 && p[1] == chronyReply && string(p[16:20]) == string(q[8:12]) {
			return p[:n], nil
		}
	}
}

func parseTracking(p []byte) (*custody.Offset, error) {
	if p[0] != chronyVersion || binary.BigEndian.Uint16(p[6:]) != chronyTracked || binary.BigEndian.Uint16(p[8:]) != 0 || len(p) < chronySize {
		return nil, errors.New("it answers in a version of its protocol that is not known")
	}
	d := p[28:]
	reference, stratum, leap := binary.BigEndian.Uint32(d), binary.BigEndian.Uint16(d[24:]), binary.BigEndian.Uint16(d[26:])
	if leap == 3 || reference == 0 {
		return nil, errors.New("it is not synchronised")
	}
	correction, delay, dispersion := chronyFloat(d[40:]), chronyFloat(d[64:]), chronyFloat(d[68:])
	return measured("chrony", seconds(correction), seconds(delay/2+dispersion), "stratum %d, reference %s", stratum, fmt.Sprintf("%08X", reference)), nil
}

// seconds is a time; what does not fit is the longest.
func seconds(f float64) time.Duration {
	if f *= 1e9; math.Abs(f) < math.MaxInt64 {
		return time.Duration(f)
	}
	return math.MaxInt64
}

// chronyFloat reads a number with an exponent of 7 bits and 25 bits, both
// signed.
func chronyFloat(b []byte) float64 {
	x := binary.BigEndian.Uint32(b)
	exponent, coefficient := int32(x)>>25, int32(x<<7)>>7
	return math.Ldexp(float64(coefficient), int(exponent)-25)
}
