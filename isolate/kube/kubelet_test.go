package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"amber/container/kube/kubetest"
	"amber/isolate"
	"amber/isolate/kube"
	"amber/testdata/testbed"
)

const workload = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: real, namespace: %[1]s}
spec:
  replicas: 2
  selector: {matchLabels: {app: real}}
  template:
    metadata: {labels: {app: real}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: app, image: "%[2]s", imagePullPolicy: Never, command: [sh, -c, "while true; do sleep 1; done"]}
---
apiVersion: v1
kind: Service
metadata: {name: real, namespace: %[1]s}
spec: {selector: {app: real}, ports: [{port: 80}]}
`

// realKubelet: a pod that runs on a real node runs on, whatever kubectl is
// told, and the replacement starts when the node is free again.
func realKubelet(t *testing.T, b bed) {
	b.ns, b.node = b.Namespace(t), b.NodeName
	b.Apply(t, fmt.Sprintf(workload, b.ns, testbed.BusyboxImage))
	pods := b.WaitRollout(t, b.ns, "real")
	b.pod, b.other = pods[0].Name, pods[1].Name
	b.Await(t, "both pods in an EndpointSlice", func() bool { return len(b.endpoints(t)) == 2 })
	before := b.fields(t)
	m := kube.New(b.API, kube.Options{CaseID: caseID})
	found, err := b.API.Find(context.Background(), parse(t, "pod/"+b.ns+"/"+b.pod))
	if err != nil || len(found) != 1 || found[0].ID != pods[0].Containers["app"].ID {
		t.Fatalf("found %+v, %v", found, err)
	}
	p, err := m.Plan(context.Background(), isolate.Target{Name: found[0].Ref(), Containers: found})
	if err != nil {
		t.Fatal(err)
	}
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	check(t, m, e)
	for _, args := range [][]string{
		{"delete", "pod", b.pod, "--force", "--grace-period=0"}, {"drain", b.node, "--force", "--ignore-daemonsets", "--timeout=5s", "--pod-selector=" + kube.LabelHold},
	} {
		_, err := b.Kubectl(context.Background(), append(args, "--namespace="+b.ns)...)
		if err == nil || !strings.Contains(err.Error(), "held as evidence by amber") {
			t.Errorf("kubectl %v: %v", args, err)
		}
	}
	if _, err := b.Kubectl(context.Background(), "delete", "deployment", "real", "--cascade=foreground", "--namespace="+b.ns, "--timeout=1m"); err != nil {
		t.Error(err)
	}
	b.Eventually(t, "the replica is deleted with its Deployment", func(ctx context.Context) error {
		if left := b.PodList(t, b.ns); len(left) != 1 {
			return fmt.Errorf("%d pods", len(left))
		}
		return nil
	})
	now, err := b.Kubernetes.Pod(context.Background(), b.ns, b.pod)
	if err != nil || now.Deleted || now.Containers["app"] != pods[0].Containers["app"] {
		t.Errorf("the held pod is %+v and was %+v, %v", now, pods[0], err)
	}
	b.Apply(t, fmt.Sprintf(workload, b.ns, testbed.BusyboxImage))
	b.Eventually(t, "new pods that no node takes", func(ctx context.Context) error {
		pending := 0
		for _, p := range b.PodList(t, b.ns) {
			for _, c := range p.Status.Conditions {
				if c.Reason == "Unschedulable" {
					pending++
				}
			}
		}
		if pending != 2 {
			return errors.New("not yet")
		}
		return nil
	})
	done := release(t, m, e)
	if !strings.Contains(done.Undone[0].Note, "app=real") {
		t.Errorf("%+v", done.Undone)
	}
	if got := b.WaitRollout(t, b.ns, "real"); len(got) != 2 {
		t.Errorf("%d pods", len(got))
	}
	b.Do(t, http.MethodPatch, kubetest.In(kubetest.Pods, b.ns, b.pod), `{"metadata":{"labels":{"app":"real","pod-template-hash":"`+pods[0].Labels["pod-template-hash"]+`"}}}`)
	if got := b.fields(t); got != before {
		t.Errorf("after the release:\n%s\nand before:\n%s", got, before)
	}
}
