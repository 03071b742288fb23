package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"amber/container"
	"amber/evidence/custody"
	"amber/isolate"
	"amber/isolate/cgroupnet"
	"amber/isolate/kube"
	"amber/isolate/nft"
	"amber/isolate/probes"
)

// measureResult is one measure beside the freeze, as respond and isolate print
// it.
type measureResult struct {
	Method  string          `json:"method"`
	State   string          `json:"state"`
	Journal string          `json:"journal,omitempty"`
	AfterMS int64           `json:"after_ms,omitempty"` // since the process started
	Checks  []isolate.Check `json:"checks,omitempty"`
	Notes   []string        `json:"notes,omitempty"` // what it cannot do, or cannot know
	Error   string          `json:"error,omitempty"`

	method isolate.Method
	plan   isolate.Plan
	entry  isolate.Entry
}

// The states of a measure beside those of its journal.
const (
	notNeeded  = "not needed"
	rolledBack = "rolled back"
	planned    = "planned"
)

// quarantine cuts the network, and begins the other measures beside the freeze:
// they ask the cluster's API, for which the evidence does not wait.
func (r *response) quarantine() {
	names := r.rest
	var list []*measureResult
	if len(names) > 0 && names[0] == nft.Name {
		list, names = append(list, r.takeMeasure(r.planned(nft.Name))), names[1:]
	}
	if slices.Contains(names, kube.Name) {
		r.pod.told = make(chan struct{})
	}
	r.beyond.Go(func() { r.quarantineOn(list, names) })
}

// quarantineOn takes the other measures, one after the other, and then tries
// whether all hold: a pod that stands still has no time to wait for that. A
// measure that fails keeps no other from being taken.
func (r *response) quarantineOn(list []*measureResult, names []string) {
	for _, name := range names {
		if name == kube.Name {
			r.recordPod()
			close(r.pod.told)
		}
		list = append(list, r.takeMeasure(r.planned(name)))
	}
	if err := node.say(messageCut, nil); err != nil {
		r.warn("telling the workstation: " + err.Error())
	}
	for _, m := range list {
		if m.State == string(isolate.Held) {
			r.prove(m)
		}
		r.tell(*m)
	}
}

// quarantined waits until all measures are taken.
func (r *response) quarantined() {
	r.cut.Do(r.quarantine)
	r.beyond.Wait()
}

// killConnections is the last measure: the intruder notices it.
func (r *response) killConnections() {
	if r.failed() || r.c.Context.Err() != nil {
		r.warn("the evidence is not safe: its connections are left as they are")
		return
	}
	m := r.takeMeasure(r.planMeasure(nft.ConnectionsName))
	for _, o := range m.entry.Receipt.Outcomes {
		m.Notes = append(m.Notes, strings.TrimSpace(o.Note+" "+o.Err))
	}
	r.tell(*m)
}

// tell adds a measure to what is held, to the result and to the custody log.
func (r *response) tell(m measureResult) {
	if m.State == string(isolate.Held) {
		r.taken = append(r.taken, m.entry)
	}
	r.mu.Lock()
	r.result.Measures = append(r.result.Measures, m)
	r.mu.Unlock()
	if m.Error != "" {
		r.warn(m.Method + ": " + m.Error)
	}
	if m.entry.ID != "" && m.State != notNeeded {
		r.logMeasure(m)
	}
}

// prepare plans the first measure while the sockets are recorded.
func (r *response) prepare() {
	if len(r.rest) == 0 {
		return
	}
	plan := make(chan *measureResult, 1)
	go func() {
		m := r.planMeasure(r.rest[0])
		if b, can := m.method.(interface {
			Begin(context.Context, isolate.Plan)
		}); can && m.State == planned {
			b.Begin(r.c.Context, m.plan)
		}
		plan <- m
	}()
	r.first = sync.OnceValue(func() *measureResult { return <-plan })
}

// planned is the plan that prepare has made, or a new one.
func (r *response) planned(name string) *measureResult {
	if r.first != nil && name == r.rest[0] {
		return r.first()
	}
	return r.planMeasure(name)
}

// takeMeasure applies one that is planned.
func (r *response) takeMeasure(m *measureResult) *measureResult {
	if m.State != planned {
		return m
	}
	m.plan.Forced, m.plan.Critical = r.plan.Forced, nil // judged before the first measure
	var err error
	m.entry, err = isolate.ApplyAfter(r.c.Context, &r.unsynced, r.cs.Dir(), m.method, m.plan)
	m.Journal, m.State, m.AfterMS = m.entry.File, string(m.entry.State), sinceStart(time.Now())
	if err != nil {
		m.Error = err.Error()
	}
	return m
}

// changesNothing reports whether no step of a plan changes anything.
func changesNothing(p isolate.Plan) bool {
	return !slices.ContainsFunc(p.Steps, func(s isolate.Step) bool { return s.Undo != "" })
}

// planMeasure makes a measure's plan. Where nothing is to be done, or nothing
// can be, it says so instead; that is an error where the measure was asked for
// by its name.
func (r *response) planMeasure(name string) *measureResult {
	m := &measureResult{Method: name, State: planned}
	method, why, err := r.measure(name)
	if method != nil {
		m.Method, m.method = method.Name(), method
		m.plan, err = method.Plan(r.c.Context, r.hold)
	}
	switch {
	case err != nil && (method != nil || slices.Contains(r.c.StringSlice("method"), name)):
		m.State, m.Error = string(isolate.Failed), err.Error()
	case err != nil:
		m.State, m.Notes = notNeeded, []string{err.Error()}
	case method == nil:
		m.State, m.Notes = notNeeded, []string{why}
	case len(m.plan.Steps) == 0:
		m.State, m.Notes = notNeeded, m.plan.Warnings
	case changesNothing(m.plan):
		m.State, m.Notes = notNeeded, []string{m.plan.Steps[0].What}
	default:
		m.Notes = m.plan.Warnings
	}
	return m
}

// prove verifies a measure that was taken. A network cut that does not hold is
// rolled back, because it would be relied on, unless the user wants it as it is.
func (r *response) prove(m *measureResult) {
	checks, err := isolate.Verify(r.c.Context, m.entry, m.method)
	m.Checks = checks
	wrong := failures(checks)
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	if len(wrong) == 0 {
		return
	}
	m.fail("IT DOES NOT HOLD: " + strings.Join(wrong, "; "))
	if r.c.Bool("keep-going") || m.Method != nft.Name && m.Method != cgroupnet.Name {
		return
	}
	_, err = isolate.Release(context.WithoutCancel(r.c.Context), []isolate.Entry{m.entry},
		func(string) (isolate.Method, error) { return m.method, nil })
	if err != nil {
		m.fail("it could not be rolled back: " + err.Error())
		return
	}
	m.State = rolledBack
	m.fail("it was rolled back; --keep-going leaves it")
}

func (m *measureResult) fail(text string) {
	if m.Error != "" {
		text = m.Error + "; " + text
	}
	m.Error = text
}

// failures words the checks that are not as they must be.
func failures(checks []isolate.Check) (list []string) {
	for _, k := range checks {
		if k.Failed() {
			list = append(list, "not so: "+k.Name+": "+k.Got)
		}
	}
	return list
}

// recordLimit is how long the cluster may take to tell of a pod.
const recordLimit = 20 * time.Second

// recordPod keeps what the cluster says of the pod, before it is changed.
func (r *response) recordPod() {
	pod := podOf(r.hold.Containers)
	cluster, err := r.rts.cluster()
	if pod == nil || err != nil || r.pod.docs != nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.c.Context, recordLimit)
	defer cancel()
	r.pod.docs, r.pod.misses, err = cluster.Record(ctx, pod.Namespace, pod.Name)
	if err != nil {
		r.warn("what the cluster says of the pod is not recorded: " + err.Error())
	}
}

// podRecord is what the cluster said of the pod.
type podRecord struct {
	docs   []container.Document
	misses map[string]string
	told   chan struct{} // closed when it has told; nil where it is not asked
}

// describer is what tells of a container: its runtime, and the cluster.
func (r *response) describer(c container.Container) container.Describer {
	runtime, _ := r.rts.of(c).(container.Describer)
	return describer{runtime, r}
}

type describer struct {
	container.Describer
	r *response
}

func (d describer) Describe(ctx context.Context, c container.Container) (docs []container.Document, misses map[string]string, err error) {
	misses = map[string]string{}
	if d.Describer != nil {
		docs, misses, err = d.Describer.Describe(ctx, c)
	}
	if d.r.pod.told != nil {
		<-d.r.pod.told
	}
	if d.r.pod.misses != nil {
		misses = maps.Clone(misses)
		maps.Copy(misses, d.r.pod.misses)
	}
	return append(docs, d.r.pod.docs...), misses, err
}

func (r *response) logMeasure(m measureResult) {
	e := custody.Entry{
		Action: "isolate", Result: m.Method + ": " + m.State, Reason: r.c.String("reason"), Authority: r.c.String("authority"),
		Alterations: []string{m.Method + " on " + strings.Join(m.plan.Refs, ", ")},
	}
	if m.Error != "" {
		e.Errors = []string{m.Error}
	}
	r.logLater(e)
}

// print prints a measure in a line, and what it does not do below it.
func (m measureResult) print(w io.Writer) {
	if m.State == notNeeded {
		fmt.Fprintf(w, "%-9s %s: %s\n", m.Method, m.State, safeLines(strings.Join(m.Notes, "; ")))
		return
	}
	fmt.Fprintf(w, "%-9s %s", m.Method, m.State)
	if m.AfterMS > 0 {
		fmt.Fprintf(w, ", %d ms after the start", m.AfterMS)
	}
	ok, empty := 0, 0
	for _, k := range m.Checks {
		switch {
		case k.Empty:
			empty++
		case k.OK:
			ok++
		}
	}
	if len(m.Checks) > 0 {
		fmt.Fprintf(w, "; %d of %s hold", ok, countText(len(m.Checks), "check"))
	}
	if empty > 0 {
		fmt.Fprintf(w, ", %d prove nothing", empty)
	}
	fmt.Fprintln(w)
	for _, n := range m.Notes {
		fmt.Fprintf(w, "          note: %s\n", safeLines(n))
	}
}

// answerProbesCommand is what the probes' measure leaves behind.
func answerProbesCommand() *cli.Command {
	return &cli.Command{
		Name: probes.Verb, Hidden: true, ArgsUsage: "CONFIG",
		Action: func(c *cli.Context) error {
			if err := exactly(c, 1, 1, "CONFIG"); err != nil {
				return err
			}
			return probes.Serve(c.Context, c.Args().First())
		},
	}
}
