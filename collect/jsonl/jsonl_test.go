package jsonl

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"amber/evidence/record"
)

// parts is a sink that keeps members in the order they came.
type parts struct {
	paths []string
	data  [][]byte
	err   error
}

func (p *parts) Add(m *record.Member, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != m.Size {
		return errors.Join(err, errors.New("not its size"))
	}
	p.paths, p.data = append(p.paths, m.Path), append(p.data, b)
	return p.err
}

func (p *parts) Miss(string, error) error { return nil }

func TestLongListsComeInParts(t *testing.T) {
	sink := &parts{}
	w := New(sink, "x/list.jsonl", "test")
	const n = 20
	line := strings.Repeat("é<", 1<<19) // 1.5 MiB
	for range n {
		if err := w.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if len(sink.paths) < 3 || sink.paths[0] != "x/list.jsonl" || sink.paths[1] != "x/list-0002.jsonl" {
		t.Fatalf("members: %v", sink.paths)
	}
	seen := 0
	for i, b := range sink.data {
		if len(b) > 2*partSize {
			t.Errorf("part %d has %d bytes", i, len(b))
		}
		for l := range bytes.Lines(b) {
			var back string
			if err := json.Unmarshal(l, &back); err != nil || back != line {
				t.Fatalf("part %d: %v", i, err)
			}
			seen++
		}
	}
	if seen != n {
		t.Errorf("%d of %d records", seen, n)
	}
}

func TestNothingIsAMemberToo(t *testing.T) {
	sink := &parts{}
	if err := New(sink, "x.jsonl", "test").Close(); err != nil || len(sink.paths) != 1 || len(sink.data[0]) != 0 {
		t.Errorf("%v %v", sink.paths, err)
	}
}

func TestErrorOfTheSink(t *testing.T) {
	w := New(&parts{err: record.ErrFull}, "x.jsonl", "test")
	if err := w.Write(1); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, record.ErrFull) {
		t.Errorf("got %v", err)
	}
}
