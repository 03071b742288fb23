package kubeaudit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

// independent counts the events of a file, and their different ids, with the
// standard library.
func independent(t *testing.T, plain []byte) (events int, ids map[string]bool) {
	t.Helper()
	ids = map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(plain))
	for {
		var v struct {
			AuditID string
			Items   []struct{ AuditID string }
		}
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return events, ids
		}
		if err != nil {
			t.Fatal(err)
		}
		if v.AuditID != "" {
			v.Items = append(v.Items, struct{ AuditID string }{v.AuditID})
		}
		for _, item := range v.Items {
			events++
			ids[item.AuditID] = true
		}
	}
}

func TestRecorded(t *testing.T) {
	dir := sourcetest.Data(t, "kube-audit")
	total := 0
	sourcetest.Files(t, dir, func(path string, plain []byte) {
		want, wantIDs := independent(t, plain)
		if Source.Sniff(Source{}, plain[:min(len(plain), 64<<10)], path) == 0 {
			t.Errorf("%s: not recognised", path)
		}
		ids := map[string]bool{}
		got, err := sourcetest.Read(Source{}, bytes.NewReader(plain), func(_ timeline.Record, e *timeline.Event) { ids[string(e.ID)] = true })
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(got.Rejected) > 0 || got.Events != want || len(ids) != len(wantIDs) {
			t.Errorf("%s: %+v and %d ids, want %d and %d", path, got, len(ids), want, len(wantIDs))
		}
		if skipped, _ := got.Lost(); skipped > 0 && want > 0 {
			t.Errorf("%s: passed over %v", path, got.Skipped)
		}
		total += got.Events
	})
	if total < 5800 {
		t.Errorf("only %d events in all", total)
	}
	t.Logf("%d events, none rejected", total)
}
