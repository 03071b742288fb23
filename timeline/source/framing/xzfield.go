package framing

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrXZSize is of a text that would become longer than is read.
var ErrXZSize = errors.New("longer than is read")

// UnXZ appends what one stream of xz holds in one block, as journald compressed
// its fields. The chunks tell how long that is, so that there is never room for
// more than it: neither for what it becomes nor for its dictionary.
func UnXZ(to, stored []byte, most int) ([]byte, error) {
	x := &xzReader{in: counted{Reader: bufio.NewReader(bytes.NewReader(stored))}}
	if err := x.stream(); err != nil {
		return to, err
	}
	if len(stored) < 13 || stored[12] == 0 {
		return to, io.ErrUnexpectedEOF
	}
	head := 12 + (int(stored[12])+1)*4
	plain, err := chunks(stored[min(head, len(stored)):])
	if err != nil {
		return to, err
	}
	if plain > most {
		return to, fmt.Errorf("%d bytes: %w", plain, ErrXZSize)
	}
	x.room = plain
	at := len(to)
	to = append(to, make([]byte, plain)...)
	if _, err := io.ReadFull(x, to[at:]); err != nil {
		return to[:at], cut(err)
	}
	switch _, err := x.Read(make([]byte, 1)); {
	case errors.Is(err, io.EOF):
		return to, nil
	case err == nil:
		return to[:at], errors.New("xz: more than one block")
	default:
		return to[:at], err
	}
}

// chunks is how many bytes chunks of LZMA2 become, up to their end.
func chunks(b []byte) (plain int, err error) {
	for len(b) > 0 {
		c, head := b[0], 6
		switch {
		case c == 0:
			return plain, nil
		case c <= 2:
			head = 3
		case c < 0x80:
			return 0, errors.New("xz: no chunk of LZMA2")
		case c < 0xc0:
			head = 5
		}
		if len(b) < head {
			break
		}
		n := int(binary.BigEndian.Uint16(b[1:])) + 1
		stored := n
		if c >= 0x80 {
			n += int(c&0x1f) << 16
			stored = int(binary.BigEndian.Uint16(b[3:])) + 1
		}
		plain += n
		b = b[min(head+stored, len(b)):]
	}
	return 0, io.ErrUnexpectedEOF
}
