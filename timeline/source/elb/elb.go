// Package elb reads the access logs of AWS's load balancers: Application (also
// the connection logs), Network (TLS listeners) and Classic ones.
package elb

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
)

// Source is the source "elb".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "elb" }

// Sniff implements timeline.Source: the form of the first line.
func (Source) Sniff(head []byte, _ string) int {
	for line := range bytes.Lines(head[:min(len(head), 32<<10)]) {
		f := delimited.Split(nil, bytes.TrimRight(line, "\r\n"))
		if len(f) == 0 || isTest(line) {
			continue
		}
		form := formOf(f)
		switch {
		case form == nil || len(f) < form.least:
			return 0
		case form == &connection:
			return 96
		}
		return 97
	}
	return 0
}

// isTest knows the line of the file by which a balancer tries whether it may
// write.
func isTest(line []byte) bool {
	return bytes.HasPrefix(line, []byte("Enable AccessLog for ELB:")) || bytes.HasPrefix(line, []byte("Enable ConnectionLog for ELB:"))
}

// formOf tells which balancer wrote a line, nil for none.
func formOf(f [][]byte) *form {
	if len(f) < 4 {
		return nil
	}
	switch string(f[0]) {
	case "http", "https", "h2", "grpcs", "ws", "wss":
		if isTime(f[1]) {
			return &application
		}
		return nil
	case "tls":
		if isTime(f[2]) {
			return &network
		}
		return nil
	}
	if !isTime(f[0]) {
		return nil
	}
	if members.IsIP(f[1]) && isNumber(f[2]) && isNumber(f[3]) {
		return &connection
	}
	if at, ok := address(f[2]); ok && members.IsIP(at) {
		return &classic
	}
	return nil
}

func isTime(v []byte) bool {
	_, _, ok := timeline.ParseTime(v)
	return ok
}

func isNumber(v []byte) bool {
	_, ok := jsonscan.ParseInt(v)
	return ok
}

// address is that of "192.0.2.1:4711", or of "[2001:db8::1]:4711" with the
// brackets that the line's splitting takes for its own.
func address(v []byte) (ip []byte, ok bool) {
	n := bytes.LastIndexByte(v, ':')
	if n <= 0 {
		return nil, false
	}
	return bytes.Trim(v[:n], "[]"), true
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.Lines(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{} }
