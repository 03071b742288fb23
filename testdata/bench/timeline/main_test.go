package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline/source/sourcetest"
)

// amberDir holds the real program, built once for all tests.
var amberDir string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "amber-duckdb-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "amber"), "./cmd/amber")
	build.Dir = "../../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building amber: %v\n%s", err, out)
		return 1
	}
	amberDir = dir
	return m.Run()
}

// shell runs a line of the cookbook, with amber found first.
func shell(t *testing.T, caseDir, line string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Env = append(os.Environ(), "PATH="+amberDir+":"+os.Getenv("PATH"), "AMBER_CASE="+caseDir, "AMBER_HOLDS="+filepath.Join(caseDir, "..", "holds"))
	var msg bytes.Buffer
	cmd.Stderr = &msg
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, msg.String())
	}
	return string(out)
}

// generated is a case with generated logs, n events of each kind.
func generated(t *testing.T, n int) string {
	t.Helper()
	logs, dir := t.TempDir(), filepath.Join(t.TempDir(), "case")
	writeLog(t, filepath.Join(logs, "kube.jsonl"), func(w io.Writer) error { return sourcetest.KubeAudit(w, n, 7) })
	writeLog(t, filepath.Join(logs, "cloud.jsonl"), func(w io.Writer) error { return sourcetest.CloudTrail(w, n, 8, true) })
	shell(t, dir, "amber timeline build '"+logs+"'")
	return dir
}

func writeLog(t *testing.T, path string, write func(io.Writer) error) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// duckRows asks DuckDB.
func duckRows(t *testing.T, text string) [][]string {
	t.Helper()
	db, err := openDuck(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := fetch(t.Context(), db, text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return rows
}

func lines(text string) []string {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
