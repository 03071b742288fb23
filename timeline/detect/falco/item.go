package falco

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// item is one list, macro or rule as a file has it.
type item struct {
	path string
	line int
	keys map[string]*yaml.Node
	used []string // the keys, in order
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
