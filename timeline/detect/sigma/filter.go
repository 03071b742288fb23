package sigma

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
)

// filter is a rule that takes matches away from others.
type filter struct {
	*source
	rules []string // ids or names; none for all
	takes expr     // what is taken away
}

// filter reads one. The specification's condition selects what is to be taken
// away; that of pySigma, "not …", what is to be left. Both are read as they are
// meant.
func (l *loader) filter(s *source) error {
	f := &filter{source: s}
	if err := f.readRules(); err != nil {
		return err
	}
	p := &parser{document: s.document, placeholders: l.options.Placeholders}
	d, err := p.detection(s.section, "filter")
	if err != nil {
		return err
	}
	s.doubts = append(s.doubts, d.doubts...)
	f.takes = d.expr
	if n, ok := d.expr.(notExpr); ok {
		f.takes = n.of
	}
	l.filters = append(l.filters, f)
	return nil
}

// readRules reads which rules a filter is for; none in f are all.
func (f *filter) readRules() error {
	list, err := f.entries(f.section, "filter")
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.name != "rules" {
			continue
		}
		if e.is.Kind == yaml.ScalarNode && (strings.EqualFold(e.is.Value, "any") || strings.EqualFold(e.is.Value, "all")) {
			return nil
		}
		if f.rules, err = f.texts(e.is, "rules"); err == nil && len(f.rules) > 0 {
			return nil
		}
	}
	if err != nil {
		return err
	}
	return f.at(f.section, "filter has no rules: it names none, nor \"any\"")
}

func (l *loader) applyFilters() {
	for _, f := range l.filters {
		if err := f.source.evaluable(); err != nil {
			l.fail(f.source, err)
			continue
		}
		applied := map[string]bool{}
		for _, s := range l.singles {
			if name, ok := f.names(s); ok {
				applied[name] = true
				if f.logsource.covers(s.logsource) {
					s.filters = append(s.filters, f.takes)
				} else if f.rules != nil {
					l.doubt(f.source, "it names the rule %q, which is of another log source (%s): it is not applied to it", name, s.logsource.String())
				}
			}
		}
		for _, name := range f.rules {
			if !applied[name] {
				l.doubt(f.source, "it names the rule %q, which is not among those that can be filtered here", name)
			}
		}
	}
}

// names tells whether a filter is for a rule, and by which name.
func (f *filter) names(s *single) (string, bool) {
	if f.rules == nil {
		return s.rule.ID, f.logsource.covers(s.logsource)
	}
	for _, name := range f.rules {
		if name == s.rule.ID || name == s.rule.Name {
			return name, true
		}
	}
	return "", false
}

// evaluable tells whether there is any source of a rule's logs.
func (s *source) evaluable() error {
	if _, why := s.logsource.targets(); why != nil {
		return why
	}
	return nil
}

func (l *loader) doubt(s *source, format string, args ...any) {
	f := s.at(s.root, format, args...)
	f.severity = detect.Doubtful
	l.problem(s.path, s.rule.ID, f)
}
