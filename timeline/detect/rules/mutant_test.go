package rules_test

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
	"amber/timeline/detect/rules"
	"amber/timeline/detect/sigma"
)

// mutant is a rule that lacks one of its conditions.
type mutant struct {
	what    string
	matcher detect.Matcher
}

type object = map[string]any

func readRule(t *testing.T, name string) object {
	t.Helper()
	text, err := fs.ReadFile(rules.FS(), name)
	if err != nil {
		t.Fatal(err)
	}
	rule := object{}
	if err := yaml.Unmarshal(text, &rule); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return rule
}

// mutate makes a rule without each of its terms, selections, fields and values.
func mutate(t *testing.T, name string) []mutant {
	t.Helper()
	var list []mutant
	for _, cut := range cuts(t, readRule(t, name)["detection"].(object)) {
		rule := readRule(t, name)
		cut.from(rule["detection"].(object))
		list = append(list, mutant{cut.what, load(t, name, rule)})
	}
	return list
}

func load(t *testing.T, name string, rule object) detect.Matcher {
	t.Helper()
	text, err := yaml.Marshal(rule)
	if err != nil {
		t.Fatal(err)
	}
	r := sigma.Load(fstest.MapFS{path.Base(name): {Data: text}})
	if len(r.Matchers) != 1 {
		t.Fatalf("without a part it does not load: %+v\n%s", r.Problems, text)
	}
	return r.Matchers[0]
}

// cut takes a part out of a detection.
type cut struct {
	what string
	from func(object)
}

func cuts(t *testing.T, d object) []cut {
	t.Helper()
	condition := d["condition"].(string)
	terms := strings.Split(condition, " and ")
	if strings.ContainsAny(condition, "()") || strings.Contains(condition, " or ") {
		t.Fatalf("the condition %q is more than terms that all hold", condition)
	}
	var list []cut
	for i := range terms {
		if len(terms) > 1 {
			list = append(list, cut{"the term " + terms[i], func(d object) {
				d["condition"] = strings.Join(slices.Delete(slices.Clone(terms), i, i+1), " and ")
			}})
		}
	}
	for _, name := range names(d) {
		if name == "condition" {
			continue
		}
		if !strings.Contains(condition, name) {
			list = append(list, cut{"the selection " + name, func(d object) { delete(d, name) }})
		}
		list = append(list, inside(name, d[name], func(d object) any { return d[name] }, func(d object, v any) { d[name] = v })...)
	}
	return usable(list, terms)
}

// usable leaves out what would leave a term without a selection.
func usable(list []cut, terms []string) []cut {
	return slices.DeleteFunc(list, func(c cut) bool {
		name, ok := strings.CutPrefix(c.what, "the selection ")
		return ok && slices.Contains(terms, "not "+name)
	})
}

// inside are the cuts in a value: elements of lists, members of objects.
func inside(where string, v any, get func(object) any, set func(object, any)) []cut {
	var list []cut
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			if len(v) > 1 {
				list = append(list, cut{fmt.Sprintf("%s: %v", where, e), func(d object) {
					set(d, slices.Delete(slices.Clone(get(d).([]any)), i, i+1))
				}})
			}
			list = append(list, inside(fmt.Sprintf("%s[%d]", where, i), e,
				func(d object) any { return get(d).([]any)[i] }, func(d object, v any) { get(d).([]any)[i] = v })...)
		}
	case object:
		for _, k := range names(v) {
			if len(v) > 1 {
				list = append(list, cut{where + ": " + k, func(d object) { delete(get(d).(object), k) }})
			}
			list = append(list, inside(where+": "+k, v[k],
				func(d object) any { return get(d).(object)[k] }, func(d object, v any) { get(d).(object)[k] = v })...)
		}
	}
	return list
}

func names(o object) []string {
	var list []string
	for k := range o {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}
