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
