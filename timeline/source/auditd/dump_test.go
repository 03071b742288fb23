package auditd

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
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

// read joins a whole file as the reader of a build does, with no bound on its
// window.
func read(t testing.TB, data []byte, each func(*timeline.Event)) (c counts) {
	t.Helper()
	var groups [][]timeline.Record
	place := map[string]int{}
	p := Source{}.NewParser()
	for rec, err := range (Source{}).Records(t.Context(), bytes.NewReader(data)) {
		if c.reject(t, err) {
			continue
		}
		c.records++
		rec.Data = slices.Clone(rec.Data)
		key, joins := p.(timeline.Joiner).Key(rec)
		if i, ok := place[string(key)]; ok && joins {
			groups[i] = append(groups[i], rec)
			continue
		}
		if joins {
			place[string(key)] = len(groups)
		}
		groups = append(groups, []timeline.Record{rec})
	}
	for _, g := range groups {
		emit := func(e *timeline.Event) error {
			c.events++
			each(e)
			return nil
		}
		var err error
		if len(g) == 1 {
			err = p.Parse(g[0], emit)
		} else {
			err = p.(timeline.Joiner).Join(g, emit)
		}
		c.reject(t, err)
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
