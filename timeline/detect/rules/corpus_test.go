package rules_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/fields"
	"amber/timeline/source/access"
	"amber/timeline/source/auditd"
	"amber/timeline/source/azure"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/containerlog"
	"amber/timeline/source/coredns"
	"amber/timeline/source/falco"
	"amber/timeline/source/gcp"
	"amber/timeline/source/github"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/kubeevents"
	"amber/timeline/source/nodelog"
	"amber/timeline/source/okta"
	"amber/timeline/source/osquery"
	"amber/timeline/source/syslog"
	"amber/timeline/source/tetragon"
	"amber/timeline/source/tracee"
)

// sources read the records of corpora; what else a corpus may name is a data set
// of bundles, whose records are lines of members.
var sources = map[string]timeline.Source{
	"kube-audit": kubeaudit.Source{}, "kube-events": kubeevents.Source{}, "cloudtrail": cloudtrail.Source{}, "auditd": auditd.Source{}, "tetragon": tetragon.Source{},
	"gcp": gcp.Source{}, "azure": azure.Source{}, "okta": okta.Source{}, "github": github.Source{}, "access": access.Source(), "syslog": syslog.Source{},
	"falco": falco.Source{}, "tracee": tracee.Source{},
	"container-log": containerlog.Source{}, "node-log": nodelog.Source(), "osquery": osquery.Source{}, "coredns": coredns.Source(),
}

// corpus is the records of a rule, in testdata/RULE.json: one that it matches,
// and cases, each of which alters that one.
type corpus struct {
	Source  string            `json:"source"`
	Record  json.RawMessage   `json:"record,omitempty"`
	Lines   []string          `json:"lines,omitempty"`   // of a format that is no JSON
	Columns map[string]string `json:"columns,omitempty"` // of a bundle's event
	Cases   []altered         `json:"cases"`
}

// altered is a record that differs from the first in what it says: values by
// JSON pointer, pieces of text, columns.
type altered struct {
	Hit     bool              `json:"hit"`
	Set     map[string]any    `json:"set,omitempty"`
	Unset   []string          `json:"unset,omitempty"`
	Replace map[string]string `json:"replace,omitempty"`
	Columns map[string]string `json:"columns,omitempty"`
}

func readCorpus(t *testing.T, rule string) *corpus {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", strings.TrimSuffix(rule, ".yml")+".json"))
	if err != nil {
		t.Fatalf("the rule has no records: %v", err)
	}
	c := &corpus{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		t.Fatalf("%s: %v", rule, err)
	}
	c.Cases = append([]altered{{Hit: true}}, c.Cases...)
	return c
}

// views gives the events of a case.
func (c *corpus) views(t *testing.T, a altered, each func(detect.View)) {
	t.Helper()
	text := c.text(t, a)
	src, ok := sources[c.Source]
	if !ok {
		each(c.bundled(t, a, text))
		return
	}
	if err := fields.Read(src, bytes.NewReader(text), func(v *fields.View) { each(v) }); err != nil {
		t.Fatal(err)
	}
}

func (c *corpus) text(t *testing.T, a altered) []byte {
	t.Helper()
	if len(c.Lines) > 0 {
		text := strings.Join(c.Lines, "\n") + "\n"
		for from, to := range a.Replace {
			if !strings.Contains(text, from) {
				t.Fatalf("%q is not in the record", from)
			}
			text = strings.ReplaceAll(text, from, to)
		}
		return []byte(text)
	}
	var v any
	if err := json.Unmarshal(c.Record, &v); err != nil {
		t.Fatal(err)
	}
	for _, p := range a.Unset {
		v = put(t, v, strings.Split(p, "/")[1:], nil, true)
	}
	for p, to := range a.Set {
		v = put(t, v, strings.Split(p, "/")[1:], to, false)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// put sets or removes the value at a pointer, and makes what is on the way to it.
func put(t *testing.T, v any, at []string, to any, remove bool) any {
	t.Helper()
	if len(at) == 0 {
		return to
	}
	key := strings.ReplaceAll(strings.ReplaceAll(at[0], "~1", "/"), "~0", "~")
	if i, err := strconv.Atoi(key); err == nil {
		list, _ := v.([]any)
		for len(list) <= i {
			list = append(list, nil)
		}
		list[i] = put(t, list[i], at[1:], to, remove)
		return list
	}
	object, ok := v.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	if remove && len(at) == 1 {
		if _, ok := object[key]; !ok {
			t.Fatalf("there is no %q to remove", key)
		}
		delete(object, key)
		return object
	}
	object[key] = put(t, object[key], at[1:], to, remove)
	return object
}

// bundled is an event of a bundle: its line, and the columns that the source
// would give it.
func (c *corpus) bundled(t *testing.T, a altered, line []byte) detect.View {
	t.Helper()
	e := &timeline.Event{}
	e.Reset()
	e.Str(timeline.EventDataset, []byte(c.Source))
	for _, columns := range []map[string]string{c.Columns, a.Columns} {
		for name, value := range columns {
			f, ok := timeline.FieldByName(name)
			if !ok {
				t.Fatalf("there is no column %q", name)
			}
			e.Str(f, []byte(value))
		}
	}
	v := &fields.View{}
	v.SetRecords([]timeline.Record{{Data: line}})
	v.SetEvent(e)
	return v
}

// verdicts says of matchers whether each matches a case: any event of it.
func (c *corpus) verdicts(t *testing.T, a altered, list []detect.Matcher) []bool {
	t.Helper()
	hits, events := make([]bool, len(list)), 0
	c.views(t, a, func(v detect.View) {
		events++
		dataset := string(v.Event().GetStr(timeline.EventDataset))
		for i, m := range list {
			hits[i] = hits[i] || slices.Contains(m.Datasets(), dataset) && m.Match(v)
		}
	})
	if events == 0 {
		t.Fatalf("the record of the case %s gives no event", a)
	}
	return hits
}

func (a altered) String() string {
	text, err := json.Marshal(a)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Every rule matches its own records and those alone of its cases that it shall,
// and there is no condition without which it would match the same.
func TestCorpora(t *testing.T) {
	cases, mutants := 0, 0
	for _, m := range pack().Matchers {
		t.Run(strings.TrimSuffix(m.Rule().Path, ".yml"), func(t *testing.T) {
			c := readCorpus(t, m.Rule().Path)
			list := mutate(t, m.Rule().Path)
			matchers := []detect.Matcher{m}
			for _, x := range list {
				matchers = append(matchers, x.matcher)
			}
			cases, mutants = cases+len(c.Cases), mutants+len(list)
			hit, missed, noticed := 0, 0, make([]bool, len(matchers))
			for _, a := range c.Cases {
				got := c.verdicts(t, a, matchers)
				if got[0] != a.Hit {
					t.Errorf("matches: %v, should: %v, of %s", got[0], a.Hit, a)
				}
				if a.Hit {
					hit++
				} else {
					missed++
				}
				for i := range got {
					noticed[i] = noticed[i] || got[i] != a.Hit
				}
			}
			if hit == 0 || missed == 0 {
				t.Errorf("%d cases that match and %d that do not: it needs both", hit, missed)
			}
			for i, x := range list {
				if !noticed[i+1] {
					t.Errorf("no case notices that it is gone: %s", x.what)
				}
			}
		})
	}
	t.Logf("%d cases, %d altered rules", cases, mutants)
}
