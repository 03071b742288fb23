package falco

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
)

// book is what the files define, as it stands after the last of them.
type book struct {
	lists  map[string]*list
	macros map[string]*macro
	rules  map[string]*rule
	order  []string // of the rules
}

type list struct {
	where
	items []literal
}

type macro struct {
	where
	condition string
}

type where struct {
	path string
	line int
}

// rule is a rule before its condition is read.
type rule struct {
	where
	name, desc, condition, output, priority, source string
	license                                         string
	tags                                            []string
	enabled, skipUnknown                            bool
	exceptions                                      []exception
}

func newBook() book {
	return book{map[string]*list{}, map[string]*macro{}, map[string]*rule{}, nil}
}

// add takes an item in: what it defines, appends to or overrides.
func (b *book) add(it *item, license string, tell func(detect.Problem)) error {
	switch {
	case it.has("required_engine_version"):
		return engineVersion(it, tell)
	case it.has("required_plugin_versions"):
		return pluginVersions(it)
	case it.has("list"):
		return b.list(it)
	case it.has("macro"):
		return b.macro(it)
	case it.has("rule"):
		return b.rule(it, license, tell)
	}
	return errors.New("it is no rule, macro, list or required version")
}

func name(it *item, key string) (string, error) {
	s, err := it.text(key)
	if err == nil && s == "" {
		err = fmt.Errorf("the %s has no name", key)
	}
	return s, err
}

// change says what becomes of an item that is there already.
type change struct {
	append  bool
	replace bool // override: some keys, append or replace for each
	how     map[string]string
}

// changes reads append and override.
func changes(it *item) (c change, err error) {
	if c.append, err = it.flag("append", false); err != nil {
		return c, err
	}
	n := it.keys["override"]
	if n == nil {
		return c, nil
	}
	if c.append {
		return c, errors.New("append and override exclude each other")
	}
	if n.Kind != yaml.MappingNode {
		return c, errors.New("override has to map keys to append or replace")
	}
	c.replace, c.how = true, map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, how := n.Content[i].Value, resolved(n.Content[i+1]).Value
		if how != "append" && how != "replace" {
			return c, fmt.Errorf("override of %q is append or replace, not %q", key, how)
		}
		if !it.has(key) {
			return c, fmt.Errorf("override names %q, which is not given", key)
		}
		c.how[key] = how
	}
	return c, nil
}

// allow holds override to the keys that can be appended to or replaced, and the
// item to those that override names.
func (c change) allow(it *item, appendable, replaceable []string) error {
	for key, how := range c.how {
		allowed := replaceable
		if how == "append" {
			allowed = appendable
		}
		if !slices.Contains(allowed, key) {
			return fmt.Errorf("override cannot %s %q", how, key)
		}
	}
	for _, key := range it.used {
		if slices.Contains([]string{"list", "macro", "rule", "override"}, key) {
			continue
		}
		if _, ok := c.how[key]; !ok && c.replace {
			return fmt.Errorf("the key %q is not in override", key)
		}
	}
	return nil
}

func (b *book) list(it *item) error {
	id, err := name(it, "list")
	if err != nil {
		return err
	}
	c, err := changes(it)
	if err != nil {
		return err
	}
	texts, err := it.texts("items")
	if err == nil && !it.has("items") {
		err = errors.New("the list has no items")
	}
	if err == nil {
		err = c.allow(it, []string{"items"}, []string{"items"})
	}
	if err != nil {
		return err
	}
	old := b.lists[id]
	if (c.append || c.replace) && old == nil {
		return fmt.Errorf("the list %q that it changes is not defined before it", id)
	}
	fresh := &list{where: where{it.path, it.line}, items: literals(texts)}
	if c.append || c.how["items"] == "append" {
		fresh.items = append(slices.Clip(old.items), fresh.items...)
	}
	b.lists[id] = fresh
	return nil
}

// literals reads a list's values. One in quotes of its own ('"a b"') is quoted.
func literals(texts []string) []literal {
	out := make([]literal, 0, len(texts))
	for _, t := range texts {
		if len(t) > 1 && (t[0] == '"' || t[0] == '\'') {
			if s, n := unquote(t); n == len(t) {
				out = append(out, literal{s, true})
				continue
			}
		}
		out = append(out, literal{text: t})
	}
	return out
}

func (b *book) macro(it *item) error {
	id, err := name(it, "macro")
	if err != nil {
		return err
	}
	c, err := changes(it)
	if err != nil {
		return err
	}
	text, err := name(it, "condition")
	if err == nil {
		err = c.allow(it, []string{"condition"}, []string{"condition"})
	}
	if err != nil {
		return err
	}
	old := b.macros[id]
	if (c.append || c.replace) && old == nil {
		return fmt.Errorf("the macro %q that it changes is not defined before it", id)
	}
	fresh := &macro{where{it.path, it.line}, text}
	if c.append || c.how["condition"] == "append" {
		fresh.condition = old.condition + " " + text
	}
	if strings.Contains(id, ".") {
		return errors.New("a macro's name has no dots")
	}
	b.macros[id] = fresh
	return nil
}
