package store

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"amber/timeline"
)

// place is a place in the order of rows: just before the row of a key, or just
// behind it.
type place struct {
	time  timeline.Time
	id    timeline.RowID
	after bool
}

const placeSize = 8 + 2 + 16 + 1

func (p place) cursor() timeline.Cursor {
	b := binary.BigEndian.AppendUint64(nil, uint64(p.time.Micros))
	b = binary.BigEndian.AppendUint16(b, uint16(p.time.Nanos))
	b = append(b, p.id[:]...)
	if p.after {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return timeline.Cursor(base64.RawURLEncoding.EncodeToString(b))
}

func parseCursor(c timeline.Cursor) (place, error) {
	b, err := base64.RawURLEncoding.DecodeString(string(c))
	if err != nil || len(b) != placeSize || b[placeSize-1] > 1 {
		return place{}, fmt.Errorf("the cursor %q is none of this timeline's", string(c))
	}
	return place{
		time:  timeline.Time{Micros: int64(binary.BigEndian.Uint64(b)), Nanos: int16(binary.BigEndian.Uint16(b[8:]))},
		id:    timeline.RowID(b[10:26]),
		after: b[26] == 1,
	}, nil
}

// compare orders places; before a row comes before behind it.
func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.time.Micros, o.time.Micros), cmp.Compare(p.time.Nanos, o.time.Nanos),
		compareIDs(&p.id, &o.id), compareBool(p.after, o.after))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
