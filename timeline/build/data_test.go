package build

import (
	"testing"

	"amber/timeline/source/sourcetest"
)

// TestRecorded builds the recorded logs of these sources into one timeline, with
// nothing rejected.
func TestRecorded(t *testing.T) {
	c := newCase(t)
	r := built(t, Options{Case: c, Paths: []string{sourcetest.Data(t, "kube-audit"), sourcetest.Data(t, "cloudtrail"), sourcetest.Data(t, "auditd"), sourcetest.Data(t, "tetragon")}})
	if r.Total.Rejected != 0 || r.Files.Unreadable != 0 {
		t.Errorf("%+v", r)
	}
	for _, s := range r.Sources {
		t.Logf("%s: %d files, %+v, skips %v", s.Source, s.Files, s.Counts, s.Skips)
		want := map[string]int64{"kube-audit": 5848, "cloudtrail": 3216}[s.Source]
		if want > 0 && s.Read != want {
			t.Errorf("%s: %d records, want %d", s.Source, s.Read, want)
		}
	}
	if got := int64(len(rows(t, c))); got != r.Total.Rows {
		t.Errorf("%d rows, the report says %d", got, r.Total.Rows)
	}
}
