package dockerlocal

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"amber/timeline"
)

// entry is a LogEntry of dockerd's.
type entry struct {
	source, text, chain []byte
	nanos               int64
	partial, last       bool
}

// read reads a LogEntry; false is that it is none.
func (e *entry) read(b []byte) bool {
	*e = entry{}
	return fields(b, func(n protowire.Number, v []byte, u uint64) bool {
		switch n {
		case 1:
			e.source = v
		case 2:
			e.nanos = int64(u)
		case 3:
			e.text = v
		case 4:
			e.partial = u != 0
		case 5:
			return fields(v, func(n protowire.Number, v []byte, u uint64) bool {
				switch n {
				case 1:
					e.last = u != 0
				case 2:
					e.chain = v
				}
				return true
			})
		}
		return true
	})
}

// fields calls each for every field of a message; false is that it is none.
func fields(b []byte, each func(n protowire.Number, v []byte, u uint64) bool) bool {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		var v []byte
		var u uint64
		b = b[n:]
		switch kind {
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			u, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(num, kind, b)
		}
		if n < 0 || !each(num, v, u) {
			return false
		}
		b = b[n:]
	}
	return true
}

// line makes a line of CRI's of a message. The parts of a long line have its id
// as their chain.
func (f *framer) line(data []byte, rec *timeline.Record) error {
	var e entry
	switch {
	case !e.read(data):
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no LogEntry"}
	case string(e.source) != "stdout" && string(e.source) != "stderr":
		return &timeline.RejectError{Reason: timeline.BadField, Detail: "source"}
	case e.nanos == 0:
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "time_nano"}
	}
	out := time.Unix(0, e.nanos).UTC().AppendFormat(f.out[:0], time.RFC3339Nano)
	out = append(append(append(out, ' '), e.source...), ' ')
	if e.partial && !e.last {
		out = append(out, 'P', ' ')
	} else {
		out = append(out, 'F', ' ')
	}
	f.out = append(out, e.text...)
	rec.Data, rec.Group = f.out, f.place
	if len(e.chain) > 0 && len(e.chain) <= 128 {
		f.group = append(append(append(f.group[:0], f.place...), 0), e.chain...)
		rec.Group = f.group
	}
	return nil
}
