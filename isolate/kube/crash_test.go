package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"amber/container/kube/kubetest"
	"amber/isolate"
	"amber/isolate/kube"
)

// crasher runs testdata/holder, built so that it dies at a fault point.
type crasher struct {
	bed
	bin    string
	before string // what the API server has of the pod, the node and of amber
}

func crashes(t *testing.T, b bed) {
	bin := filepath.Join(t.TempDir(), "holder")
	cmd := exec.Command("go", "build", "-tags", "fault", "-o", bin, "./testdata/holder")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building holder: %v\n%s", err, out)
	}
	// A pod without an owner: no controller follows up what the releases do.
	b.pod = "bare"
	b.Do(t, http.MethodPost, kubetest.In(kubetest.Pods, b.ns, ""), fmt.Sprintf(
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bare","labels":{"app":"web","tier":"front","team":"shop"}},"spec":{"nodeName":%q,"containers":[{"name":"a","image":"registry.example/bare:1"}]}}`, b.node))
	c := crasher{bed: b, bin: bin, before: b.fields(t)}
	t.Run("apply", c.dieApplying)
	t.Run("release", c.dieReleasing)
}

// run runs it until the at-th point, 0 for none, and gives the points passed.
func (c crasher) run(t *testing.T, verb, dir string, at int) (points []string, died bool) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "points")
	cmd := exec.Command(c.bin, verb, dir, c.Kubeconfig, c.ns, c.pod)
	cmd.Env = append(os.Environ(), "AMBER_FAULT_LIST="+list, "AMBER_FAULT_AT="+strconv.Itoa(at))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	died = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if err != nil && !died {
		t.Fatalf("%s at point %d: %v\n%s", verb, at, err, out)
	}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n"), died
}

// release undoes, in this process and by the journal alone, what the dead one
// has left.
func (c crasher) release(t *testing.T, dir, at string) {
	t.Helper()
	entries, err := isolate.Load(dir)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	m := kube.New(c.API, kube.Options{Rejoin: true})
	if _, err := isolate.Release(context.Background(), entries, func(string) (isolate.Method, error) { return m, nil }); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	if got := c.fields(t); got != c.before {
		t.Fatalf("%s: after the release\n%s\nand before\n%s", at, got, c.before)
	}
	if entries, err = isolate.Load(dir); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	for _, e := range entries {
		if e.State != isolate.Released {
			t.Errorf("%s: the journal says %s: %+v", at, e.State, e)
		}
	}
	if holds, err := isolate.Holds(); err != nil || len(holds) != 0 {
		t.Errorf("%s: the index still holds %+v, %v", at, holds, err)
	}
}

// inIndex checks that what was changed can be found from anywhere on the host.
func (c crasher) inIndex(t *testing.T, dir, at string) {
	t.Helper()
	holds, err := isolate.Holds()
	if err != nil || len(holds) != 1 || holds[0].Case != dir {
		t.Errorf("%s: the cluster was changed, and the index of holds says %+v, %v", at, holds, err)
	}
}

// dieApplying kills it at every point of applying, until it lives.
func (c crasher) dieApplying(t *testing.T) {
	changed := 0
	for at := 1; ; at++ {
		dir := t.TempDir()
		points, died := c.run(t, "apply", dir, at)
		name := "killed at " + points[len(points)-1]
		if c.fields(t) != c.before {
			changed++
			c.inIndex(t, dir, name)
		} else if changed > 0 || !died {
			t.Errorf("%s: a crash let it go, or it was never held", name)
		}
		c.release(t, dir, name)
		if !died {
			t.Logf("%d points, %d of them after something was changed", at-1, changed)
			if at < 60 || changed < 40 {
				t.Errorf("only %d points", at-1)
			}
			return
		}
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
		c.release(t, dir, "killed at "+point)
	}
	t.Logf("%d of %d points", tried, len(all))
}
