package incidents_test

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"amber/evidence/casedir"
	"amber/testdata/incidents"
	"amber/testdata/incidents/truth"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/query"
	"amber/timeline/source/all"
	"amber/timeline/store"
)

// slack is by how much clocks of one machine disagree on what is one step: the
// kernel's ticks, and CloudTrail's seconds.
const slack = time.Second

// unpacked is the incident as a case with a timeline.
func unpacked(t *testing.T) (dir string, report build.Report) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "case")
	paths, err := incidents.Unpack(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := casedir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	report, err = build.Build(t.Context(), build.Options{Case: c, Paths: paths, Sources: all.Sources()})
	if err != nil {
		t.Fatal(err)
	}
	return dir, report
}

func opened(t *testing.T, dir string) *store.Store {
	t.Helper()
	at := filepath.Join(dir, "timeline")
	s, err := store.Open(at, store.OpenOptions{Raw: build.Raw(at)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func readTruth(t *testing.T) truth.Truth {
	t.Helper()
	all, err := incidents.ReadTruth()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// rows are those that a query matches.
func rows(t *testing.T, s *store.Store, text string, fields ...string) []timeline.Row {
	t.Helper()
	where, err := query.Parse(text, query.Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	page, err := s.Rows(t.Context(), timeline.Ask{Where: query.Widen(where), Fields: fields}, "", 1000)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return page.Rows
}

func window(s truth.Step) string {
	const form = "2006-01-02T15:04:05.000Z"
	return fmt.Sprintf("@timestamp:[%s TO %s]", s.From.Add(-slack).UTC().Format(form), s.To.Add(slack).UTC().Format(form))
}

// TestReadWhole: nothing of the record is lost on the way into the timeline.
func TestReadWhole(t *testing.T) {
	_, report := unpacked(t)
	var sources []string
	for _, s := range report.Sources {
		sources = append(sources, s.Source)
		if s.Rejected > 0 {
			t.Errorf("%s: %d records are rejected: %+v", s.Source, s.Rejected, s)
		}
	}
	for _, want := range []string{"kube-audit", "auditd", "cloudtrail", "amber-bundle", "amber-custody"} {
		if !slices.Contains(sources, want) {
			t.Errorf("no source %s among %v", want, sources)
		}
	}
}

// TestSteps: each step of the truth has its rows, in each source that saw it.
func TestSteps(t *testing.T) {
	dir, _ := unpacked(t)
	s := opened(t, dir)
	for _, step := range readTruth(t).Steps {
		if len(step.Seen) == 0 {
			t.Errorf("%s: nobody has seen it", step.ID)
		}
		for _, trace := range step.Seen {
			q := fmt.Sprintf("event.dataset:%s AND (%s) AND %s", trace.Dataset, trace.Query, window(step))
			if got := len(rows(t, s, q)); got < trace.Rows {
				t.Errorf("%s: %d rows where %d are wanted: %s", step.ID, got, trace.Rows, q)
			}
		}
	}
}

// TestOrder: the truth tells of the steps in the order in which they were taken.
func TestOrder(t *testing.T) {
	all := readTruth(t)
	for _, s := range all.Steps {
		if s.To.Before(s.From) || s.From.Before(all.From) || s.To.After(all.To) {
			t.Errorf("%s: from %s to %s, in a record from %s to %s", s.ID, s.From, s.To, all.From, all.To)
		}
	}
}

// TestLinks: both ends of each link are in the timeline.
func TestLinks(t *testing.T) {
	dir, _ := unpacked(t)
	s := opened(t, dir)
	for _, link := range readTruth(t).Links {
		for end, q := range map[string]string{"from": link.From, "to": link.To} {
			if len(rows(t, s, q)) == 0 {
				t.Errorf("%s has no %s: %s", link.ID, end, q)
			}
		}
	}
}

// TestSynthetic: what nobody has recorded says so in each of its records, and
// nothing else does.
func TestSynthetic(t *testing.T) {
	dir, _ := unpacked(t)
	s := opened(t, dir)
	synthetic := readTruth(t).Synthetic
	for _, r := range rows(t, s, "*", "event.dataset") {
		dataset := r.Values["event.dataset"].(string)
		raw, err := s.Raw(context.Background(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		said := contains(t, raw, "SYNTHETIC: ")
		if said != slices.Contains(synthetic, dataset) {
			t.Fatalf("a row of %s says that it is synthetic: %v", dataset, said)
		}
	}
}

// TestSmall: it is part of the program, and of every checkout.
func TestSmall(t *testing.T) {
	var size int64
	err := fs.WalkDir(incidents.Open(), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if size > 3<<19 {
		t.Errorf("the incident has %d bytes, and 1.5 MiB are the limit", size)
	}
	t.Logf("%d bytes", size)
}

// TestUnpackRefuses: what is there already is not written over.
func TestUnpackRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := incidents.Unpack(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := incidents.Unpack(dir); err == nil {
		t.Error("it is unpacked over another")
	}
}
