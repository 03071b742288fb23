package falco

import (
	"errors"
	"fmt"
	"slices"

	"amber/timeline/detect"
)

var (
	ruleAppendable  = []string{"condition", "output", "desc", "tags", "exceptions"}
	ruleReplaceable = []string{"condition", "output", "desc", "priority", "tags", "exceptions", "enabled", "source", "warn_evttypes", "skip-if-unknown-filter"}
	ruleKeys        = append([]string{"rule", "append", "override", "capture", "capture_duration"}, ruleReplaceable...)
)

func (b *book) rule(it *item, license string, tell func(detect.Problem)) error {
	id, err := name(it, "rule")
	if err != nil {
		return err
	}
	c, err := changes(it)
	if err == nil {
		err = c.allow(it, ruleAppendable, ruleReplaceable)
	}
	if err != nil {
		return err
	}
	for _, key := range it.used {
		if !slices.Contains(ruleKeys, key) {
			tell(detect.Problem{Path: it.path, Line: it.line, Rule: id, Severity: detect.Doubtful, Reason: fmt.Sprintf("the key %q is not known and does nothing", key)})
		}
	}
	old := b.rules[id]
	switches := it.has("enabled") && !it.has("condition") && !c.append && !c.replace
	if (c.append || c.replace || switches) && old == nil {
		return fmt.Errorf("the rule %q that it changes is not defined before it", id)
	}
	switch {
	case switches:
		return old.set(it, "enabled", false)
	case c.append:
		return old.appendTo(it)
	case c.replace:
		return old.override(it, c)
	}
	return b.define(it, id, license, tell)
}

// define takes a whole rule. One of the same name that was there is replaced,
// as in Falco.
func (b *book) define(it *item, id, license string, tell func(detect.Problem)) error {
	r := &rule{where: where{it.path, it.line}, name: id, license: license, enabled: true, source: "syscall"}
	for _, key := range []string{"condition", "output", "desc", "priority"} {
		if !it.has(key) {
			return fmt.Errorf("the rule has no %q", key)
		}
	}
	for _, key := range ruleReplaceable {
		if !it.has(key) {
			continue
		}
		if err := r.set(it, key, false); err != nil {
			return err
		}
	}
	if old := b.rules[id]; old != nil {
		tell(detect.Problem{Path: it.path, Line: it.line, Rule: id, Severity: detect.Doubtful, Reason: fmt.Sprintf("it replaces the rule of the same name at %s:%d", old.path, old.line)})
	} else {
		b.order = append(b.order, id)
	}
	b.rules[id] = r
	return nil
}

func (r *rule) appendTo(it *item) error {
	if !it.has("condition") && !it.has("exceptions") {
		return errors.New("appending takes a condition or exceptions")
	}
	for _, key := range ruleAppendable {
		if it.has(key) {
			if err := r.set(it, key, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *rule) override(it *item, c change) error {
	fresh := *r // nothing of it is kept where one key is wrong
	for key, how := range c.how {
		if err := fresh.set(it, key, how == "append"); err != nil {
			return err
		}
	}
	*r = fresh
	return nil
}

// set takes the value of one key.
func (r *rule) set(it *item, key string, add bool) (err error) {
	switch key {
	case "condition":
		return r.text(it, key, &r.condition, add, true)
	case "output":
		return r.text(it, key, &r.output, add, false)
	case "desc":
		return r.text(it, key, &r.desc, add, false)
	case "priority":
		return r.text(it, key, &r.priority, false, true)
	case "source":
		return r.text(it, key, &r.source, false, true)
	case "tags":
		return r.setTags(it, add)
	case "exceptions":
		return r.setExceptions(it, add)
	case "enabled":
		r.enabled, err = it.flag(key, r.enabled)
	case "skip-if-unknown-filter":
		r.skipUnknown, err = it.flag(key, false)
	case "warn_evttypes":
		_, err = it.flag(key, true)
	}
	return err
}

func (r *rule) text(it *item, key string, to *string, add, needed bool) error {
	s, err := it.text(key)
	switch {
	case err != nil:
		return err
	case s == "" && needed:
		return fmt.Errorf("%q is empty", key)
	case add:
		*to += " " + s
	default:
		*to = s
	}
	return nil
}

func (r *rule) setTags(it *item, add bool) error {
	tags, err := it.texts("tags")
	if err != nil {
		return err
	}
	if add {
		tags = append(slices.Clip(r.tags), tags...)
	}
	r.tags = tags
	return nil
}
