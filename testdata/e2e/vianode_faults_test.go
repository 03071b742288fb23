//go:build e2e

package e2e

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"amber/testdata/testbed"
)

// rights: with one verb less nothing is made, and that verb is named.
func (w workstation) rights(t *testing.T) {
	w.idle(t, "idle")
	for _, r := range []struct{ resource, verbs, lacks string }{
		{"pods", "create,get,list", "delete pods"}, {"pods/exec", "get", "create pods/exec"},
	} {
		name := "less-" + strings.Fields(r.lacks)[0]
		u := w.with("KUBECONFIG", w.User(t, name, testbed.Rule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}}))
		rules := map[string]string{"pods": "create,get,list,delete", "pods/exec": "create,get"}
		rules[r.resource] = r.verbs
		for resource, verbs := range rules {
			role := strings.ReplaceAll(name+"-"+resource, "/", "-")
			w.kubectl(t, "-n", "kube-system", "create", "role", role, "--verb="+verbs, "--resource="+resource)
			w.kubectl(t, "-n", "kube-system", "create", "rolebinding", role, "--role="+role, "--serviceaccount=amber-test-users:"+name)
		}
		w.Eventually(t, "one verb alone to lack", func(context.Context) error {
			got := u.run(t, w.args([]string{"collect"}, "--case", filepath.Join(w.home, name), "pod/default/idle")...).want(t, 1)
			if !strings.Contains(got.err, "may not "+r.lacks+" in namespace kube-system (") {
				return errors.New(got.err)
			}
			return nil
		})
	}
	w.noAgent(t)
}

func (w workstation) noImage(t *testing.T) {
	w.idle(t, "idle")
	absent := "amber.test/absent@sha256:" + strings.Repeat("5", 64)
	r := w.run(t, w.args([]string{"respond"}, "--yes", "--via-node-image", absent, "--via-node-timeout", "20s", "--case", filepath.Join(w.home, "absent"), "pod/default/idle")...)
	r.want(t, 1).says(t, "does not run", "Image")
	w.noAgent(t)
	if pod, err := w.Pod(context.Background(), "default", "idle"); err != nil || !pod.Ready {
		t.Errorf("the target was touched: %+v %v", pod, err)
	}
}

// crashes has the workstation's amber die before and after it makes and
// removes a pod: the next command leaves none.
func (w workstation) crashes(t *testing.T) {
	w.idle(t, "idle")
	args := func(dir string) []string {
		return slices.Concat([]string{"collect"}, w.flags, w.onNode(), []string{"--case", dir, "pod/default/idle"})
	}
	r, points := w.dieAt(t, 0, args(filepath.Join(w.home, "whole"))...)
	r.want(t, 0, 3)
	tried := 0
	for i, point := range points {
		if !strings.HasSuffix(point, " agent") {
			continue
		}
		tried++
		dir := filepath.Join(w.home, "crash-"+itoa(i+1))
		if r, _ := w.dieAt(t, i+1, args(dir)...); !r.died() {
			t.Errorf("%s: not killed: %s", point, r.err)
		}
		before, err := w.agents()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: left %q", point, before)
		w.run(t, w.args([]string{"isolate", "list"}, "--case", dir)...).want(t, 0)
		w.noAgent(t)
	}
	if tried < 4 {
		t.Errorf("%d points: %q", tried, points)
	}
}

// struck has the workstation's amber end while the node is at work: what is
// held stays held; a pod that is left behind is removed by the next command.
func (w workstation) struck(t *testing.T, name string, signal syscall.Signal) {
	pod := w.idle(t, name)
	dir := filepath.Join(w.home, name)
	cmd := w.command(context.Background(), plainBin, append(w.args([]string{"respond"}, "--yes", "--case", dir, "--no-cordon"), append(w.onNode(), "pod/default/"+name)...)...)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the node to hold the pod", func() bool {
		list, err := filepath.Glob(filepath.Join(w.node, "holds", "*.json"))
		return err == nil && len(list) > 0
	})
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("amber says that all is well")
	}
	left, says := signal == syscall.SIGKILL, []string{"released"}
	if left {
		says = append(says, "earlier amber has left")
	}
	if out, err := w.agents(); err != nil || (out != "") != left {
		t.Fatalf("left behind: %s %v", out, err)
	}
	until(t, "the pod to stand still", func() bool { return kernel(t, w.running(pod, "idle")) == "FROZEN" })
	w.run(t, append(w.args([]string{"isolate", "release"}, "--yes", "--all", "--case", dir), w.onNode()...)...).want(t, 0).says(t, says...)
	w.noAgent(t)
	w.left(t)
	if state := kernel(t, w.running(pod, "idle")); state != "RUNNING" {
		t.Errorf("the kernel says that it is %s", state)
	}
}
