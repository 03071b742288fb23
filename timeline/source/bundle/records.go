package bundle

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"path"
	"strings"
	"time"

	"amber/evidence"
	"amber/evidence/record"
	"amber/timeline"
)

// Kinds of records.
const (
	kindMember uint8 = iota
	kindDrift
	kindProcess
	kindSocket
	kindFlow
	kindLog
	kindPacked // a line of a log that is compressed or sparse: its range is the whole log's
	kindImage
	kindContainer
	kindInspect
	kindAcquisition
)

// Bounds on what is read whole, in bytes.
const (
	maxLine     = 4 << 20 // a line of a member
	maxDocument = 8 << 20
	maxDrift    = 1 << 20 // lines of the drift list, not bytes; members of those behind are told of twice
)

// streamOf is the stream that a kind's ranges count the bytes of.
func streamOf(kind uint8) string {
	switch kind {
	case kindMember:
		return evidence.IndexStream
	case kindDrift:
		return "filesystem"
	case kindProcess:
		return "process"
	case kindSocket, kindFlow:
		return "network"
	case kindLog, kindPacked:
		return "logs"
	case kindAcquisition:
		return acquisition
	}
	return "metadata"
}

// kindOf says what a member's content is read as.
func kindOf(m *record.Member) (kind uint8, ok bool) {
	dir, base := path.Split(m.Path)
	switch top, _, _ := strings.Cut(m.Path, "/"); {
	case m.Type != record.File || m.Payload != top:
		return 0, false
	case m.Path == "filesystem/drift.jsonl":
		return kindDrift, true
	case dir == "process/" && isPart(base, "processes"):
		return kindProcess, true
	case top == "network" && (isPart(base, "sockets") || isPart(base, "unlisted")):
		return kindSocket, true
	case top == "network" && isPart(base, "conntrack"):
		return kindFlow, true
	case top == "logs":
		return kindLog, true
	case m.Path == "metadata/runtime/image/config.json":
		return kindImage, true
	case m.Path == "metadata/container.json":
		return kindContainer, true
	case m.Path == "metadata/runtime/runtime/container.json":
		return kindInspect, true
	}
	return 0, false
}

// isPart reports NAME.jsonl and its further parts, NAME-0002.jsonl.
func isPart(base, name string) bool {
	rest, ok := strings.CutPrefix(base, name)
	return ok && strings.HasSuffix(rest, ".jsonl") && (rest == ".jsonl" || strings.HasPrefix(rest, "-0"))
}

// reader gives the records of one bundle.
type reader struct {
	*Bundle
	ctx   context.Context
	yield func(timeline.Record, error) bool
	seed  maphash.Seed
	drift map[uint64]struct{} // members that a line of the drift list tells of
	done  bool
}

// Records gives all records: the acquisition, the drift list, and then each line
// of the members index, with what is read of that member behind it. Data and
// Group are valid until the next one. What cannot be read is yielded as a
// *timeline.RejectError, and the reading goes on behind it where it can.
func (s *Bundle) Records(ctx context.Context) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		r := &reader{Bundle: s, ctx: ctx, yield: yield, seed: maphash.MakeSeed(), drift: map[uint64]struct{}{}}
		r.run()
	}
}

func (r *reader) run() {
	if r.record != nil {
		r.give(timeline.Record{Data: r.record, Kind: kindAcquisition, Line: 1, Range: timeline.Range{Length: int64(len(r.record))}})
	}
	r.readDrift()
	n := int64(0)
	for line, err := range r.b.IndexLines() {
		if r.done || r.stopped() {
			return
		}
		n++
		if err != nil {
			r.fail(timeline.Unreadable, kindMember, timeline.Range{Offset: line.Offset}, n, err)
			return
		}
		r.member(line, n)
	}
}

func (r *reader) stopped() bool {
	if err := r.ctx.Err(); err != nil {
		r.done = true
		r.yield(timeline.Record{}, err)
	}
	return r.done
}

func (r *reader) give(rec timeline.Record) {
	if !r.done && !r.yield(rec, nil) {
		r.done = true
	}
}

func (r *reader) fail(why timeline.Reason, kind uint8, at timeline.Range, line int64, err error) {
	if !r.done && !r.yield(timeline.Record{Kind: kind}, &timeline.RejectError{Reason: why, Range: at, Line: line, Detail: err.Error()}) {
		r.done = true
	}
}

// member gives a line of the index, unless the drift list has told of it, and
// what is read of the member.
func (r *reader) member(line evidence.IndexLine, n int64) {
	rec := timeline.Record{Data: line.Text, Kind: kindMember, Line: n, Range: timeline.Range{Offset: line.Offset, Length: int64(len(line.Text))}}
	m, err := record.ParseMember(line.Text)
	if err != nil {
		r.fail(timeline.BadSyntax, kindMember, rec.Range, n, err)
		return
	}
	if _, told := r.drift[maphash.String(r.seed, m.Path)]; !told {
		r.give(rec)
	}
	kind, ok := kindOf(m)
	if !ok || r.done {
		return
	}
	switch kind {
	case kindDrift: // was read
	case kindImage, kindContainer, kindInspect:
		r.document(m, kind)
	default:
		r.lines(m, kind)
	}
}

// readDrift gives the lines of the drift list and keeps the names of the members
// that they tell of.
func (r *reader) readDrift() {
	m, err := r.b.Lookup("filesystem/drift.jsonl")
	if errors.Is(err, evidence.ErrNotFound) || err == nil && m.Type != record.File {
		return
	}
	if err != nil {
		r.fail(timeline.Unreadable, kindDrift, timeline.Range{}, 0, err)
		return
	}
	r.lines(m, kindDrift)
}

func (r *reader) remember(kind uint8, line []byte) {
	if kind != kindDrift || len(r.drift) >= maxDrift {
		return
	}
	if d, err := record.ParseDrift(line); err == nil && d.Member != "" && !noTimes(d.Atime, d.Mtime, d.Ctime, d.Btime) {
		r.drift[maphash.String(r.seed, d.Member)] = struct{}{}
	}
}

func noTimes(times ...time.Time) bool {
	for _, t := range times {
		if !t.IsZero() {
			return false
		}
	}
	return true
}

// document gives a small member whole.
func (r *reader) document(m *record.Member, kind uint8) {
	where := timeline.Range{Offset: m.Data, Length: m.Stored()}
	content, err := r.b.Content(m)
	if err != nil {
		r.fail(timeline.Unreadable, kind, where, 0, err)
		return
	}
	data, err := io.ReadAll(io.LimitReader(content, maxDocument+1))
	switch {
	case err != nil:
		r.fail(timeline.Unreadable, kind, where, 0, fmt.Errorf("%s: %w", m.Path, err))
	case len(data) > maxDocument:
		r.fail(timeline.Oversize, kind, where, 0, errors.New(m.Path))
	default:
		r.give(timeline.Record{Data: data, Kind: kind, Line: 1, Range: where, Group: m.ReadAt.UTC().AppendFormat(nil, time.RFC3339Nano)})
	}
}
