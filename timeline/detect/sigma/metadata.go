package sigma

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
)

// kind is what a document is.
type kind uint8

const (
	singleRule kind = iota
	correlationRule
	filterRule
)

// source is a document's rule before it is compiled.
type source struct {
	*document
	kind      kind
	rule      detect.Rule
	logsource logsource
	section   *yaml.Node // detection, correlation or filter
	generate  bool
	custom    string // the taxonomy, where it is not Sigma's own
	doubts    []*fault
}

// readSource reads what all rules have in common. What it gives along with an
// error names the rule as far as that is known.
func readSource(d *document) (*source, error) {
	s := &source{document: d, rule: detect.Rule{Language: "sigma", Path: d.path, Line: d.lineOf(d.root)}}
	list, err := d.entries(d.root, "the document")
	if err != nil {
		return s, err
	}
	sections := 0
	for _, e := range list {
		switch e.name {
		case "detection", "correlation", "filter":
			sections++
			s.section = e.is
			s.kind = map[string]kind{"detection": singleRule, "correlation": correlationRule, "filter": filterRule}[e.name]
		default:
			if err := s.attribute(e); err != nil {
				return s, err
			}
		}
	}
	s.name()
	switch {
	case sections == 0:
		return s, d.at(d.root, "it is no rule: it has neither detection nor correlation nor filter")
	case sections > 1:
		return s, d.at(d.root, "it has more than one of detection, correlation and filter")
	case s.rule.Title == "":
		return s, d.at(d.root, "it has no title")
	case s.kind != correlationRule && s.logsource.line == 0:
		return s, d.at(d.root, "it has no logsource")
	}
	return s, nil
}

// attribute reads a key of the document; those that nobody knows may stand there.
func (s *source) attribute(e entry) (err error) {
	r := &s.rule
	switch e.name {
	case "title":
		r.Title, err = s.text(e)
	case "id":
		r.ID, err = s.text(e)
	case "name":
		r.Name, err = s.text(e)
	case "description":
		var what string
		if what, err = s.text(e); what != "" {
			r.Description = joinText(what, r.Description)
		}
	case "why": // amber's own: why it matters
		var why string
		if why, err = s.text(e); why != "" {
			r.Description = joinText(r.Description, why)
		}
	case "response": // amber's own: what to do about it
		r.Response, err = s.text(e)
	case "author":
		r.Author, err = s.joined(e)
	case "license":
		r.License, err = s.text(e)
	case "status":
		r.Status, err = s.text(e)
	case "references":
		r.References, err = s.texts(e.is, e.name)
	case "falsepositives":
		r.FalsePos, err = s.texts(e.is, e.name)
	case "level":
		err = s.level(e)
	case "tags":
		err = s.tags(e)
	case "taxonomy":
		if s.custom, err = s.text(e); s.custom == "sigma" {
			s.custom = ""
		}
	case "logsource":
		err = s.source(e)
	case "generate":
		s.generate = e.is.Value == "true"
	case "action":
		return s.at(e.key, "it has an action (%s), as collections of rules had before Sigma 1.0", e.is.Value)
	}
	return err
}

func joinText(a, b string) string {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n\n" + b
}

func (s *source) text(e entry) (string, error) {
	if e.is.Kind != yaml.ScalarNode {
		return "", s.at(e.key, "%s is no text", e.name)
	}
	if e.is.ShortTag() == "!!null" {
		return "", nil
	}
	return e.is.Value, nil
}

func (s *source) joined(e entry) (string, error) {
	list, err := s.texts(e.is, e.name)
	return strings.Join(list, ", "), err
}

func (s *source) level(e entry) error {
	name, err := s.text(e)
	if err != nil {
		return err
	}
	l, ok := detect.ParseLevel(name)
	if !ok && name != "" {
		f := s.at(e.is, "level %q is none of Sigma's; medium is taken", name)
		f.severity = detect.Doubtful
		s.doubts = append(s.doubts, f)
		l = detect.Medium
	}
	s.rule.Level = l
	return nil
}

// tags takes ATT&CK's tactics and techniques.
func (s *source) tags(e entry) error {
	list, err := s.texts(e.is, e.name)
	if err != nil {
		return err
	}
	for _, t := range list {
		name, ok := strings.CutPrefix(strings.ToLower(t), "attack.")
		switch {
		case !ok || name == "":
		case technique(name):
			s.rule.Techniques = append(s.rule.Techniques, strings.ToUpper(name))
		case !numbered(name):
			s.rule.Tactics = append(s.rule.Tactics, strings.ReplaceAll(name, "_", "-"))
		}
	}
	return nil
}

// technique reports names as t1059 and t1059.004.
func technique(s string) bool {
	id, sub, nested := strings.Cut(s, ".")
	return len(id) == 5 && id[0] == 't' && decimal(id[1:]) && (!nested || len(sub) == 3 && decimal(sub))
}

// numbered reports ids of groups, software, mitigations and data: g0016, ds0009.
func numbered(s string) bool {
	return len(s) > 4 && decimal(s[len(s)-4:])
}

func decimal(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func (s *source) source(e entry) error {
	list, err := s.entries(e.is, "logsource")
	if err != nil {
		return err
	}
	s.logsource.line = s.lineOf(e.key)
	for _, x := range list {
		to := map[string]*string{"category": &s.logsource.category, "product": &s.logsource.product, "service": &s.logsource.service}[x.name]
		if to == nil {
			continue // definition, and whatever else is said to people
		}
		if *to, err = s.text(x); err != nil {
			return err
		}
		*to = strings.ToLower(*to)
	}
	if s.logsource.String() == "" {
		return s.at(e.key, "logsource has neither category nor product nor service")
	}
	return nil
}

// name gives a rule without an id one: its name, else what stays the same while
// the rule's condition is worked on.
func (s *source) name() {
	if s.rule.ID != "" {
		return
	}
	if s.rule.ID = s.rule.Name; s.rule.ID == "" {
		sum := sha256.Sum256([]byte(s.rule.Path + "\n" + s.rule.Title))
		s.rule.ID = "sigma-" + hex.EncodeToString(sum[:8])
	}
}
