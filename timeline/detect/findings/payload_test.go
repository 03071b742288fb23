package findings

import "encoding/binary"

// hit appends a hit's body, as a worker does without making strings.
func (p *payload) hit(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(p.values)))
	for _, v := range p.values {
		b = putTexts(b, v)
	}
	return putText(putTexts(b, p.entities), p.output)
}
