package gcp

import (
	"bytes"
	"encoding/base64"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// published reads the entry that a message of Pub/Sub has in base64, in the
// place of the message.
func (p *parser) published(rec *timeline.Record) error {
	data := p.Get(pubsub)
	if n := base64.StdEncoding.DecodedLen(len(data)); cap(p.plain) < n {
		p.plain = make([]byte, n)
	}
	n, err := base64.StdEncoding.Decode(p.plain[:cap(p.plain)], data)
	if err != nil {
		return &timeline.RejectError{Reason: timeline.BadField, Detail: "data of a message is not base64"}
	}
	rec.Data = bytes.TrimSpace(p.plain[:n])
	if err := p.Begin(rec.Data); err != nil || len(p.Get(logName)) == 0 {
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "a message of Pub/Sub that holds no entry"}
	}
	return nil
}

// isPublished knows a message of Pub/Sub whose data begins as an entry does.
func isPublished(head []byte) bool {
	var s jsonscan.Scanner
	s.Reset(bytes.TrimPrefix(head, []byte("\ufeff")))
	if s.Kind() == '[' && !s.Array() || s.Kind() != '{' {
		return false
	}
	return holdsEntry(&s)
}

// holdsEntry looks for the data of a message: pushed or pulled, in an answer of
// the API's, or with its metadata as a subscription to Cloud Storage writes it.
func holdsEntry(s *jsonscan.Scanner) bool {
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch key := string(s.Key()); {
		case key == "receivedMessages" && s.Kind() == '[' && s.Array() && s.Kind() == '{', key == "message" && s.Kind() == '{':
			return holdsEntry(s)
		case key == "data" && s.Kind() == '"':
			return isEntry(s.Text())
		}
		s.Skip()
	}
	return false
}

func isEntry(data []byte) bool {
	plain := make([]byte, base64.StdEncoding.DecodedLen(len(data)))
	n, err := base64.StdEncoding.Decode(plain, data)
	return err == nil && bytes.HasPrefix(plain, []byte{'{'}) && contains(plain[:n], `"logName"`) && contains(plain[:n], `"insertId"`)
}
