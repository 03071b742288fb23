package main

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"amber/timeline/fetch/fetchtest"
)

// fetchRun runs amber with variables and gives its output and exit code.
func fetchRun(t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("amber", args...)
	home := filepath.Join(t.TempDir(), "home")
	cmd.Env = append(os.Environ(), append([]string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_STATE_HOME=" + home, "AMBER_CASE="}, env...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out) + stderr.String(), cmd.ProcessState.ExitCode()
}

var fetchBegan = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// TestTimelineFetch fetches from fakes of CloudTrail, Google Cloud Logging and
// Azure Monitor: what was kept becomes rows, the custody log has the digest of
// every file, and a change is told.
func TestTimelineFetch(t *testing.T) {
	trail := httptest.NewServer(&fetchtest.FakeCloudTrail{Events: 120, From: fetchBegan, Throttle: map[int]int{2: 1}})
	defer trail.Close()
	cloud := httptest.NewServer(&fetchtest.FakeCloud{Entries: 30, From: fetchBegan, Size: 20})
	defer cloud.Close()
	dir := filepath.Join(t.TempDir(), "case")
	env := []string{"AWS_ACCESS_KEY_ID=AKIDFAKE", "AWS_SECRET_ACCESS_KEY=secret", "CLOUDSDK_AUTH_ACCESS_TOKEN=fake-token", "AZURE_ACCESS_TOKEN=fake-token"}
	common := []string{"--case", dir, "--since", "2026-11-22T12:00:00Z", "--until", "2026-11-22T13:00:00Z"}
	fetch := func(name string, more ...string) []string {
		return append(append([]string{"timeline", "fetch", name}, common...), more...)
	}
	calls := [][]string{
		fetch("aws", "--endpoint", trail.URL, "--region", "eu-central-1"),
		fetch("gcp", "--endpoint", cloud.URL, "--project", "shop"),
		fetch("azure", "--endpoint", cloud.URL, "--subscription", "00000000-0000-4000-8000-000000000001"),
	}
	for _, args := range calls {
		if out, code := fetchRun(t, env, append(args, "--plan")...); code != 0 || !strings.Contains(out, "\nneeds  ") {
			t.Errorf("%q: exit %d\n%s", args, code, out)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a plan made a case")
	}
	for i, args := range calls {
		out, code := fetchRun(t, env, args...)
		if code != 0 || !strings.Contains(out, []string{"120 records", "30 records", "30 records"}[i]) {
			t.Fatalf("%q: exit %d\n%s", args, code, out)
		}
	}
	out, code := fetchRun(t, env, append(calls[0], "--output", "json")...)
	var again struct {
		Complete, Resumed bool
		Records           int
	}
	if err := json.Unmarshal([]byte(out), &again); err != nil || code != 0 || !again.Complete || !again.Resumed || again.Records != 120 {
		t.Errorf("a complete one again: %v, exit %d\n%s", err, code, out)
	}
	if out, code := fetchRun(t, env, "timeline", "build", "--case", dir); code != 0 || !strings.Contains(out, "cloudtrail") || !strings.Contains(out, "azure") {
		t.Fatalf("exit %d\n%s", code, out)
	}
	out, code = fetchRun(t, env, "timeline", "facets", "--case", dir, "event.dataset")
	for _, want := range []string{"120", "30"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, want %s\n%s", code, want, out)
		}
	}
	changedTold(t, env, dir)
}

// changedTold changes a file that was fetched, and expects case verify to say so.
func changedTold(t *testing.T, env []string, dir string) {
	t.Helper()
	if out, code := fetchRun(t, env, "case", "verify", "--case", dir); code != 3 {
		t.Errorf("an unsigned case: exit %d\n%s", code, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "fetched", "*-aws-*", "raw", "eu-central-1", "000002.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], []byte(strings.Replace(string(data), "mallory", "alice00", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := fetchRun(t, env, "case", "verify", "--case", dir); code != 4 || !strings.Contains(out, "000002.json") {
		t.Errorf("a changed file: exit %d\n%s", code, out)
	}
}
