// Package kubeevents reads the Events of Kubernetes, core/v1 and
// events.k8s.io/v1: lists as kubectl get events -o json prints them, one event a
// line, and what kubectl get --watch and the watch API give.
package kubeevents

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
)

// Source is the source "kube-events".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "kube-events" }

// Sniff implements timeline.Source. The object at the top, or the first of a
// list, says what it is.
func (Source) Sniff(head []byte, _ string) int {
	var s jsonscan.Scanner
	s.Reset(bytes.TrimPrefix(bytes.TrimSpace(head), []byte("\ufeff")))
	if s.Kind() == '[' && !s.Array() || s.Kind() != '{' {
		return 0
	}
	return look(&s, 0)
}

// look reads an object as far as it is there.
func look(s *jsonscan.Scanner, depth int) int {
	kind, about, reason, watch := "", false, false, false
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch key := string(s.Key()); {
		case key == "kind":
			kind = string(s.Text())
		case key == "type" && s.Kind() == '"':
			v := string(s.Text())
			watch = v == "ADDED" || v == "MODIFIED" || v == "DELETED"
		case (key == "involvedObject" || key == "regarding") && s.Kind() == '{':
			about = true
			s.Skip()
		case key == "reason":
			reason = true
			s.Skip()
		case key == "auditID" || key == "requestURI":
			return 0
		case depth < 2 && key == "object" && s.Kind() == '{':
			return look(s, depth+1)
		case depth == 0 && key == "items" && s.Kind() == '[':
			if s.Array() && s.Kind() == '{' {
				return look(s, 1)
			}
		default:
			s.Skip()
		}
	}
	switch {
	case about && (reason || kind == "Event"):
		return 97
	case kind == "EventList", watch && kind == "Event":
		return 80
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{Members: []string{"items"}, Wraps: func(line []byte) bool {
		return bytes.Contains(line[:min(len(line), 512)], []byte(`"items"`))
	}}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return newParser() }
