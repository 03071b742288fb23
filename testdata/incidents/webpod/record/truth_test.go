//go:build incident

package record

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"amber/testdata/incidents/truth"
	"amber/testdata/testbed"
)

// diary is what the intruder did, and when: written while it is done.
type diary struct {
	truth.Truth
	windows map[string]truth.Step
}

func newDiary(web testbed.Pod, k *testbed.Kubernetes) *diary {
	t := &diary{windows: map[string]truth.Step{}}
	t.Facts, t.From = map[string]string{}, began
	t.fact("node", k.NodeName)
	t.fact("server", k.Server)
	t.fact("web_pod", web.Name)
	t.fact("web_uid", web.UID)
	t.fact("web_address", web.Addr4.String())
	t.fact("web_container", web.Containers["web"].ID)
	return t
}

func (t *diary) fact(name, value string) { t.Facts[name] = value }

// during notes when a step was taken.
func (t *diary) during(id string, do func()) {
	from := time.Now().UTC()
	do()
	t.at(id, from, time.Now().UTC())
}

func (t *diary) at(id string, from, to time.Time) {
	t.windows[id] = truth.Step{From: from.Truncate(time.Millisecond), To: to.Add(time.Millisecond).Truncate(time.Millisecond)}
}

// minutes are the whole minutes that the steps lie in.
func (t *diary) minutes() (from, to time.Time) {
	for _, s := range t.windows {
		if s.To.After(to) {
			to = s.To
		}
	}
	return t.From, to.Truncate(time.Minute).Add(time.Minute)
}

// finish puts the windows into the steps as they are written in the plan.
func (t *diary) finish() truth.Truth {
	done := t.Truth
	done.From, done.To = t.minutes()
	done.Title, done.Synthetic = plan.Title, plan.Synthetic
	for _, s := range plan.Steps {
		w := t.windows[s.ID]
		s.From, s.To = w.From, w.To
		done.Steps = append(done.Steps, s.With(t.Facts))
	}
	for _, l := range plan.Links {
		done.Links = append(done.Links, l.With(t.Facts))
	}
	return done
}

func (t *diary) step(id string) truth.Step { return t.windows[id] }

var replan = flag.String("replan", "", "a truth.json that is written anew with the plan as it is now")

// TestReplan puts a plan that has changed into a truth that was recorded.
func TestReplan(t *testing.T) {
	if *replan == "" {
		t.Skip("no -replan says what is to be written")
	}
	data, err := os.ReadFile(*replan)
	if err != nil {
		t.Fatal(err)
	}
	old := &diary{windows: map[string]truth.Step{}}
	decode(t, data, &old.Truth)
	for _, s := range old.Steps {
		old.windows[s.ID] = s
	}
	old.Steps, old.Links = nil, nil
	writeTruth(t, *replan, old)
}

// writeTruth writes it as people read it.
func writeTruth(t *testing.T, path string, tr *diary) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(tr.finish()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
