package main

import (
	"errors"
	"strings"
	"testing"

	"amber/container"
)

func TestAsksJSON(t *testing.T) {
	for line, want := range map[string]bool{
		"respond --output json x":             true,
		"respond --output=json x":             true,
		"ps -o json":                          true,
		"ps -o=json":                          true,
		"ps":                                  false,
		"timeline query --output json x":      false,
		"":                                    false,
		"ps --output text":                    false,
		"ps --output":                         false,
		"collect --output json --to - x":      false,
		"evidence cat --output json id path":  false,
		"evidence extract -o json --to dir x": true,
		"sandbox x -- prog -o json":           false,
	} {
		if got := asksJSON(strings.Fields(line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func TestEscapedOnce(t *testing.T) {
	for in, want := range map[string]string{
		`argv[0] \x1b[31m is not`: `argv[0] \x1b[31m is not`,
		"argv[0] \x1b[31m is not": `argv[0] \x1b[31m is not`,
		"\\\x1b":                  `\\\x1b`,
		"plain":                   "plain",
	} {
		if got := escapedOnce(in); got != want {
			t.Errorf("%q is shown as %q", in, got)
		}
	}
}

func TestFailureNamesCandidates(t *testing.T) {
	err := error(&container.AmbiguousError{Candidates: []container.Container{{Runtime: "docker", ID: "a"}, {Runtime: "docker", ID: "b"}}})
	if f := failureOf(err, exitUsage); len(f.Candidates) != 2 || f.Exit != exitUsage || f.Error == "" {
		t.Errorf("%+v", f)
	}
	if f := failureOf(errors.New("no"), exitFailed); len(f.Candidates) != 0 || f.Error != "no" {
		t.Errorf("%+v", f)
	}
}
