package cloudtrail

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// Bounds of what Firehose has packed: how deep, and what it may become.
const (
	maxPacked = 3
	maxPlain  = 64 << 20
)

// packed reads what was in base64, with a parser of its own.
type packed struct {
	parser *parser
	text   []byte
	sub    int32
}

// unpack reads the events of a batch that Firehose sent to an endpoint, or could
// not deliver: base64 of events, or of a subscription of CloudWatch Logs, which is
// compressed. They give rows only where all can be read, so that the record is
// either kept or rejected.
func (p *parser) unpack(text []byte, emit func(*timeline.Event) error) error {
	if p.depth == maxPacked {
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "batches in batches"}
	}
	if p.packed == nil {
		p.packed = &packed{parser: &parser{depth: p.depth + 1}}
	}
	plain, err := p.packed.plain(text)
	if err != nil {
		return err
	}
	for _, sink := range []func(*timeline.Event) error{func(*timeline.Event) error { return nil }, emit} {
		p.packed.sub = 0
		if err := p.packed.events(plain, sink); err != nil {
			return err
		}
	}
	if p.packed.sub == 0 {
		return &timeline.SkipError{Reason: timeline.Foreign}
	}
	return nil
}

// plain is what the text holds.
func (k *packed) plain(text []byte) ([]byte, error) {
	text = bytes.TrimSpace(text)
	if cap(k.text) < base64.StdEncoding.DecodedLen(len(text)) {
		k.text = make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	}
	n, err := base64.StdEncoding.Decode(k.text[:cap(k.text)], text)
	if err != nil {
		return nil, &timeline.RejectError{Reason: timeline.BadField, Detail: "data is not base64"}
	}
	s, err := framing.Decompress(bytes.NewReader(k.text[:n]), framing.Limits{Plain: maxPlain})
	if err != nil {
		return nil, reject(err)
	}
	defer s.Close()
	plain, err := io.ReadAll(io.LimitReader(s, maxPlain+1))
	switch {
	case err != nil:
		return nil, reject(err)
	case len(plain) > maxPlain:
		return nil, &timeline.RejectError{Reason: timeline.Bomb, Detail: "of what Firehose packed"}
	}
	return plain, nil
}

func reject(err error) error {
	var told *timeline.RejectError
	if errors.As(err, &told) {
		return err
	}
	return &timeline.RejectError{Reason: timeline.Unreadable, Detail: err.Error()}
}

// events gives those of the plain text; what rightly gives none is passed.
func (k *packed) events(plain []byte, emit func(*timeline.Event) error) error {
	for rec, err := range (Source{}).Records(context.Background(), bytes.NewReader(plain)) {
		if err != nil {
			return err
		}
		err = k.parser.Parse(rec, func(e *timeline.Event) error {
			e.Sub = k.sub
			if len(e.ID) > 0 {
				e.Sub = 0
			}
			k.sub++
			return emit(e)
		})
		var skip *timeline.SkipError
		if err != nil && !errors.As(err, &skip) {
			return err
		}
	}
	return nil
}

// isPacked knows a file of Firehose by its own members and by what is packed in
// the first record, as far as it is seen.
func isPacked(head []byte) bool {
	own := holds(head, `"rawData"`) && holds(head, `"attemptsMade"`) || holds(head, `"records"`) && holds(head, `"requestId"`) && holds(head, `"data"`)
	if !own {
		return false
	}
	for _, name := range []string{`"rawData"`, `"data"`} {
		_, rest, ok := bytes.Cut(head, []byte(name))
		rest = bytes.TrimLeft(rest, " \t\r\n:")
		if !ok || len(rest) == 0 || rest[0] != '"' {
			continue
		}
		text, _, _ := bytes.Cut(rest[1:], []byte{'"'})
		text = text[:min(len(text), 16<<10)&^3]
		plain := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		n, _ := base64.StdEncoding.Decode(plain, text)
		s, err := framing.Decompress(bytes.NewReader(plain[:n]), framing.Limits{Plain: maxPlain})
		if err != nil {
			continue
		}
		// What is cut ends with an error, and what came before it does.
		got := make([]byte, 64<<10)
		n, _ = io.ReadFull(s, got)
		s.Close()
		if got = got[:n]; holds(got, "eventVersion") && holds(got, "eventSource") {
			return true
		}
	}
	return false
}
