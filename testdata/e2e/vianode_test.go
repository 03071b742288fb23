//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/testdata/testbed"
)

// TestViaNode is the story of the quarantine, told from a workstation.
func TestViaNode(t *testing.T) {
	w := newWorkstation(t)
	t.Run("refused", w.refused)
	t.Run("rights", w.rights)
	t.Run("no image", w.noImage)
	t.Run("respond", w.respond)
	t.Run("two containers", w.two)
	t.Run("hold and collect", w.holdAndCollect)
	t.Run("crashes", w.crashes)
	t.Run("killed", func(t *testing.T) { w.struck(t, "killed", syscall.SIGKILL) })
	t.Run("interrupted", func(t *testing.T) { w.struck(t, "interrupted", syscall.SIGINT) })
}

func (w workstation) refused(t *testing.T) {
	for _, image := range []string{"", "amber.test/amber:latest", "amber.test/amber@sha256:abc", "@sha256:" + strings.Repeat("a", 64)} {
		r := cluster{w.Kubernetes, w.with("AMBER_VIA_NODE_IMAGE", "")}.run(t, w.args([]string{"respond"}, "--yes", "--via-node-image", image, "pod/default/none")...)
		r.want(t, 2).says(t, "sha256")
	}
	w.run(t, w.args([]string{"respond"}, "--yes", "nginx")...).want(t, 2).says(t, "pod/NAMESPACE/NAME")
	w.run(t, w.args([]string{"respond"}, "--yes", "--kill", "pod/default/none")...).want(t, 2)
	w.noAgent(t)
}

func (w workstation) respond(t *testing.T) {
	pod, _, shell := w.shop(t)
	ctx := context.Background()
	target, dir := "pod/default/"+pod.Name, filepath.Join(w.home, "case")
	w.run(t, w.args([]string{"respond"}, "--plan", target)...).want(t, 0).says(t, "privileged pod", w.image, w.NodeName, "networkpolicies")
	w.noAgent(t)

	args := append(w.args([]string{"respond"}, "--yes", "--output", "json", "--case", dir, "--no-cordon"), append(w.onNode(), target)...)
	r := w.run(t, args...).want(t, 0, 3)
	var m struct {
		measured
		Via struct {
			Pod, UID, Image, Node, Case string
			Removed                     time.Time
		} `json:"via_node"`
	}
	r.json(t, &m)
	t.Logf("%s\n%s", r.took, r.err)
	for _, method := range []string{"nft", "probes", "kube"} {
		m.state(t, method, "held")
	}
	if m.Left != "frozen" || m.Via.Node != w.NodeName || m.Via.Image != w.image || m.Via.Removed.IsZero() {
		t.Errorf("left %s, via %+v", m.Left, m.Via)
	}
	w.noAgent(t)
	w.arrived(t, dir, m.Via.UID)
	w.stays(t, pod, shell)

	second := append(w.args([]string{"respond"}, "--yes", "--case", filepath.Join(w.home, "second"), "--method", "freeze"), append(w.onNode(), target)...)
	w.run(t, second...).want(t, 5).says(t, "held already")
	w.run(t, w.args([]string{"isolate", "list"}, "--case", dir)...).want(t, 0).says(t, "freeze", "nft", "probes", "kube", "held")
	w.run(t, append(w.args([]string{"isolate", "verify"}, "--case", dir), w.onNode()...)...).want(t, 0)
	w.run(t, w.args([]string{"isolate", "release"}, "--plan", "--all", "--case", dir)...).want(t, 0).says(t, "on the node "+w.NodeName, "networkpolicies")
	silent := shell.Bytes.Load()
	w.run(t, append(w.args([]string{"isolate", "release"}, "--yes", "--all", "--case", dir), w.onNode()...)...).want(t, 0).says(t, "released")
	w.Eventually(t, "the shell to be there again", func(context.Context) error {
		if shell.Bytes.Load() == silent {
			shell.Send("echo back\n")
			return errors.New("nothing came")
		}
		return nil
	})
	w.noAgent(t)
	w.left(t)
	if out, err := w.Kubectl(ctx, "get", "networkpolicies,validatingadmissionpolicies", "-A", "-o", "name"); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("what is left in the cluster: %s %v", out, err)
	}
	w.run(t, "evidence", "verify", "--case", dir).want(t, 0)
}

// arrived checks the bundle: signed here, with what the cluster says and what
// it took to take it.
func (w workstation) arrived(t *testing.T, dir, uid string) {
	t.Helper()
	id := only(t, dir)
	w.run(t, "evidence", "verify", "--case", dir).want(t, 0)
	w.bundleHolds(t, dir, id, "kubernetes/")
	w.bundleHolds(t, dir, id, "network/sockets")
	found := false
	if err := filepath.WalkDir(filepath.Join(dir, "evidence", id, "blobs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || strings.Contains(string(data), "made the privileged pod") && strings.Contains(string(data), uid)
		return err
	}); err != nil || !found {
		t.Errorf("the acquisition record does not tell of the pod %s: %v", uid, err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "custody.jsonl"))
	made, removed := strings.Count(string(log), `"result":"made kube-system/`), strings.Count(string(log), `"result":"removed kube-system/`)
	if err != nil || made == 0 || made != removed || !strings.Contains(string(log), uid) {
		t.Errorf("the custody log does not tell of the pod: %v\n%s", err, log)
	}
	if logs, err := filepath.Glob(filepath.Join(w.node, "cases", "*", "custody.jsonl")); err != nil || len(logs) != 1 {
		t.Errorf("custody logs on the node: %v %v", logs, err)
	}
	if keys, err := filepath.Glob(filepath.Join(w.node, ".config", "*", "*")); err != nil || len(keys) > 0 {
		t.Errorf("keys are on the node: %v %v", keys, err)
	}
}

// stays checks that the pod is held although the agent is gone: its probes are
// answered, nothing comes out of it.
func (w workstation) stays(t *testing.T, pod testbed.Pod, shell *testbed.Server) {
	t.Helper()
	silent, before := shell.Bytes.Load(), w.successes(t, pod)
	shell.Send("echo still here\n")
	time.Sleep(12 * time.Second) // three times what a frozen pod has by its probes
	now, err := w.Pod(context.Background(), "default", pod.Name)
	if err != nil {
		t.Fatal(err)
	}
	if now.Containers["shop"].Restarts != 0 {
		t.Errorf("it was restarted %d times", now.Containers["shop"].Restarts)
	}
	if after := w.successes(t, pod); after <= before {
		t.Errorf("the kubelet counts %d successful liveness probes, as before", after)
	}
	if got := shell.Bytes.Load(); got != silent {
		t.Errorf("the peer received %d bytes more", got-silent)
	}
	if state := kernel(t, w.running(pod, "shop")); state != "FROZEN" {
		t.Errorf("the kernel says that it is %s", state)
	}
}

// running is a container of a pod as the testbed's helpers name it.
func (w workstation) running(p testbed.Pod, name string) testbed.Running {
	c := p.Containers[name]
	path := ""
	if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.PID)); err == nil {
		for _, line := range strings.Split(string(data), "\n") {
			if _, rest, ok := strings.Cut(line, ":freezer:"); ok {
				path = rest
			}
		}
	}
	return testbed.Running{Namespace: "k8s.io", ID: c.ID, PID: c.PID, CGroup: path}
}

// left checks what a release leaves on the node: no hold, no responder.
func (w workstation) left(t *testing.T) {
	t.Helper()
	for _, glob := range []string{"holds/*.json", "run/*"} {
		if list, err := filepath.Glob(filepath.Join(w.node, glob)); err != nil || len(list) > 0 {
			t.Errorf("left on the node: %v %v", list, err)
		}
	}
}

const twoYAML = `
apiVersion: v1
kind: Pod
metadata: {name: two, namespace: default, labels: {app: two}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: one, image: %[1]s, imagePullPolicy: Never, command: [sleep, "100000"]}
  - {name: other, image: %[1]s, imagePullPolicy: Never, command: [sleep, "100000"]}
`

// two containers give two bundles, and --resume lets both run again.
func (w workstation) two(t *testing.T) {
	w.Apply(t, fmt.Sprintf(twoYAML, testbed.BusyboxImage))
	pod := w.WaitReady(t, "default", "two")
	dir := filepath.Join(w.home, "two")
	w.do(t, []string{"respond"}, "--yes", "--case", dir, "--method", "freeze", "--resume", "pod/default/two").want(t, 0, 3).says(t, "running")
	if ids := bundles(t, dir); len(ids) != 2 {
		t.Errorf("bundles: %q", ids)
	}
	w.run(t, "evidence", "verify", "--case", dir).want(t, 0)
	for _, name := range []string{"one", "other"} {
		if state := kernel(t, w.running(pod, name)); state != "RUNNING" {
			t.Errorf("%s is %s", name, state)
		}
	}
	w.left(t)
	w.noAgent(t)
}

// holdAndCollect holds a pod, collects it as it stands, and releases it by its
// name where there is no case.
func (w workstation) holdAndCollect(t *testing.T) {
	pod := w.idle(t, "alone")
	dir := filepath.Join(w.home, "alone")
	w.do(t, []string{"isolate"}, "--yes", "--case", dir, "--method", "freeze", "--method", "nft", "pod/default/alone").want(t, 0, 3).says(t, "frozen")
	w.do(t, []string{"collect"}, "--case", dir, "pod/default/alone").want(t, 0, 3)
	if ids := bundles(t, dir); len(ids) != 2 {
		t.Errorf("bundles: %q", ids)
	}
	if state := kernel(t, w.running(pod, "idle")); state != "FROZEN" {
		t.Errorf("it is %s", state)
	}
	w.do(t, []string{"isolate", "release"}, "--yes", "pod/default/alone").want(t, 0).says(t, "released")
	if state := kernel(t, w.running(pod, "idle")); state != "RUNNING" {
		t.Errorf("it is %s", state)
	}
	w.left(t)
	w.noAgent(t)
}
