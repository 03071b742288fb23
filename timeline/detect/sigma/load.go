package sigma

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"amber/evidence/safetext"
	"amber/timeline/detect"
)

// Options say what rules cannot know.
type Options struct {
	// Placeholders are the values of %names% in values with the modifier expand.
	Placeholders map[string][]string
}

// Load reads all files of rules (*.yml, *.yaml) in the trees: rules, correlations,
// and filters, which apply to the rules of all the trees. What cannot be used is
// among the problems; everything else works. Documents of Falco, which are lists,
// are passed over.
func Load(trees ...fs.FS) detect.Rules { return Options{}.Load(trees...) }

// Load is the function Load with options.
func (o Options) Load(trees ...fs.FS) detect.Rules {
	l := &loader{options: o, byName: map[string]*source{}}
	for _, t := range trees {
		l.tree(t)
	}
	l.compile()
	slices.SortStableFunc(l.rules.Problems, func(a, b detect.Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
	})
	return l.rules
}

type loader struct {
	options      Options
	rules        detect.Rules
	files        int
	total        int
	singles      []*single
	correlations []*source
	filters      []*filter
	byName       map[string]*source // by id and by name
}

// single is a rule of single events that was read.
type single struct {
	*source
	detection *detection
	filters   []expr
}

func (l *loader) tree(t fs.FS) {
	err := fs.WalkDir(t, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			l.file(name, err)
			return nil
		}
		if ext := strings.ToLower(path.Ext(name)); e.IsDir() || ext != ".yml" && ext != ".yaml" {
			return nil
		}
		if l.files++; l.files > maxFiles {
			l.file(name, errors.New("there are too many files; this and all behind it are not read"))
			return fs.SkipAll
		}
		text, err := l.read(t, name)
		if err != nil {
			l.file(name, err)
			return nil
		}
		l.documents(name, text)
		return nil
	})
	if err != nil {
		l.file(".", err)
	}
}

var (
	errFile  = errors.New("the file is larger than 4 MiB")
	errTotal = errors.New("the files are larger than 512 MiB together; this one is not read")
	errPlain = errors.New("it is no regular file")
)

// read never blocks: what is no file, as a pipe, is not opened.
func (l *loader) read(t fs.FS, name string) ([]byte, error) {
	if info, err := fs.Stat(t, name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errPlain
	}
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if l.total += len(text); l.total > maxTotal {
		return nil, errTotal
	}
	if len(text) > maxFile {
		return nil, errFile
	}
	return text, nil
}

func (l *loader) documents(name string, text []byte) {
	chunks := split(text)
	if len(chunks) > maxDocuments {
		l.file(name, errors.New("it has more than 10,000 documents; those behind them are not read"))
		chunks = chunks[:maxDocuments]
	}
	for _, c := range chunks {
		d, err := parse(name, c)
		if err != nil {
			l.problem(name, "", asFault(err, c.line))
			continue
		}
		if d.root != nil && !ofFalco(d.root) {
			l.document(d)
		}
	}
}

// ofFalco reports a list of Falco's rules, macros and lists.
func ofFalco(n *yaml.Node) bool {
	if n.Kind != yaml.SequenceNode {
		return false
	}
	for _, c := range n.Content {
		if c.Kind != yaml.MappingNode || len(c.Content) == 0 {
			continue
		}
		switch c.Content[0].Value {
		case "rule", "macro", "list", "required_engine_version", "required_plugin_versions":
			return true
		}
	}
	return false
}

// document reads a rule; it is compiled when all are known.
func (l *loader) document(d *document) {
	s, err := readSource(d)
	if err == nil {
		err = l.unique(s)
	}
	if err == nil && s.custom != "" {
		f := d.at(d.root, "its taxonomy is %q, and Sigma's own alone is known here", s.custom)
		f.severity = detect.NotEvaluable
		err = f
	}
	if err == nil {
		err = l.section(s)
	}
	if err != nil {
		l.fail(s, err)
		return
	}
	l.doubts(s)
}

// doubts says what was doubtful so far.
func (l *loader) doubts(s *source) {
	for _, f := range s.doubts {
		l.problem(s.path, s.rule.ID, f)
	}
	s.doubts = nil
}

func (l *loader) section(s *source) error {
	switch s.kind {
	case correlationRule:
		l.correlations = append(l.correlations, s)
		return nil
	case filterRule:
		return l.filter(s)
	}
	p := &parser{document: s.document, placeholders: l.options.Placeholders}
	d, err := p.detection(s.section, "detection")
	if err != nil {
		return err
	}
	s.doubts = append(s.doubts, d.doubts...)
	l.singles = append(l.singles, &single{source: s, detection: d})
	return nil
}

// unique keeps ids and names for one rule each: the first.
func (l *loader) unique(s *source) error {
	for _, name := range []string{s.rule.ID, s.rule.Name} {
		if other := l.byName[name]; name != "" && other != nil && other != s {
			return s.at(s.root, "the rule at %s has the same id or name, %q", whereabouts(other), name)
		}
	}
	l.byName[s.rule.ID] = s
	if s.rule.Name != "" {
		l.byName[s.rule.Name] = s
	}
	return nil
}

func whereabouts(s *source) string { return s.rule.Path + ":" + formatInt(int64(s.rule.Line)) }

func (l *loader) fail(s *source, err error) {
	f := asFault(err, s.rule.Line)
	name := s.rule.ID
	if name == "" || strings.HasPrefix(name, "sigma-") {
		name = s.rule.Title
	}
	l.problem(s.path, name, f)
}

func (l *loader) file(name string, err error) {
	l.problem(name, "", &fault{severity: detect.Invalid, reason: reason("%s", err.Error())})
}

func (l *loader) problem(name, rule string, f *fault) {
	p := detect.Problem{Path: safetext.Line(name), Line: f.line, Rule: safetext.Line(clip(rule)), Severity: f.severity, Reason: f.reason}
	for _, x := range f.fields {
		p.Fields = append(p.Fields, safetext.Line(clip(x)))
	}
	l.rules.Problems = append(l.rules.Problems, p)
}
