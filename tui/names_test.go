package tui

import (
	"strings"
	"testing"
)

// A field that the timeline has nowhere is a mistake, not an empty answer; one
// without a column is offered, and a name that is hostile is not.
func TestNames(t *testing.T) {
	events := append(fixture(), small{dataset: "x", more: map[string]string{"a\x1b[31m b": "1"}})
	s := newStage(t, caseOf(t, storeOf(t, events)), 120, 40)
	rows := len(events)
	if s.keys("/nosuch.field:x<enter>"); s.m.over == nil || s.m.tl.view.Filter != "" {
		t.Errorf("the filter is %q", s.m.tl.view.Filter)
	}
	if v := s.view(); !strings.Contains(v, "^ ") || !strings.Contains(v, "nosuch.field") {
		t.Error(v)
	}
	s.keys("<ctrl+u>aws.cloud")
	if v := s.view(); !strings.Contains(v, "aws.cloudtrail.user_identity.access_key_id:") {
		t.Error(v)
	}
	s.keys("<tab>AKIAEXAMPLE<enter>")
	if want := "aws.cloudtrail.user_identity.access_key_id:AKIAEXAMPLE"; s.m.over != nil || s.m.tl.view.Filter != want {
		t.Errorf("the filter is %q of %d rows", s.m.tl.view.Filter, rows)
	}
	if s.keys("/<ctrl+u>a<ctrl+u>a"); strings.Contains(s.view(), "[31m") {
		t.Error(s.view())
	}
	s.keys("<esc><esc>")
	for _, open := range []func(){s.m.addColumn, s.m.facetAdd} {
		open()
		s.settle()
		if s.keys("user.nam<enter>"); s.m.over == nil || !strings.Contains(s.view(), "did you mean user.name?") {
			t.Error(s.view())
		}
		if s.keys("e<enter>"); s.m.over != nil {
			t.Error(s.view())
		}
	}
}
