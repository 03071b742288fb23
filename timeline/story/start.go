package story

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"amber/timeline"
	"amber/timeline/correlate"
)

// origin is what a story is to start from.
type origin struct {
	any     bool // what is worst
	ref     correlate.Ref
	finding string
}

// start reads what From means.
func (t *teller) start(from string) (origin, error) {
	if from == "" {
		return origin{any: true}, nil
	}
	if id := t.findingNamed(from); id != "" {
		return origin{finding: id}, nil
	}
	refs := t.entitiesNamed(from)
	switch len(refs) {
	case 1:
		return origin{ref: refs[0]}, nil
	case 0:
		return origin{}, &ErrUnknown{From: from}
	}
	e := &ErrUnknown{From: from}
	for _, r := range refs[:min(len(refs), 20)] {
		e.Could = append(e.Could, r.String())
	}
	return origin{}, e
}

// findingNamed finds a finding by its id, or a beginning of it that no other
// has.
func (t *teller) findingNamed(from string) string {
	if len(from) < 6 {
		return ""
	}
	var hit string
	for _, s := range t.book.steps {
		for _, id := range s.findings {
			if strings.HasPrefix(id, from) && id != hit {
				if hit != "" {
					return ""
				}
				hit = id
			}
		}
	}
	return hit
}

// fieldKinds are the kinds of entities that a column may name.
var fieldKinds = map[string][]correlate.Kind{
	"user.name":                  {correlate.User, correlate.CloudUser, correlate.Account, correlate.CloudRole, correlate.HostUser, correlate.OktaUser, correlate.GitHubUser},
	"user.effective.name":        {correlate.User, correlate.Account},
	"source.ip":                  {correlate.Address},
	"destination.ip":             {correlate.Address},
	"host.name":                  {correlate.Node},
	"container.id":               {correlate.Container},
	"container.image.name":       {correlate.Image},
	"orchestrator.resource.name": {correlate.Pod, correlate.Workload, correlate.Service, correlate.Object, correlate.Account},
	"cloud.instance.id":          {correlate.Instance},
	"file.path":                  {correlate.File},
	"process.entity_id":          {correlate.Process},
}

// entitiesNamed finds what a text names: KIND:NAME, FIELD:VALUE, or the name or
// its last part alone.
func (t *teller) entitiesNamed(from string) []correlate.Ref {
	before, after, two := strings.Cut(from, ":")
	if two {
		ref := correlate.Ref{Kind: correlate.Kind(before), Name: after}
		if _, ok := t.graph.Find(ref); ok || t.mentioned(ref) {
			return []correlate.Ref{ref}
		}
		if kinds := fieldKinds[before]; kinds != nil {
			account, _ := strings.CutPrefix(after, "system:serviceaccount:")
			return t.named(strings.ReplaceAll(account, ":", "/"), func(k correlate.Kind) bool { return slices.Contains(kinds, k) })
		}
	}
	return t.named(from, func(correlate.Kind) bool { return true })
}

func (t *teller) mentioned(ref correlate.Ref) bool {
	for _, s := range t.book.steps {
		if slices.Contains(s.refs, ref) {
			return true
		}
	}
	return false
}

// named finds entities by their whole name, else by its end or the label.
func (t *teller) named(name string, wanted func(correlate.Kind) bool) (exact []correlate.Ref) {
	var ends []correlate.Ref
	consider := func(ref correlate.Ref, label string) {
		switch {
		case !wanted(ref.Kind):
		case ref.Name == name:
			exact = append(exact, ref)
		case strings.HasSuffix(ref.Name, "/"+name) || label != "" && label == name:
			ends = append(ends, ref)
		}
	}
	for i := range t.graph.Entities {
		consider(t.graph.Entities[i].Ref, t.graph.Entities[i].Label)
	}
	for _, s := range t.book.steps {
		for _, ref := range s.refs {
			if _, known := t.graph.Find(ref); !known && !slices.Contains(exact, ref) && !slices.Contains(ends, ref) {
				consider(ref, "")
			}
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return ends
}

// choose picks the group to tell. Of an entity that no group has, all its own
// events are told.
func (t *teller) choose(groups []*group, from origin) (*group, error) {
	if from.any {
		if len(groups) == 0 || groups[0].score == 0 {
			return nil, nil
		}
		return groups[0], nil
	}
	for _, g := range groups {
		for _, s := range g.steps {
			if from.finding != "" && slices.Contains(s.findings, from.finding) || from.finding == "" && slices.Contains(s.refs, from.ref) {
				return g, nil
			}
		}
	}
	return t.alone(from.ref)
}

// alone tells the events of one entity. They are looked for where its time and
// its name are, and kept where they mention it.
func (t *teller) alone(ref correlate.Ref) (*group, error) {
	i, ok := t.graph.Find(ref)
	if !ok {
		return nil, &ErrUnknown{From: ref.String()}
	}
	e := &t.graph.Entities[i]
	old := t.book
	t.book = newBook()
	word := e.Name[strings.LastIndexAny(e.Name, "/:")+1:]
	if e.Kind == correlate.Request {
		word = ""
	}
	text := "@timestamp:[" + stamp(e.First.Micros) + " TO " + stamp(e.Last.Micros+1) + "}"
	if word != "" {
		text += " AND " + quoted(word)
	}
	err := t.askMentions(text, ref)
	g := &group{steps: t.book.steps}
	t.book = old
	slices.SortStableFunc(g.steps, func(a, b *step) int { return compareTimes(a.first, b.first) })
	if len(g.steps) == 0 {
		return nil, err
	}
	return g, err
}

func (t *teller) askMentions(text string, ref correlate.Ref) error {
	return t.each(text, func(r timeline.Row) {
		if ref.Kind == correlate.Request && hex.EncodeToString(r.ID[:]) == ref.Name {
			t.see(r, true)
			return
		}
		for _, m := range correlate.Mentions(r) {
			if m.Ref == ref {
				t.see(r, true)
				return
			}
		}
	})
}

// quoted writes a phrase of a query.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// stamp writes microseconds as RFC 3339 has it.
func stamp(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000000Z")
}
