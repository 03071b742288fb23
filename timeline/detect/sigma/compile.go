package sigma

import (
	"fmt"
	"slices"
	"strings"

	"amber/evidence/safetext"
	"amber/timeline/detect"
)

// compile makes matchers and correlations of all that was read.
func (l *loader) compile() {
	l.applyFilters()
	usable := map[string]bool{} // ids
	for _, s := range l.singles {
		m, err := l.matcher(s)
		if err != nil {
			l.fail(s.source, err)
			continue
		}
		usable[s.rule.ID] = true
		l.rules.Matchers = append(l.rules.Matchers, m)
	}
	l.correlate(usable)
}

// matcher binds a rule to the datasets that its log source means.
func (l *loader) matcher(s *single) (*matcher, error) {
	list, why := s.logsource.targets()
	if why != nil {
		return nil, why
	}
	var programs []*program
	missing := map[string][]string{} // field → datasets
	var fields []string
	for _, t := range list {
		p, lacks, filtering := build(t, s.detection.expr, s.filters)
		for _, f := range lacks {
			if missing[f] == nil {
				fields = append(fields, f)
			}
			missing[f] = append(missing[f], t.dataset)
		}
		for _, f := range filtering {
			l.doubt(s.source, "a filter asks for %s, which %s does not give: it may take nothing away there", f, t.dataset)
		}
		if never, ok := p.node.(always); !ok || bool(never) {
			programs = append(programs, p)
		}
	}
	if len(programs) == 0 {
		return nil, s.unable(fields)
	}
	for _, f := range fields {
		l.doubtful(s, f, missing[f], programs)
	}
	slices.SortFunc(programs, func(a, b *program) int { return strings.Compare(a.dataset, b.dataset) })
	return newMatcher(s.rule, programs), nil
}

// unable is why a rule can find nothing anywhere.
func (s *single) unable(fields []string) *fault {
	if len(fields) == 0 {
		return s.at(s.section, "its condition can never hold")
	}
	safe := make([]string, len(fields))
	for i, f := range fields {
		safe[i] = safetext.Line(clip(f))
	}
	return &fault{
		line: s.rule.Line, severity: detect.NotEvaluable, fields: fields,
		reason: fmt.Sprintf("no source of %s gives %s", s.logsource.String(), strings.Join(safe, ", ")),
	}
}

// doubtful says where a field is missing, and what becomes of the rule there.
func (l *loader) doubtful(s *single, field string, datasets []string, programs []*program) {
	var without, not []string
	for _, d := range datasets {
		if slices.ContainsFunc(programs, func(p *program) bool { return p.dataset == d }) {
			without = append(without, d)
		} else {
			not = append(not, d)
		}
	}
	text := reason("%s is not given by %s", field, strings.Join(datasets, ", "))
	if len(without) > 0 {
		text += ": what does not hang on it is evaluated in " + strings.Join(without, ", ")
	}
	if len(not) > 0 {
		text += "; not evaluated in " + strings.Join(not, ", ")
	}
	l.problem(s.path, s.rule.ID, &fault{line: s.rule.Line, severity: detect.Doubtful, reason: text, fields: []string{field}})
}
