package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"

	"amber/timeline/source/sourcetest"
)

// logFile is a generated log and what is made of it.
type logFile struct {
	name  string // the dataset
	path  string
	peer  string // DuckDB's Parquet file
	built string // amber's case, with --reference
	size  int64
	sql   string // DuckDB's statement
	peers []column
	ids   []string // columns of random ids of 16 bytes that a record has of its own
}

// generate writes the logs and tells how they compress.
func (b *bench) generate() error {
	kube := &logFile{name: "kube-audit", sql: kubeSQL, peers: kubeColumns, ids: []string{"kubernetes.audit.auditID"}}
	cloud := &logFile{name: "cloudtrail", sql: cloudSQL, peers: cloudColumns, ids: []string{"aws.cloudtrail.event_id", "aws.cloudtrail.request_id"}}
	b.logs = []*logFile{kube, cloud}
	for _, l := range b.logs {
		l.path, l.peer, l.built = b.path(l.name+".jsonl"), b.path(l.name+".parquet"), b.path("case-"+l.name)
		l.sql = strings.NewReplacer("$IN", l.path, "$OUT", l.peer).Replace(l.sql)
		f, err := os.Create(l.path)
		if err != nil {
			return err
		}
		if l == kube {
			err = kubeLog(f, b.events)
		} else {
			err = sourcetest.CloudTrail(f, b.events, 2, true)
		}
		if err != nil {
			return err
		}
		if l.size, err = f.Seek(0, io.SeekCurrent); err != nil {
			return err
		}
		if err := f.Sync(); err != nil { // what is dirty would be written while others are measured
			return err
		}
		stored, err := zstdSize(f)
		if err != nil {
			return err
		}
		b.note(l.name, fmt.Sprintf("%d events, %.1f MB, %.0f bytes an event; zstd (default level) %.1f MB, ratio %.1f",
			b.events, float64(l.size)/1e6, float64(l.size)/float64(b.events), float64(stored)/1e6, float64(l.size)/float64(stored)))
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// rare are words that one row each has.
var rare = []string{"kdevtmpfsi", "kinsing", "xmrigdaemon", "mimipenguin"}

// kubeLog writes a log of n events, among them the rare words'.
func kubeLog(w io.Writer, n int) error {
	if err := sourcetest.KubeAudit(w, n-len(rare), 1); err != nil {
		return err
	}
	for i, word := range rare {
		at := fmt.Sprintf("2026-11-20T00:0%d:00.000001Z", i)
		if _, err := fmt.Fprintf(w, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"00000000-0000-4000-a000-00000000000%d","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/team-00/configmaps/%s","verb":"get","user":{"username":"user-0","groups":["team","system:authenticated"]},"sourceIPs":["10.0.0.1"],"userAgent":"curl/8.14.1","objectRef":{"resource":"configmaps","namespace":"team-00","name":"%s","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"%s","stageTimestamp":"%s","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC"}}`+"\n", i, word, word, at, at); err != nil {
			return err
		}
	}
	return nil
}

// zstdSize is how much a file takes once it is compressed.
func zstdSize(f *os.File) (int64, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	var n counter
	w, err := zstd.NewWriter(&n, zstd.WithEncoderConcurrency(2))
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(w, f); err != nil {
		return 0, err
	}
	return int64(n), w.Close()
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
