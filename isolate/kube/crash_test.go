package kube_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/container/kube/kubetest"
	"amber/evidence/durable/durabletest"
	"amber/isolate/crashtest"
	"amber/isolate/kube"
)

// crasher runs testdata/holder, built so that it dies at a fault point.
type crasher struct {
	bed
	bin    string
	before string // what the API server has of the pod, the node and of amber
}

func crashes(t *testing.T, b bed) {
	// A pod without an owner: no controller follows up what the releases do.
	b.pod = "bare"
	b.Do(t, http.MethodPost, kubetest.In(kubetest.Pods, b.ns, ""), fmt.Sprintf(
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bare","labels":{"app":"web","tier":"front","team":"shop"}},"spec":{"nodeName":%q,"containers":[{"name":"a","image":"registry.example/bare:1"}]}}`, b.node))
	c := crasher{bed: b, bin: durabletest.Build(t, "./testdata/holder"), before: b.fields(t)}
	t.Run("apply", c.dieApplying)
	t.Run("release", c.dieReleasing)
	t.Run("cut", c.releasedByACutJournal)
}

// run runs it until the at-th point, 0 for none, and gives the points passed.
func (c crasher) run(t testing.TB, verb, dir string, at int) (points []string, died bool) {
	t.Helper()
	cmd := exec.Command(c.bin, verb, dir, c.Kubeconfig, c.ns, c.pod)
	return durabletest.Run(t, cmd, at)
}

func (c crasher) crashes() crashtest.Bed {
	return crashtest.Bed{
		Run: c.run, Method: kube.New(c.API, kube.Options{Rejoin: true}),
		Held: func(t testing.TB, dir, at string) bool {
			changed := c.fields(t) != c.before
			if changed {
				crashtest.Indexed(t, dir, at)
			}
			return changed
		},
		Free: func(t testing.TB, at string) {
			if got := c.fields(t); got != c.before {
				t.Errorf("%s: after the release\n%s\nand before\n%s", at, got, c.before)
			}
		},
	}
}

// dieApplying kills it at every point of applying, until it lives.
func (c crasher) dieApplying(t *testing.T) {
	if points, changed := c.crashes().Applying(t); points < 59 || changed < 39 {
		t.Errorf("only %d points, %d of them after something was changed", points, changed)
	}
}

// dieReleasing kills it before and after everything that releasing asks of the
// API server, and at the first and last points, which are the journal's; those
// in between are alike, and dieApplying has them all.
func (c crasher) dieReleasing(t *testing.T) {
	dir := t.TempDir()
	c.run(t, "apply", dir, 0)
	all, _ := c.run(t, "release", dir, 0)
	if got := c.fields(t); got != c.before || len(all) < 60 {
		t.Errorf("released without a crash after %d points, it is %s", len(all), got)
	}
	tried := 0
	for i, point := range all {
		if i > 3 && i < len(all)-6 && !strings.Contains(point, "delete ") && !strings.Contains(point, "patch ") {
			continue
		}
		tried++
		dir := t.TempDir()
		c.run(t, "apply", dir, 0)
		if _, died := c.run(t, "release", dir, i+1); !died {
			t.Errorf("it did not die at %s", point)
		}
		c.crashes().Release(t, dir, "killed at "+point)
	}
	t.Logf("%d of %d points", tried, len(all))
}

// A journal that lost its end behind any step has lost none of the way back.
func (c crasher) releasedByACutJournal(t *testing.T) {
	for keep := 2; ; keep++ { // the plan and a step at the least
		dir := t.TempDir()
		c.run(t, "apply", dir, 0)
		journals, _ := filepath.Glob(filepath.Join(dir, "journal", "*.jsonl"))
		data, err := os.ReadFile(journals[0])
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(data, []byte("\n"))
		last := keep >= len(lines)-1
		if err := os.WriteFile(journals[0], bytes.Join(lines[:min(keep, len(lines))], nil), 0o600); err != nil {
			t.Fatal(err)
		}
		c.crashes().Release(t, dir, fmt.Sprintf("cut to %d of %d lines", keep, len(lines)-1))
		if last {
			return
		}
	}
}
