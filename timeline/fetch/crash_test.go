package fetch_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"amber/evidence/durable/durabletest"
	"amber/timeline/fetch/fetchtest"
)

var began = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// TestKilledAnywhere kills a fetch at each of its steps. One that is begun
// again ends with each event once, and every file as the cursor has it.
func TestKilledAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs a fetch for every step of one")
	}
	bin := durabletest.Build(t, "./testdata/fetcher")
	server := httptest.NewServer(&fetchtest.FakeCloudTrail{Events: 120, From: began})
	defer server.Close()
	points, died := fetchOnce(t, bin, t.TempDir(), server.URL, 0)
	if died || len(points) < 30 {
		t.Fatalf("%d steps, died %v", len(points), died)
	}
	for at := 1; at <= len(points); at++ {
		dir := t.TempDir()
		if _, died := fetchOnce(t, bin, dir, server.URL, at); !died {
			t.Fatalf("it lived behind %s", points[at-1])
		}
		if _, died := fetchOnce(t, bin, dir, server.URL, 0); died {
			t.Fatal("died unasked")
		}
		if n := eventsIn(t, dir); n != 120 {
			t.Errorf("killed at %s and begun again: %d events, want 120", points[at-1], n)
		}
	}
	t.Logf("%d steps", len(points))
}

func fetchOnce(t *testing.T, bin, dir, url string, at int) (points []string, died bool) {
	t.Helper()
	cmd := exec.Command(bin, dir, url, "2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z")
	return durabletest.Run(t, cmd, at)
}

// eventsIn counts the events of all files below raw, and fails on one that is
// there twice, and on a file that the cursor does not have so.
func eventsIn(t *testing.T, dir string) int {
	t.Helper()
	lines := map[string]string{}
	seen := map[string]bool{}
	complete := 0
	err := filepath.WalkDir(filepath.Join(dir, "fetched"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch {
		case d.Name() == "cursor.jsonl":
			complete += readLines(t, filepath.Dir(path), data, lines)
		case strings.Contains(path, "/raw/"):
			sum := sha256.Sum256(data)
			if lines[path] != hex.EncodeToString(sum[:]) {
				t.Errorf("%s is not as the cursor has it", path)
			}
			var page struct{ Events []struct{ EventID string } }
			if err := json.Unmarshal(data, &page); err != nil {
				return err
			}
			for _, e := range page.Events {
				if seen[e.EventID] {
					t.Errorf("%s is there twice", e.EventID)
				}
				seen[e.EventID] = true
			}
		case d.Name() != "request.json" && !strings.Contains(path, "/superseded/"):
			t.Errorf("%s was left", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if complete != 1 {
		t.Errorf("%d complete fetches, want 1", complete)
	}
	return len(seen)
}

func readLines(t *testing.T, dir string, data []byte, sums map[string]string) (complete int) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n") {
		var l struct {
			File, SHA256 string
			Done         bool
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.File != "" {
			sums[filepath.Join(dir, l.File)] = l.SHA256
		}
		if l.Done {
			complete++
		}
	}
	return complete
}
