package falco

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"amber/evidence/safetext"
	"amber/timeline/detect"
)

// Load reads all rule files (*.yaml, *.yml) below a folder in the order of their
// paths, which is the order in which Falco reads a folder: a file can append to
// and override what those before it define. Sigma's rules among them are passed
// over.
func Load(fsys fs.FS) detect.Rules {
	var names []string
	var l loader
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch ext := path.Ext(name); {
		case err != nil:
			l.problem(detect.Problem{Path: name, Severity: detect.Invalid, Reason: reason(err)})
		case d.Type().IsRegular() && (ext == ".yaml" || ext == ".yml"):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		l.problem(detect.Problem{Path: ".", Severity: detect.Invalid, Reason: reason(err)})
	}
	slices.Sort(names)
	l.mixed = true
	return l.files(fsys, names)
}

// LoadFiles reads the files that are named, in that order.
func LoadFiles(fsys fs.FS, names ...string) detect.Rules {
	var l loader
	return l.files(fsys, names)
}

// IsFalco reports whether a rule file is one of Falco's: its top is a list, where
// Sigma's rules are maps.
func IsFalco(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimRight(line, " \t\r\n")
		if len(line) > 0 && line[0] != '#' && line[0] != '%' && string(line) != "---" {
			return line[0] == '-' || line[0] == '['
		}
	}
	return false
}

// isSigma knows Sigma's rules, correlations and filters by the keys that each
// has one of.
func isSigma(data []byte) bool {
	if IsFalco(data) {
		return false
	}
	for line := range bytes.Lines(data) {
		for _, key := range []string{"detection:", "correlation:", "filter:"} {
			if bytes.HasPrefix(line, []byte(key)) {
				return true
			}
		}
	}
	return false
}

// loader gathers what files define, and then compiles the rules.
type loader struct {
	book     book
	problems []detect.Problem
	mixed    bool // there may be rules of another language, which have another reader
}

func (l *loader) files(fsys fs.FS, names []string) detect.Rules {
	l.book = newBook()
	for _, name := range names {
		data, err := read(fsys, name)
		if err != nil {
			l.problem(detect.Problem{Path: name, Severity: detect.Invalid, Reason: reason(err)})
			continue
		}
		if !l.mixed || !isSigma(data) {
			l.file(name, data)
		}
	}
	out := l.compile()
	slices.SortStableFunc(l.problems, func(a, b detect.Problem) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), a.Line-b.Line)
	})
	out.Problems = l.problems
	return out
}

// read reads a file, one byte more than it may have at most.
func read(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening rules: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading rules: %w", err)
	}
	return data, nil
}

func (l *loader) file(name string, data []byte) {
	its, faults := items(name, data)
	for _, f := range faults {
		l.problem(detect.Problem{Path: name, Line: f.line, Rule: f.name, Severity: detect.Invalid, Reason: reason(f.err)})
	}
	license := licence(data)
	for i := range its {
		it := &its[i]
		if err := l.book.add(it, license, l.problem); err != nil {
			l.problem(detect.Problem{Path: name, Line: it.line, Rule: it.title(), Severity: detect.Invalid, Reason: reason(err)})
		}
	}
}

// title is what an item is called, for problems.
func (it *item) title() string {
	for _, key := range []string{"rule", "macro", "list"} {
		if s, err := it.text(key); err == nil && s != "" {
			return s
		}
	}
	return ""
}

// problem keeps a problem, its texts made safe to print.
func (l *loader) problem(p detect.Problem) {
	p.Path, p.Rule, p.Reason = safetext.Line(p.Path), safetext.Line(p.Rule), safetext.Line(p.Reason)
	for i, f := range p.Fields {
		p.Fields[i] = safetext.Line(f)
	}
	l.problems = append(l.problems, p)
}

func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// licence is what the comments at a file's top say of its licence.
func licence(data []byte) string {
	const apache = "Apache-2.0"
	head := string(data[:min(len(data), 4096)])
	for line := range strings.Lines(head) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			break
		}
		if _, id, ok := strings.Cut(line, "SPDX-License-Identifier:"); ok {
			return strings.TrimSpace(id)
		}
		if strings.Contains(line, "Licensed under the Apache License, Version 2.0") {
			return apache
		}
	}
	return ""
}
