package cloudtrail

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

type event struct {
	EventID         string
	CloudTrailEvent string
}

// independent counts the events of a file, and their ids, with the standard
// library.
func independent(t *testing.T, plain []byte) (n int, ids map[string]bool) {
	t.Helper()
	var all []event
	var file struct{ Records []event }
	switch err := json.Unmarshal(plain, &all); {
	case err == nil:
	case json.Unmarshal(plain, &file) == nil:
		all = file.Records
	default:
		all = lines(t, plain)
	}
	ids = map[string]bool{}
	for _, e := range all {
		if e.CloudTrailEvent != "" {
			if err := json.Unmarshal([]byte(e.CloudTrailEvent), &e); err != nil {
				t.Fatal(err)
			}
		}
		ids[strings.ToLower(e.EventID)] = true
	}
	return len(all), ids
}

func lines(t *testing.T, plain []byte) (all []event) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(plain))
	for {
		var e event
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
}

func TestRecorded(t *testing.T) {
	dir := sourcetest.Data(t, "cloudtrail")
	total := 0
	sourcetest.Files(t, dir, func(path string, plain []byte) {
		want, wantIDs := independent(t, plain)
		if (Source{}).Sniff(plain[:min(len(plain), 64<<10)], path) < 50 {
			t.Errorf("%s: not recognised", path)
		}
		ids := map[string]bool{}
		got, err := sourcetest.Read(Source{}, bytes.NewReader(plain), func(_ timeline.Record, e *timeline.Event) { ids[string(e.ID)] = true })
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(got.Rejected)+len(got.Skipped) > 0 || got.Events != want || len(ids) != len(wantIDs) {
			t.Errorf("%s: %+v and %d ids, want %d and %d", path, got, len(ids), want, len(wantIDs))
		}
		total += got.Events
	})
	if total != 2900+310+6 {
		t.Errorf("%d events in all", total)
	}
}
