//go:build incident

package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"amber/testdata/testbed"
)

// write puts the record where it is kept. An older one stays until the new one
// is whole: programs embed it.
func write(t *testing.T, k *testbed.Kubernetes, a *attack, caseDir string) {
	t.Helper()
	dir := filepath.Join(*out, ".new")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	from, to := a.diary.minutes()
	if err := os.CopyFS(filepath.Join(dir, "case"), os.DirFS(caseDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "case", "lock")); err != nil { // of nobody
		t.Fatal(err)
	}
	pack(t, dir, "kube-audit.jsonl.zst", lines(t, k.AuditLog, from, to, auditTime))
	pack(t, dir, "audit.log.zst", ofCluster(lines(t, os.Getenv(worldEnv), from, to, auditdTime)))
	cloud, err := json.Marshal(map[string]any{"Records": a.cloudTrail()})
	if err != nil {
		t.Fatal(err)
	}
	pack(t, dir, cloudTrailFile, append(cloud, '\n'))
	writeTruth(t, filepath.Join(dir, "truth.json"), a.diary)
	for _, name := range []string{"case", "logs", "truth.json"} {
		to := filepath.Join(*out, name)
		if err := errors.Join(os.RemoveAll(to), os.Rename(filepath.Join(dir, name), to)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
}

var stamp = regexp.MustCompile(`msg=audit\((\d+)\.(\d+):`)

// auditdTime is the time of a line of audit.log.
func auditdTime(line []byte) (at time.Time, ok bool) {
	m := stamp.FindSubmatch(line)
	if m == nil {
		return at, false
	}
	var s, ms int64
	if json.Unmarshal(m[1], &s) != nil || json.Unmarshal(bytes.TrimLeft(append(m[2], ' '), "0 "), &ms) != nil && string(m[2]) != "000" {
		return at, false
	}
	return time.Unix(s, ms*1e6), true
}

// auditTime is the time of a line of the API server's log.
func auditTime(line []byte) (time.Time, bool) {
	var e struct{ StageTimestamp time.Time }
	return e.StageTimestamp, json.Unmarshal(line, &e) == nil && !e.StageTimestamp.IsZero()
}

// lines are those of a log that are of these minutes.
func lines(t *testing.T, file string, from, to time.Time, when func([]byte) (time.Time, bool)) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var kept bytes.Buffer
	r, n := bufio.NewReader(f), 0
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			t.Logf("%s: %d lines", filepath.Base(file), n)
			return kept.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
		at, ok := when(line)
		if !ok {
			t.Fatalf("%s: no time in %s", file, line)
		}
		if !at.Before(from) && at.Before(to) {
			kept.Write(line)
			n++
		}
	}
}

var serialOf = regexp.MustCompile(`msg=audit\([0-9.:]+\)`)

var loginUID = regexp.MustCompile(` auid=(\d+)`)

// ofCluster leaves out the events of other processes of the machine that the
// kernel records unasked: those whose login is another.
func ofCluster(log []byte) []byte {
	foreign := map[string]bool{}
	serial := func(line []byte) string { return string(serialOf.Find(line)) }
	for line := range bytes.Lines(log) {
		if m := loginUID.FindSubmatch(line); m != nil && string(m[1]) != login && !bytes.HasPrefix(line, []byte("type=DAEMON_")) {
			foreign[serial(line)] = true
		}
	}
	var kept []byte
	for line := range bytes.Lines(log) {
		if !foreign[serial(line)] {
			kept = append(kept, line...)
		}
	}
	return kept
}

func pack(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	path := filepath.Join(dir, "logs", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	stored := w.EncodeAll(data, nil)
	t.Logf("%s: %d bytes, %d stored", name, len(data), len(stored))
	if err := os.WriteFile(path, stored, 0o644); err != nil {
		t.Fatal(err)
	}
}
