package cloudwatch

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

func TestOpen(t *testing.T) {
	for _, c := range []struct{ head, text, stream, group string }{
		{`{"owner":"1","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1772359200000,"message":"a \"b\""}]}`, `a "b"`, "s", "g"},
		{`{"events":[{"logStreamName":"s","timestamp":1772359200000,"message":"m","eventId":"1"}]}`, "m", "s", ""},
		{"2026-03-01T10:00:00.000Z m n\n", "m n", "", ""},
		{"2026-03-01T10:00:00.000000+00:00 s m n\n", "m n", "s", ""},
	} {
		l, ok := First([]byte(c.head))
		if !ok || !l.Wrapped || string(l.Text) != c.text || string(l.Stream) != c.stream || string(l.Group) != c.group || l.Time.Micros != 1772359200000000 {
			t.Errorf("%s: %v %q %q %q %d", c.head, ok, l.Text, l.Stream, l.Group, l.Time.Micros)
		}
	}
	if l, ok := First([]byte("2 123 eni-1\n")); !ok || l.Wrapped || l.Time != timeline.NoTime {
		t.Errorf("%v %+v", ok, l)
	}
}

func TestOpenEvent(t *testing.T) {
	var s jsonscan.Scanner
	e, ok := OpenEvent(&s, []byte(`{"detail-type":"T","source":"x","account":"1","region":"r","detail":{"a":1}}`))
	if !ok || string(e.Type) != "T" || string(e.Detail) != `{"a":1}` || string(e.Region) != "r" {
		t.Errorf("%v %+v", ok, e)
	}
	for _, other := range []string{`{"detail":{}}`, `{"detail-type":"T","detail":"x"}`, `{"detail-type":"T","detail":{}`} {
		if _, ok := OpenEvent(&s, []byte(other)); ok {
			t.Error(other)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"owner":"1","logGroup":"g","logEvents":[{"timestamp":1,"message":"a"}]}`))
	f.Add([]byte("2026-03-01T10:00:00.000Z m n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var o Opener
		for rec, err := range Records(context.Background(), bytes.NewReader(data)) {
			if err != nil {
				continue
			}
			_, err := o.Open(rec)
			var skip *timeline.SkipError
			var reject *timeline.RejectError
			if err != nil && !errors.As(err, &skip) && !errors.As(err, &reject) {
				t.Error(err)
			}
		}
	})
}
