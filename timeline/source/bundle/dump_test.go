package bundle

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

// dump shows an event as text, a field a line.
func dump(e *timeline.Event) string {
	return fmt.Sprintf("id %q, sub %d, part %d\n%s", e.ID, e.Sub, e.Part, sourcetest.Dump(e))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	a, b := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			t.Fatalf("%s, line %d: got %q; -update writes it anew", name, i+1, a[i])
		}
	}
	if len(a) != len(b) {
		t.Errorf("%s has %d lines, got %d", name, len(b), len(a))
	}
}

// counts is what became of a file's records.
type counts struct {
	events, records, skipped, rejected int
	reasons                            []string
}

// readAll parses all records of a bundle.
func readAll(t testing.TB, b *Bundle, each func(timeline.Record, *timeline.Event)) (c counts) {
	t.Helper()
	p := b.NewParser()
	for rec, err := range b.Records(t.Context()) {
		if c.reject(t, err) {
			continue
		}
		c.records++
		before := c.events
		if !c.reject(t, p.Parse(rec, func(e *timeline.Event) error {
			c.events++
			each(rec, e)
			return nil
		})) && c.events == before {
			t.Errorf("record %d of kind %d is gone", rec.Line, rec.Kind)
		}
	}
	return c
}

func (c *counts) reject(t testing.TB, err error) bool {
	t.Helper()
	var skip *timeline.SkipError
	var reject *timeline.RejectError
	switch {
	case err == nil:
		return false
	case errors.As(err, &skip):
		c.skipped++
		c.reasons = append(c.reasons, string(skip.Reason))
	case errors.As(err, &reject):
		c.rejected++
		c.reasons = append(c.reasons, string(reject.Reason))
	default:
		t.Fatal(err)
	}
	return true
}
