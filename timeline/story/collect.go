package story

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/query"
)

// questions find the rows that may stand out by themselves.
func questions() []string {
	return []string{
		`event.dataset:kubernetes.audit_logs AND (tags:(anonymous OR "secret-list" OR "secret-read" OR proxy) OR orchestrator.resource.type:secrets OR event.action:(exec OR attach OR "port-forward"))`,
		`event.dataset:kubernetes.audit_logs AND event.action:(create OR update OR patch OR delete OR deletecollection) AND NOT orchestrator.resource.type:(leases OR endpoints OR endpointslices OR secrets) AND NOT tags:(anonymous OR proxy)`,
		"event.dataset:aws.cloudtrail AND event.action:(" + strings.Join(slices.Sorted(maps.Keys(signsOfCalls())), " OR ") + ")",
		`event.dataset:(auditd.log OR cilium_tetragon.log) AND event.action:(executed OR "loaded-kernel-module")`,
		`event.dataset:falco.alerts`,
		`event.dataset:amber.process AND tags:("executable-deleted" OR "executable-memfd" OR "executable-replaced")`,
		`event.dataset:amber.file AND event.action:"file-deleted"`,
	}
}

// fields that acts are made of, beside those of mentions.
func fields() []string {
	return append(correlate.Fields(),
		"tags", "message", "url.original", "event.severity", "rule.name", "threat.technique.id", "threat.tactic.name", "http.response.status_code", "error.code",
		"kubernetes.audit.responseObject.items.metadata.name", "kubernetes.audit.requestObject.rules", "kubernetes.audit.requestObject.roleRef.name", "kubernetes.audit.requestObject.subjects",
		"kubernetes.audit.requestObject.spec.volumes.hostPath.path", "kubernetes.audit.requestObject.spec.containers.securityContext.capabilities.add")
}

// collect reads what stands out: by itself, and by the rules' findings.
func (t *teller) collect() error {
	if err := t.each("event.dataset:amber.custody", func(r timeline.Row) { t.own.saw(r.Time) }); err != nil {
		return err
	}
	for _, q := range questions() {
		if err := t.ask(q); err != nil {
			return err
		}
	}
	if err := t.askFindings(); err != nil {
		return err
	}
	slices.SortStableFunc(t.book.steps, func(a, b *step) int { return compareTimes(a.first, b.first) })
	return nil
}

// ask tells the rows of a query that stand out.
func (t *teller) ask(text string) error {
	return t.each(text, func(r timeline.Row) { t.see(r, false) })
}

func (t *teller) see(r timeline.Row, all bool) {
	v := t.look(r)
	a := actOf(v)
	fs := t.found[r.ID]
	if !a.own && len(fs) == 0 && !all {
		t.book.plain++
		return
	}
	if t.responding(v) {
		t.own.count(r.Time)
		return
	}
	t.book.add(v, a, fs)
}

// look adds to a row what is known of its process, and of what it asked for.
func (t *teller) look(r timeline.Row) *view {
	v := &view{Row: r, mentions: correlate.Mentions(r)}
	also := func(role correlate.Role, ref correlate.Ref) {
		if ref.Name != "" {
			v.mentions = append(v.mentions, correlate.Mention{Ref: ref, Role: role})
		}
	}
	if request := (correlate.Ref{Kind: correlate.Request, Name: hex.EncodeToString(r.ID[:])}); t.known(request) {
		also(correlate.With, request)
	}
	o, ok := t.graph.Origin(r)
	if !ok {
		return v
	}
	v.origin = o
	also(correlate.With, o.Process)
	also(correlate.With, o.Request)
	also(correlate.Place, o.Pod)
	also(correlate.Place, o.Container)
	if i, ok := t.graph.Find(o.Request); ok {
		for _, l := range t.graph.Of(i) {
			if l.Kind == correlate.AskedFor {
				v.asker = t.graph.Entities[l.From].Ref
			}
		}
	}
	return v
}

func (t *teller) known(ref correlate.Ref) bool {
	_, ok := t.graph.Find(ref)
	return ok
}

// chunk is how many times or ids one query names.
const chunk = 100

// askFindings reads the rows of findings: those of one event by its time, the
// others by their ids.
func (t *teller) askFindings() error {
	times := map[int64]bool{}
	for _, fs := range t.found {
		for _, f := range fs {
			times[f.time.Micros] = true
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(times)), chunk) {
		terms := make([]string, len(part))
		for i, at := range part {
			terms[i] = fmt.Sprintf("@timestamp:[%s TO %s}", stamp(at), stamp(at+1))
		}
		if err := t.askFor(terms); err != nil {
			return err
		}
	}
	var left []string
	for id := range t.found {
		if !t.book.told[id] {
			left = append(left, "row_id:"+hex.EncodeToString(id[:]))
		}
	}
	slices.Sort(left)
	for part := range slices.Chunk(left, chunk) {
		if err := t.askFor(part); err != nil {
			return err
		}
	}
	return nil
}

// askFor tells the rows of findings among those that any of the terms finds.
func (t *teller) askFor(terms []string) error {
	return t.each(strings.Join(terms, " OR "), func(r timeline.Row) {
		if len(t.found[r.ID]) > 0 {
			t.see(r, false)
		}
	})
}

// each calls see with the rows of a query.
func (t *teller) each(text string, see func(timeline.Row)) error {
	where, err := query.Parse(text, query.Options{})
	if err != nil {
		return err
	}
	return correlate.Each(t.ctx, t.store, query.Widen(where), fields(), func(r timeline.Row) error {
		see(r)
		return nil
	})
}
