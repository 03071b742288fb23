package findings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
)

// Suppression says which findings are known, and why they do not matter.
type Suppression struct {
	Rule    string            // an id, a name or a title, whole; "" is any rule
	Match   map[string]string // entities that all must be there, by field; * and ? in values
	Reason  string
	Expires time.Time // from when on it does not hold; zero: never

	Line int
	Hits int64 // findings that it was the first to hold for
}

// Bounds of a file of suppressions.
const (
	maxSuppressFile  = 1 << 20
	maxSuppressions  = 10_000
	maxSuppressDepth = 8
)

// ParseSuppressions reads a file of suppressions, YAML or JSON:
//
//	suppressions:
//	  - rule: 0d6c1c39-…          # an id, a name or a title
//	    match: {user.name: "ci-*", orchestrator.namespace: build}
//	    reason: the build system makes privileged pods
//	    expires: 2027-03-31
//
// Each needs a reason, and a rule or something that matches. docs/detect.md has
// the format.
func ParseSuppressions(text []byte) ([]*Suppression, error) {
	if len(text) > maxSuppressFile {
		return nil, fmt.Errorf("longer than %d bytes", maxSuppressFile)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	if err := plain(&doc, 0); err != nil {
		return nil, err
	}
	list, err := member(doc.Content[0], "suppressions")
	if err != nil {
		return nil, err
	}
	if list.Kind != yaml.SequenceNode || len(list.Content) > maxSuppressions {
		return nil, fmt.Errorf("line %d: suppressions: want a list of at most %d", list.Line, maxSuppressions)
	}
	var out []*Suppression
	for _, n := range list.Content {
		s, err := suppression(n)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n.Line, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// plain refuses what makes a small file large.
func plain(n *yaml.Node, depth int) error {
	if n.Kind == yaml.AliasNode {
		return fmt.Errorf("line %d: an alias", n.Line)
	}
	if depth > maxSuppressDepth {
		return fmt.Errorf("line %d: nested too deep", n.Line)
	}
	for _, c := range n.Content {
		if err := plain(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// member is the only member that a map may have.
func member(n *yaml.Node, name string) (*yaml.Node, error) {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 || n.Content[0].Value != name {
		return nil, fmt.Errorf("line %d: want a map with %s alone", n.Line, name)
	}
	return n.Content[1], nil
}

func suppression(n *yaml.Node) (*Suppression, error) {
	if n.Kind != yaml.MappingNode {
		return nil, errors.New("want a map")
	}
	s := &Suppression{Line: n.Line, Match: map[string]string{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if err := s.set(n.Content[i].Value, n.Content[i+1]); err != nil {
			return nil, err
		}
	}
	switch {
	case s.Reason == "":
		return nil, errors.New("it has no reason")
	case s.Rule == "" && len(s.Match) == 0:
		return nil, errors.New("it has neither rule nor match")
	}
	return s, nil
}

func (s *Suppression) set(key string, v *yaml.Node) (err error) {
	if key != "match" && v.Kind != yaml.ScalarNode {
		return fmt.Errorf("%s: want one value", key)
	}
	switch key {
	case "rule":
		s.Rule = v.Value
	case "reason":
		s.Reason = strings.TrimSpace(v.Value)
	case "expires":
		s.Expires, err = expiry(v.Value)
	case "match":
		err = s.entities(v)
	default:
		err = fmt.Errorf("there is no key %q", key)
	}
	return err
}

// expiry is the beginning of the day behind a date, or an instant.
func expiry(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("expires: %q: want a date as 2027-03-31 or an instant as 2027-03-31T12:00:00Z", text)
	}
	return t, nil
}

func (s *Suppression) entities(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return errors.New("match: want a map of fields to values")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		field, v := n.Content[i].Value, n.Content[i+1]
		if v.Kind != yaml.ScalarNode || v.Value == "" {
			return fmt.Errorf("match: %s: want one value", field)
		}
		if _, err := path.Match(pattern(v.Value), ""); err != nil {
			return fmt.Errorf("match: %s: %w", field, err)
		}
		s.Match[field] = v.Value
	}
	return nil
}

// pattern makes path.Match's * match everything, brackets nothing special.
func pattern(s string) string {
	return strings.NewReplacer("[", `\[`, "]", `\]`, `\`, `\\`, "/", "\x00").Replace(s)
}

// Suppressions are those of a file, at a time.
type Suppressions struct {
	List []*Suppression
	Now  time.Time
}

// Expired are those that hold no more.
func (s *Suppressions) Expired() (list []*Suppression) {
	for _, x := range s.List {
		if s.expired(x) {
			list = append(list, x)
		}
	}
	return list
}

func (s *Suppressions) expired(x *Suppression) bool {
	return !x.Expires.IsZero() && !s.Now.Before(x.Expires)
}

// Apply marks a finding with the reason of the first suppression that holds for
// it, and counts it there.
func (s *Suppressions) Apply(f *detect.Finding) {
	for _, x := range s.List {
		if !s.expired(x) && x.holds(f) {
			f.Suppressed = x.Reason
			x.Hits++
			return
		}
	}
}

func (x *Suppression) holds(f *detect.Finding) bool {
	if x.Rule != "" && x.Rule != f.RuleID && !strings.EqualFold(x.Rule, f.Title) && (f.Rule == nil || x.Rule != f.Rule.Name) {
		return false
	}
	for field, want := range x.Match {
		if !x.named(f, field, want) {
			return false
		}
	}
	return true
}

func (x *Suppression) named(f *detect.Finding, field, want string) bool {
	want = pattern(want)
	if v, ok := f.Group[field]; ok && matches(want, v) {
		return true
	}
	for _, e := range f.Entities {
		if name, v, _ := strings.Cut(e, ":"); name == field && matches(want, v) {
			return true
		}
	}
	return false
}

func matches(pattern, v string) bool {
	ok, err := path.Match(pattern, strings.ReplaceAll(v, "/", "\x00"))
	return err == nil && ok
}
