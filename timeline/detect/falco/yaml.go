package falco

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Bounds of a rule file. The largest published one has 1,300 lines and 70 KiB.
const (
	maxFile  = 8 << 20
	maxItems = 50_000  // of one file
	maxNodes = 400_000 // of one file, each alias counted with all that it stands for
	maxDepth = 32
)

// item is one list, macro or rule as a file has it.
type item struct {
	path string
	line int
	keys map[string]*yaml.Node
	used []string // the keys, in order
}

// fault is why an item, or a file, cannot be used.
type fault struct {
	line int
	name string
	err  error
}

// items reads a file: documents, each a list of maps. Where the YAML is wrong,
// the items are read one by one, so that one mistake costs one rule.
func items(path string, data []byte) (out []item, faults []fault) {
	if len(data) > maxFile {
		return nil, []fault{{err: errors.New("the file is larger than 8 MiB")}}
	}
	budget := budget{nodes: maxNodes, items: maxItems}
	out, err := budget.read(path, data, 0)
	if err == nil {
		return out, nil
	}
	if errors.Is(err, errBudget) {
		return nil, []fault{{line: lineOf(err, 0), err: err}}
	}
	return budget.piecemeal(path, data)
}

// piecemeal reads what stands between dashes in the first column by itself.
func (b *budget) piecemeal(path string, data []byte) (out []item, faults []fault) {
	*b = budget{nodes: maxNodes, items: maxItems}
	line := 0
	for piece := range pieces(data) {
		got, err := b.read(path, piece, line)
		out = append(out, got...)
		if err != nil {
			faults = append(faults, fault{lineOf(err, line), nameIn(piece), err})
		}
		if errors.Is(err, errBudget) {
			break
		}
		line += bytes.Count(piece, []byte("\n"))
	}
	return out, faults
}

func pieces(data []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			end := len(data)
			if i := bytes.Index(data[1:], []byte("\n- ")); i >= 0 {
				end = i + 2
			}
			if !yield(data[:end]) {
				return
			}
			data = data[end:]
		}
	}
}

var (
	errBudget = errors.New("the file expands to more than 400,000 values or 50,000 rules")
	yamlLine  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`line (\d+)`) })
	itemName  = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^-\s+(?:rule|macro|list):\s*(.+?)\s*$`)
	})
)

func nameIn(piece []byte) string {
	if m := itemName().FindSubmatch(piece); m != nil {
		return strings.Trim(string(m[1]), `"'`)
	}
	return ""
}

// lineOf is where an error says it is, below the lines before its text.
func lineOf(err error, before int) int {
	var at *lineError
	if errors.As(err, &at) {
		return at.line
	}
	if m := yamlLine().FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.Atoi(m[1])
		return before + n
	}
	return before + 1
}

type lineError struct {
	line int
	what string
}

func (e *lineError) Error() string { return e.what }

// budget bounds what a file may expand to.
type budget struct{ nodes, items int }

func (b *budget) read(path string, data []byte, before int) (out []item, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, fmt.Errorf("it is no YAML: %w", err)
		}
		shift(&doc, before)
		if err := b.count(&doc, 0); err != nil {
			return nil, err
		}
		if len(doc.Content) == 0 {
			continue
		}
		got, err := b.document(path, resolved(doc.Content[0]))
		out = append(out, got...)
		if err != nil {
			return out, err
		}
	}
}

// shift makes a piece's lines those of its file.
func shift(n *yaml.Node, before int) {
	if before == 0 {
		return
	}
	n.Line += before
	for _, k := range n.Content {
		shift(k, before)
	}
}

// count walks a document as if its aliases were written out.
func (b *budget) count(n *yaml.Node, depth int) error {
	if b.nodes--; b.nodes < 0 {
		return errBudget
	}
	if depth > maxDepth {
		return &lineError{n.Line, "its values nest deeper than 32 levels"}
	}
	if n.Alias != nil {
		return b.count(n.Alias, depth+1)
	}
	for _, k := range n.Content {
		if err := b.count(k, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func resolved(n *yaml.Node) *yaml.Node {
	for n.Alias != nil {
		n = n.Alias
	}
	return n
}

func (b *budget) document(path string, n *yaml.Node) (out []item, err error) {
	if n.Kind == yaml.ScalarNode && n.Value == "" {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, &lineError{n.Line, "a list of rules, macros and lists is expected"}
	}
	for _, k := range n.Content {
		if b.items--; b.items < 0 {
			return nil, errBudget
		}
		it, err := newItem(path, resolved(k))
		if err != nil {
			return out, err
		}
		out = append(out, it)
	}
	return out, nil
}

func newItem(path string, n *yaml.Node) (item, error) {
	it := item{path: path, line: n.Line, keys: map[string]*yaml.Node{}}
	if n.Kind != yaml.MappingNode {
		return it, &lineError{n.Line, "a rule, a macro or a list is expected"}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if _, twice := it.keys[key]; twice {
			return it, &lineError{n.Content[i].Line, fmt.Sprintf("the key %q is there twice", key)}
		}
		it.keys[key] = resolved(n.Content[i+1])
		it.used = append(it.used, key)
	}
	return it, nil
}

// has reports whether the item has the key.
func (it *item) has(key string) bool { return it.keys[key] != nil }

// text is the value of a key that is a single value, empty where it is absent.
func (it *item) text(key string) (string, error) {
	n := it.keys[key]
	if n == nil {
		return "", nil
	}
	if n.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("%q has to be a text", key)
	}
	return strings.TrimSpace(n.Value), nil
}

// flag is the value of a key that is a truth value.
func (it *item) flag(key string, otherwise bool) (bool, error) {
	s, err := it.text(key)
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return true, err
	case "false", "no", "off":
		return false, err
	case "":
		return otherwise, err
	}
	return otherwise, fmt.Errorf("%q is true or false, not %q", key, s)
}

// texts is the value of a key that is a list of single values.
func (it *item) texts(key string) ([]string, error) {
	n := it.keys[key]
	if n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil, nil
	}
	return scalars(key, n)
}

func scalars(key string, n *yaml.Node) ([]string, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%q has to be a list", key)
	}
	out := make([]string, 0, len(n.Content))
	for _, k := range n.Content {
		k = resolved(k)
		if k.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: %q has a value that is no text", k.Line, key)
		}
		out = append(out, k.Value)
	}
	return out, nil
}
