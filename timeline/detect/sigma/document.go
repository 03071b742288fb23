package sigma

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"

	"go.yaml.in/yaml/v3"

	"amber/evidence/safetext"
	"amber/timeline/detect"
)

// Bounds of what a file of rules may hold.
const (
	maxFile      = 4 << 20
	maxFiles     = 100_000
	maxTotal     = 512 << 20
	maxDocuments = 10_000
	maxNodes     = 100_000 // of a document, each alias counted again
	maxDepth     = 32
	maxValues    = 10_000 // of one field, after modifiers
	maxCondition = 16 << 10
	maxTokens    = 512 // of one value: its wildcards, and what is between them
)

// fault is what is wrong with a rule.
type fault struct {
	line     int
	severity detect.Severity
	reason   string
	fields   []string
}

func (f *fault) Error() string { return f.reason }

// asFault puts a line to an error that has none.
func asFault(err error, line int) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	return &fault{line: line, severity: detect.Invalid, reason: safetext.Line(err.Error())}
}

// document is one YAML document of a file.
type document struct {
	path string
	line int // at which it begins, from 1
	root *yaml.Node
	left int // how many nodes may still be looked at
}

// at makes a fault of what stands at a node. Arguments that are texts of the
// rule are made safe.
func (d *document) at(n *yaml.Node, format string, args ...any) *fault {
	return &fault{line: d.lineOf(n), severity: detect.Invalid, reason: reason(format, args...)}
}

func reason(format string, args ...any) string {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = safetext.Line(clip(a))
		case error:
			args[i] = safetext.Line(clip(a.Error()))
		}
	}
	return fmt.Sprintf(format, args...)
}

// clip keeps a message readable.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

func (d *document) lineOf(n *yaml.Node) int {
	if n == nil || n.Line == 0 {
		return d.line
	}
	return d.line + n.Line - 1
}

// spend counts a node, for aliases can stand for more than a file has.
func (d *document) spend(n *yaml.Node) error {
	if d.left--; d.left < 0 {
		return d.at(n, "it has more than %d values, aliases counted each time", maxNodes)
	}
	return nil
}

// follow goes through aliases.
func (d *document) follow(n *yaml.Node) (*yaml.Node, error) {
	for range maxDepth {
		if n.Kind != yaml.AliasNode {
			return n, d.spend(n)
		}
		n = n.Alias
	}
	return nil, d.at(n, "its aliases go round in a circle")
}

// entry is a key of a mapping and what it has.
type entry struct {
	key  *yaml.Node
	name string
	is   *yaml.Node
}

// entries are those of a mapping, none of which may come twice.
func (d *document) entries(n *yaml.Node, what string) ([]entry, error) {
	if n.Kind != yaml.MappingNode {
		return nil, d.at(n, "%s is no mapping", what)
	}
	list := make([]entry, 0, len(n.Content)/2)
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return nil, d.at(key, "%s has a key that is no text", what)
		}
		if key.Value == "<<" && key.Style == 0 {
			return nil, d.at(key, "merging of mappings (<<) is no part of Sigma")
		}
		if seen[key.Value] {
			return nil, d.at(key, "%s has %q twice", what, safetext.Line(clip(key.Value)))
		}
		seen[key.Value] = true
		is, err := d.follow(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		list = append(list, entry{key, key.Value, is})
	}
	return list, nil
}

// elements are those of a list, or a scalar alone.
func (d *document) elements(n *yaml.Node) ([]*yaml.Node, error) {
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}, nil
	}
	list := make([]*yaml.Node, 0, len(n.Content))
	for _, c := range n.Content {
		c, err := d.follow(c)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// texts are the scalars of a list, or one alone.
func (d *document) texts(n *yaml.Node, what string) ([]string, error) {
	list, err := d.elements(n)
	if err != nil {
		return nil, err
	}
	var to []string
	for _, c := range list {
		if c.Kind != yaml.ScalarNode {
			return nil, d.at(c, "%s is neither a text nor a list of texts", what)
		}
		if c.ShortTag() != "!!null" {
			to = append(to, c.Value)
		}
	}
	return to, nil
}

// parse reads a document; one that is empty has no root.
func parse(path string, c chunk) (*document, error) {
	d := &document{path: path, line: c.line, left: maxNodes}
	if blank(c.text) {
		return d, nil
	}
	var n yaml.Node
	if err := decode(c.text, &n); err != nil {
		return d, d.syntax(err)
	}
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		root, err := d.follow(n.Content[0])
		if err != nil {
			return d, err
		}
		d.root = root
	}
	return d, nil
}

// decode keeps a fault of the YAML library from ending the program.
func decode(text []byte, n *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it is no YAML: %v", p)
		}
	}()
	return yaml.Unmarshal(text, n)
}

var yamlLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^yaml: (?:line (\d+): )?`) })

// syntax says at which line of the file the YAML ends to be any.
func (d *document) syntax(err error) *fault {
	text, line := err.Error(), d.line
	if m := yamlLine().FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line += n - 1
		}
	}
	return &fault{line: line, severity: detect.Invalid, reason: reason("it is no YAML: %s", text)}
}
