// Package gcp reads entries of Google Cloud Logging: Cloud Audit Logs (admin
// activity, data access, system events, denials of policies), VPC flow logs, and
// any other log as what it says.
//
// Entries come as the log router writes them (LogEntry, in JSON lines: sinks to
// Cloud Storage, gcloud), in arrays, in answers of entries.list, and as rows of
// BigQuery, whose tables name the payload protopayload_auditlog and have what is
// inside of it in strings.
//
// What GKE's API server says is read by package kubeaudit, and gives the rows
// that the cluster's own log would have given.
package gcp

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/members"
)

// Source is the source "gcp".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "gcp" }

// Sniff implements timeline.Source. The members at the top decide, whatever the
// entry holds; of what a shipper wrapped those in it.
func (Source) Sniff(head []byte, _ string) int {
	if inner := members.Shipped(head); inner != nil {
		if n := sniff(inner); n > 0 {
			return n
		}
	}
	return sniff(head)
}

func sniff(head []byte) int {
	met := members.Head(head, wraps, "logName", "insertId", "timestamp", "receiveTimestamp", "protopayload_auditlog", "resource")
	name, id, time, received, table, resource := met[0], met[1], met[2], met[3], met[4], met[5]
	switch {
	case table && (name || time), name && id && (time || received):
		return 97
	case name && resource && (time || received):
		return 90
	case contains(head, `"logName"`) && contains(head, `cloudaudit.googleapis.com`):
		return 60 // its first entry is longer than what is seen
	case isPublished(head):
		return 97
	}
	return 0
}

func contains(b []byte, s string) bool { return bytes.Contains(b, []byte(s)) }

var wraps = []string{"entries", "receivedMessages"}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{Members: wraps, Wraps: func(line []byte) bool {
		head := line[:min(len(line), 512)]
		return contains(head, `"entries"`) || contains(head, `"receivedMessages"`)
	}}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser {
	return &parser{Row: members.NewRow(table()), cluster: kubeaudit.Source{}.NewParser()}
}
