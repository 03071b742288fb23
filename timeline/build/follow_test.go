package build

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"amber/timeline/source/all"
	"amber/timeline/source/mapped"
)

func appendTo(t *testing.T, path string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// following runs Follow and gives its reports.
type following struct {
	reports chan Report
	stop    func() error
}

func follow(t *testing.T, o Options) following {
	t.Helper()
	o.Sources = append(o.Sources, all.Sources()...)
	ctx, cancel := context.WithCancel(t.Context())
	f := following{reports: make(chan Report, 100)}
	done := make(chan error, 1)
	go func() { done <- Follow(ctx, o, func(r Report) { f.reports <- r }) }()
	f.stop = func() error {
		cancel()
		return <-done
	}
	return f
}

// until waits for n more rows.
func (f following) until(t *testing.T, n int64) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for n > 0 {
		select {
		case r := <-f.reports:
			if err := r.Check(); err != nil || r.Total.Rejected > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			n -= r.Total.Rows
		case <-late:
			t.Fatalf("%d rows did not come", n)
		}
	}
	if n != 0 {
		t.Fatalf("%d rows too many", -n)
	}
}

func TestFollow(t *testing.T) {
	c := newCase(t)
	path := t.TempDir() + "/audit.log"
	log := kubeLog(t, 1000, 1)
	lines := bytes.SplitAfter(log, []byte("\n"))
	appendTo(t, path, bytes.Join(lines[:100], nil))
	f := follow(t, Options{Case: c, Paths: []string{path}})
	f.until(t, 100)
	appendTo(t, path, bytes.Join(lines[100:200], nil))
	appendTo(t, path, lines[200][:50]) // a line that is half written
	f.until(t, 100)
	appendTo(t, path, lines[200][50:])
	f.until(t, 1)
	appendTo(t, path, lines[201])
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	appendTo(t, path+".1", bytes.TrimSuffix(lines[202], []byte("\n"))) // the writer has not noticed yet
	f.until(t, 1)
	appendTo(t, path, bytes.Join(lines[203:300], nil))
	f.until(t, 98)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	appendTo(t, path, lines[300])
	f.until(t, 1)
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if got := len(rows(t, c)); got != 301 {
		t.Errorf("%d rows", got)
	}
	appendTo(t, path, lines[301]) // it goes on where it stopped
	f = follow(t, Options{Case: c, Paths: []string{path}})
	f.until(t, 1)
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestFollowRefuses(t *testing.T) {
	m, err := mapped.New(mapped.Map{Name: "x", Format: "csv", Time: mapped.Time{Field: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	table := put(t, t.TempDir()+"/a.csv", []byte("t,u\n2026-01-01T00:00:00Z,1\n"))
	packed := put(t, t.TempDir()+"/a.gz", zipped(t, kubeLog(t, 1, 1)))
	for name, o := range map[string]Options{
		"compressed": {Paths: []string{packed}}, "a directory": {Paths: []string{t.TempDir()}}, "absent": {Paths: []string{packed + "x"}},
		"a table": {Paths: []string{table}, As: "x"},
	} {
		o.Case = newCase(t)
		o.Sources = append(all.Sources(), m)
		if err := Follow(t.Context(), o, func(Report) {}); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
