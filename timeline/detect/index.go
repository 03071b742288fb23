package detect

import (
	"cmp"
	"maps"
	"slices"

	"amber/timeline"
)

// index is the rules of one dataset by the values that they require. Each stands
// under the field of its requirements that tells most events apart and costs
// least to read; the others of little cost are checked before the rule is asked.
type index struct {
	always []group // rules without requirements
	keys   []int   // of fields, under which rules stand
	fields []indexField
	checks [][]check // by rule, without the one of its group
}

// group is rules that share the requirement which is checked first: of all that
// stand under one value most are dropped by one look.
type group struct {
	first *check // nil where its rules have no further requirement
	rules []int32
}

type indexField struct {
	name   string
	column bool
	quick  bool           // it is had without reading the record
	direct bool           // it is the text of a column of every whole event
	text   timeline.Field // that column
	parts  *literals      // of a field by whose parts rules are indexed; else nil
	rules  map[uint64][]group
	all    []group
}

// check is a further requirement: one of these hashes, or without them any value
// at all.
type check struct {
	field  int
	hashes []uint64
}

// met tells whether an event may fulfil it.
func (c check) met(sl *slot) bool {
	return sl.any || len(c.hashes) == 0 && len(sl.hashes) > 0 || slices.ContainsFunc(sl.hashes, c.has)
}

func (c check) has(h uint64) bool {
	_, ok := slices.BinarySearch(c.hashes, h)
	return ok
}

// quickView is the further power of a View to give fields of a record without
// reading it: those for which Quick holds.
type quickView interface {
	Quick(dst []Value, path string) ([]Value, bool)
}

// quickNames are the fields of records that quickViews have, by dataset.
var quickNames = map[string][]string{
	"kubernetes.audit_logs": {
		"verb", "objectRef.resource", "objectRef.namespace", "objectRef.subresource", "objectRef.apiGroup", "user.username", "impersonatedUser.username",
		"userAgent", "requestURI", "responseStatus.code", "stage", "level",
	},
	"aws.cloudtrail": {
		"eventName", "eventSource", "awsRegion", "userAgent", "errorCode", "errorMessage", "sourceIPAddress",
		"userIdentity.type", "userIdentity.arn", "userIdentity.accessKeyId", "userIdentity.invokedBy",
	},
	"falco.alerts": {"rule"},
}

// TextColumns are fields of an audit log's records that stand as they are in a
// column of text.
var TextColumns = map[string]timeline.Field{
	"objectRef.resource":        timeline.OrchestratorResourceType,
	"objectRef.namespace":       timeline.OrchestratorNamespace,
	"user.username":             timeline.UserName,
	"impersonatedUser.username": timeline.UserEffectiveName,
	"userAgent":                 timeline.UserAgent,
	"requestURI":                timeline.URL,
}

// Quick tells whether a field of a dataset's records can be had without reading
// them.
func Quick(dataset, path string) bool { return slices.Contains(quickNames[dataset], path) }

// QuickFields are those of a dataset.
func QuickFields(dataset string) []string { return slices.Clone(quickNames[dataset]) }

func (f *indexField) read(dst []Value, v View) []Value {
	if e := v.Event(); f.direct && e.Has(timeline.EventAction) { // else it was made of its dataset alone
		if e.Has(f.text) {
			dst = append(dst, Value{Text: e.GetStr(f.text)})
		}
		return dst
	}
	if f.column {
		return v.Column(dst, f.name)
	}
	if f.quick {
		if q, ok := v.(quickView); ok {
			if dst, ok = q.Quick(dst, f.name); ok {
				return dst
			}
		}
	}
	return v.Values(dst, f.name)
}

// fieldKey names a field of an index while it is made.
type fieldKey struct {
	name   string
	column bool
	part   bool
}

// newIndex is of the rules of one dataset.
func newIndex(s *Set, dataset string, rules []int32) *index {
	x := &index{checks: make([][]check, len(s.Matchers))}
	numbers := map[fieldKey]int{}
	usable := map[int32][]check{}
	distinct := map[int]map[uint64]bool{}
	for _, rule := range rules {
		for _, req := range requiresOf(s.Matchers[rule], dataset) {
			hashes, ok := hashesOf(req.Values)
			if !ok {
				continue
			}
			at := x.field(numbers, dataset, fieldKey{req.Field, req.Column, req.Part})
			if req.Part {
				x.fields[at].parts.add(req.Values)
			}
			usable[rule] = append(usable[rule], check{at, hashes})
			if distinct[at] == nil {
				distinct[at] = map[uint64]bool{}
			}
			for _, h := range hashes {
				distinct[at][h] = true
			}
		}
	}
	for _, rule := range rules {
		x.place(rule, usable[rule], distinct)
	}
	for i := range x.fields {
		x.fields[i].parts.build()
	}
	x.keys = slices.DeleteFunc(slices.Sorted(maps.Values(numbers)), func(at int) bool { return len(x.fields[at].all) == 0 })
	return x
}

func requiresOf(m Matcher, dataset string) []Require {
	if r, ok := m.(Requirer); ok {
		return r.RequiresOf(dataset)
	}
	return m.Requires()
}

func (x *index) field(numbers map[fieldKey]int, dataset string, k fieldKey) int {
	at, ok := numbers[k]
	if !ok {
		at = len(x.fields)
		numbers[k] = at
		f := indexField{name: k.name, column: k.column, quick: !k.column && Quick(dataset, k.name), rules: map[uint64][]group{}}
		if k.column {
			f.text, f.direct = timeline.FieldByName(k.name)
			f.direct = f.direct && f.text.Kind() == timeline.Keyword
		} else if dataset == "kubernetes.audit_logs" {
			f.text, f.direct = TextColumns[k.name]
		}
		x.fields = append(x.fields, f)
		if k.part {
			x.fields[at].parts = &literals{}
		}
	}
	return at
}

// place puts a rule under the best of its requirements: one that costs little, not
// of a field that has one of few values in every event, then of the field with the
// most values among all rules, then with the fewest values of its own. The others
// are checked before the rule is asked.
func (x *index) place(rule int32, usable []check, distinct map[int]map[uint64]bool) {
	usable = slices.DeleteFunc(slices.Clone(usable), func(c check) bool { return x.implied(c, usable) })
	slices.SortStableFunc(usable, func(a, b check) int {
		return cmp.Or(x.cost(a)-x.cost(b), x.coarse(a)-x.coarse(b), len(distinct[b.field])-len(distinct[a.field]), x.search(a)-x.search(b), len(a.hashes)-len(b.hashes), a.field-b.field)
	})
	best := slices.IndexFunc(usable, func(c check) bool { return len(c.hashes) > 0 })
	if best < 0 {
		x.always = x.join(x.always, rule, usable)
		return
	}
	f := &x.fields[usable[best].field]
	hashes := usable[best].hashes
	usable = slices.Delete(usable, best, best+1)
	f.all = x.join(f.all, rule, usable)
	for _, h := range hashes {
		f.rules[h] = x.join(f.rules[h], rule, usable)
	}
}

// join puts a rule into the group of its first check, and keeps its others.
func (x *index) join(groups []group, rule int32, checks []check) []group {
	var first *check
	if len(checks) > 0 {
		first, x.checks[rule] = &checks[0], checks[1:]
	}
	at := slices.IndexFunc(groups, func(g group) bool { return first.same(g.first) })
	if at < 0 {
		at = len(groups)
		groups = append(groups, group{first: first})
	}
	groups[at].rules = append(groups[at].rules, rule)
	return groups
}

func (c *check) same(o *check) bool {
	return c == o || c != nil && o != nil && c.field == o.field && slices.Equal(c.hashes, o.hashes)
}

// implied tells of a requirement that a field be there whether another asks for
// one of its values.
func (x *index) implied(c check, all []check) bool {
	f := &x.fields[c.field]
	return len(c.hashes) == 0 && slices.ContainsFunc(all, func(o check) bool {
		g := &x.fields[o.field]
		return len(o.hashes) > 0 && g.name == f.name && g.column == f.column
	})
}

// cost orders requirements: those that are had without reading the record before
// the others.
func (x *index) cost(c check) int {
	if f := &x.fields[c.field]; f.column || f.quick {
		return 0
	}
	return 1
}

// coarse is 1 where a field tells few events apart, whatever rules ask of it.
func (x *index) coarse(c check) int {
	switch x.fields[c.field].name {
	case "event.outcome", "cloud.provider", "stage", "level":
		return 1
	}
	return 0
}

// search is 1 where a value is searched for its parts.
func (x *index) search(c check) int {
	if x.fields[c.field].parts != nil {
		return 1
	}
	return 0
}

// hashesOf are those of a requirement's values, sorted. One that is empty is no
// use, for what an absent field has is not said; nor is one that may be equal to
// another text but for its case.
func hashesOf(values []string) (hashes []uint64, ok bool) {
	for _, v := range values {
		h, ok := fold([]byte(v))
		if !ok || v == "" {
			return nil, false
		}
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	return slices.Compact(hashes), true
}

// fold hashes ASCII text without regard to case (FNV-1a). False is any other
// text: beyond ASCII, letters of different length are equal but for their case,
// one of them to an ASCII letter.
func fold(b []byte) (uint64, bool) {
	h := uint64(14695981039346656037)
	for _, c := range b {
		if c >= 0x80 {
			return 0, false
		}
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h, true
}
