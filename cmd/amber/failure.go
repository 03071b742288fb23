package main

import (
	"errors"
	"slices"
	"strings"

	"amber/container"
)

// failure is what --output json prints of a command that ended before it had a
// result: whoever parses standard output gets one document in any case.
type failure struct {
	Error      string   `json:"error"`
	Candidates []string `json:"candidates,omitempty"` // targets, where one is not known or not the only one
	Exit       int      `json:"exit"`
}

func failureOf(err error, code int) failure {
	f := failure{Error: err.Error(), Exit: code}
	var (
		unknown *container.NotFoundError
		several *container.AmbiguousError
		list    []container.Container
	)
	switch {
	case errors.As(err, &unknown):
		list = unknown.Candidates
	case errors.As(err, &several):
		list = several.Candidates
	}
	for _, c := range list {
		f.Candidates = append(f.Candidates, c.Ref())
	}
	return f
}

// inPieces are the commands that write rows or pages to standard output by ways
// of their own: what they have printed is not known here.
var inPieces = []string{"timeline", "detect", "story", "report", "tui"}

// asksJSON reports whether a command line wants one JSON document on standard
// output. What writes evidence there (cat, --to -) does not.
func asksJSON(args []string) bool {
	if len(args) == 0 || slices.Contains(inPieces, args[0]) {
		return false
	}
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	json := false
	for i, a := range args {
		name, value, joined := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch {
		case a == "cat", strings.HasPrefix(a, "-") && name == "to" && value == "-":
			return false
		case strings.HasPrefix(a, "-") && (name == "output" || name == "o"):
			json = value == "json"
		}
	}
	return json
}
