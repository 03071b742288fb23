// Package bodyfile reads body files of the third version, as UAC, The Sleuth
// Kit's fls and mactime have them:
//
//	MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime
//
// A file gives a row for each instant of its four times.
package bodyfile

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/macb"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

// Source is the source "bodyfile".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "bodyfile" }

// Sniff implements timeline.Source: the first line that is no remark has eleven
// fields, of which the times are numbers.
func (Source) Sniff(head []byte, _ string) int {
	for line := range bytes.Lines(head) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		var f [11][]byte
		if !split(&f, line) || !isSum(f[sum]) {
			return 0
		}
		for _, at := range f[size:] {
			if _, ok := seconds(at); !ok {
				return 0
			}
		}
		return 96
	}
	return 0
}

// isSum knows an MD5, or what stands for none.
func isSum(v []byte) bool {
	if len(v) != 32 {
		return len(v) == 0 || string(v) == "0"
	}
	for _, c := range v {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.Lines(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{} }

// The fields, by their places.
const (
	sum = iota
	name
	inode
	mode
	owner
	group
	size
	accessed
	modified
	changed
	born
)

// split takes a line apart from both its ends: a name may hold bars.
func split(f *[11][]byte, line []byte) bool {
	n := bytes.IndexByte(line, '|')
	if n < 0 {
		return false
	}
	f[sum], line = line[:n], line[n+1:]
	for i := born; i > name; i-- {
		n := bytes.LastIndexByte(line, '|')
		if n < 0 {
			return false
		}
		f[i], line = line[n+1:], line[:n]
	}
	f[name] = line
	return true
}

// maxSeconds is the end of the year 9999.
const maxSeconds = 253_402_300_799

// seconds reads seconds since 1970, which may have decimals; 0, -1 and nothing
// are no time.
func seconds(v []byte) (timeline.Time, bool) {
	if len(v) == 0 || string(v) == "0" || string(v) == "-1" || string(v) == "-" {
		return timeline.NoTime, true
	}
	whole, rest, _ := bytes.Cut(v, []byte{'.'})
	n, ok := jsonscan.ParseInt(whole)
	if !ok || n > maxSeconds || n < -62135596800 {
		return timeline.NoTime, false
	}
	nanos, unit := int64(0), int64(100_000_000)
	for _, c := range rest {
		if c < '0' || c > '9' {
			return timeline.NoTime, false
		}
		nanos += int64(c-'0') * unit
		unit /= 10
	}
	return timeline.Time{Micros: n*1_000_000 + nanos/1000, Nanos: int16(nanos % 1000)}, true
}

type parser struct {
	e    timeline.Event
	text scratch.Text
	f    [11][]byte
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	line := rec.Data
	switch {
	case len(line) == 0:
		return &timeline.SkipError{Reason: timeline.Empty}
	case line[0] == '#':
		return &timeline.SkipError{Reason: timeline.Header}
	case bytes.IndexByte(line, 0) >= 0:
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	case !split(&p.f, line):
		return &timeline.RejectError{Reason: timeline.Truncated, Detail: "fewer than eleven fields"}
	}
	var t macb.Times
	for i, to := range [...]*timeline.Time{&t.Accessed, &t.Modified, &t.Changed, &t.Born} {
		at, ok := seconds(p.f[accessed+i])
		if !ok {
			return members.BadTime(p.f[accessed+i], "a file's time")
		}
		*to = at
	}
	if t.None() {
		return members.NoTime("all four times")
	}
	n := int32(0)
	return t.Each(func(at timeline.Time, letters [4]byte) error {
		p.row(at, letters)
		p.e.Sub = n
		n++
		return emit(&p.e)
	})
}

func (p *parser) row(at timeline.Time, letters [4]byte) {
	e, f := &p.e, &p.f
	e.Reset()
	p.text = p.text[:0]
	e.Time = at
	e.Const(timeline.EventDataset, "bodyfile")
	e.Const(timeline.EventProvider, "bodyfile")
	macb.Classify(e, letters)
	path, target, linked := bytes.Cut(f[name], []byte(" -> "))
	if rest, ok := bytes.CutSuffix(path, []byte(" (deleted)")); ok {
		path = rest
		e.AddConst(timeline.Tags, "deleted")
	}
	e.Str(timeline.FilePath, path)
	if linked {
		e.Put("file.target_path", target)
	}
	if n, ok := jsonscan.ParseInt(f[size]); ok {
		e.Num(timeline.FileSize, n)
	}
	e.Str(timeline.FileMode, f[mode])
	p.put("file.inode", f[inode])
	p.put("file.uid", f[owner])
	p.put("file.gid", f[group])
	if len(f[sum]) == 32 {
		e.Put("file.hash.md5", f[sum])
	}
	e.Put("file.macb", p.text.Keep(letters[:]))
	p.suspect()
	e.Str(timeline.Message, p.message(letters))
}

func (p *parser) put(name string, v []byte) {
	if !delimited.Absent(v) {
		p.e.Put(name, v)
	}
}

// suspect marks what runs with its owner's rights.
func (p *parser) suspect() {
	m := p.f[mode]
	if len(m) < 10 {
		return
	}
	m = m[len(m)-10:] // r/rrwsr-xr-x of fls, -rwsr-xr-x of UAC
	if m[3]|0x20 == 's' {
		p.e.AddConst(timeline.Tags, "setuid")
	}
	if m[6]|0x20 == 's' {
		p.e.AddConst(timeline.Tags, "setgid")
	}
}

// message is "m.c. /usr/bin/passwd -rwsr-xr-x 0:0 63960 bytes".
func (p *parser) message(letters [4]byte) []byte {
	t, f := &p.text, &p.f
	mark := len(*t)
	t.Bytes(letters[:])
	for _, part := range [][]byte{f[name], f[mode]} {
		t.Byte(' ')
		t.Bytes(part)
	}
	t.Byte(' ')
	t.Bytes(f[owner])
	t.Byte(':')
	t.Bytes(f[group])
	t.Byte(' ')
	t.Bytes(f[size])
	t.Str(" bytes")
	return t.Since(mark)
}
