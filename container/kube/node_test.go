package kube_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"amber/container"
	"amber/container/containerd"
	"amber/container/kube/kubetest"
	"amber/testdata/testbed"
)

// onTheNode: where the node's own runtime is asked as well, every container is
// seen once, by its runtime; the API's view of it is the same in all that both
// know.
func onTheNode(t *testing.T, s *kubetest.Server) {
	ns := s.Namespace(t)
	s.Apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: both, namespace: %s}
spec:
  terminationGracePeriodSeconds: 0
  hostPID: true
  initContainers:
  - {name: setup, image: %[2]q, imagePullPolicy: Never, command: ["true"]}
  - {name: helper, image: %[2]q, imagePullPolicy: Never, restartPolicy: Always, command: [sleep, "1000"]}
  containers:
  - {name: app, image: %[2]q, imagePullPolicy: Never, command: [sleep, "1000"], securityContext: {runAsUser: 7, capabilities: {add: [SYS_PTRACE], drop: [KILL]}}}
`, ns, testbed.BusyboxImage))
	s.WaitReady(t, ns, "both")
	node, err := containerd.New(context.Background(), s.Containerd.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	target := container.Target{Scheme: "pod", Namespace: ns, Pod: "both"}
	api, here := resolve(t, s, target.String()), map[string]container.Container{}
	found, warnings, err := container.Resolve(context.Background(), []container.Runtime{s.API, node}, target)
	if err != nil || len(warnings) > 0 || len(found) != 3 || len(api) != 3 {
		t.Fatalf("%d by both, %d by the API, %v %v", len(found), len(api), warnings, err)
	}
	for _, c := range found {
		here[c.Pod.Container] = c
	}
	for _, c := range api {
		n := here[c.Pod.Container]
		if n.Runtime != "containerd" || n.ID != c.ID || n.State != c.State || n.Pod.UID != c.Pod.UID || n.Image.Ref != c.Image.Ref {
			t.Errorf("by the API %+v\nby the node %+v", c, n)
		}
		for _, id := range []string{"host-pid", "capabilities", "root", "no-seccomp", "writable-root"} {
			if risky(c, id) != risky(n, id) {
				t.Errorf("%s of %s: %v by the API and %v by the node", id, c.Name, risky(c, id), risky(n, id))
			}
		}
	}
}

func risky(c container.Container, id string) bool {
	return slices.ContainsFunc(container.Risks(c), func(r container.Risk) bool { return r.ID == id })
}
