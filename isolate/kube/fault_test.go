package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"amber/container"
	cluster "amber/container/kube"
	"amber/container/kube/kubetest"
	"amber/isolate"
	"amber/isolate/kube"
)

// journal is a recorder that lets a test do something between a step's being
// journaled and its being taken.
type journal struct {
	isolate.Recorder
	before func(isolate.Step)
}

func (j journal) Intend(steps ...isolate.Step) error {
	for _, s := range steps {
		j.before(s)
	}
	return nil
}
func (journal) Done(isolate.Outcome) error { return nil }

// conflict: somebody changes the pod and the node between the plan and the
// change, again and again; what is undone is what was there last.
func conflict(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID})
	p := b.plan(t, m)
	n := 0
	r, err := m.Apply(context.Background(), p, journal{before: func(s isolate.Step) {
		switch n++; s.Action {
		case "label":
			b.Do(t, http.MethodPatch, kubetest.In(kubetest.Pods, b.ns, b.pod), `{"metadata":{"annotations":{"cluster-autoscaler.kubernetes.io/safe-to-evict":"true","n":"`+strings.Repeat("i", n)+`"},"labels":{"tier":"back"}}}`)
		case "cordon":
			b.Do(t, http.MethodPatch, kubetest.In(kubetest.Nodes, "", b.node), `{"metadata":{"annotations":{"n":"x"}},"spec":{"unschedulable":true}}`)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	checks, err := m.Verify(context.Background(), r)
	for _, c := range checks {
		if !c.OK {
			t.Errorf("%s: %s", c.Name, c.Got)
		}
	}
	if err != nil || len(r.Steps) != len(p.Steps)+2 {
		t.Fatalf("%d steps for %d planned, %v", len(r.Steps), len(p.Steps), err)
	}
	if err := kube.New(b.API, kube.Options{Rejoin: true}).Revert(context.Background(), r, func(isolate.Outcome) error { return nil }); err != nil {
		t.Fatal(err)
	}
	pod := b.ReadPod(t, b.ns, b.pod)
	if pod.Labels["tier"] != "back" || pod.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] != "true" {
		t.Errorf("after the release it has %v %v", pod.Labels, pod.Annotations)
	}
	if !strings.Contains(b.fields(t), `"node":true`) {
		t.Error("a node that somebody else had cordoned is not any more")
	}
}

// foreign: what the user has made under our name stays.
func foreign(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID})
	p, before := b.plan(t, m), b.fields(t)
	for _, o := range []cluster.Object{
		{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: b.ns},
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
	} {
		o.Name = "amber-hold-" + string(b.ReadPod(t, b.ns, b.pod).UID)
		where := o
		where.Name = ""
		body := `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"` + o.Name + `"},"spec":{"podSelector":{"matchLabels":{"mine":"yes"}}}}`
		if o.Namespace == "" {
			body = `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicy","metadata":{"name":"` + o.Name + `"},"spec":{"failurePolicy":"Ignore","matchConstraints":{"resourceRules":[{"apiGroups":["x.example"],"apiVersions":["v1"],"operations":["CREATE"],"resources":["x"]}]},"validations":[{"expression":"true"}]}}`
		}
		mine := identity(t, b.Do(t, http.MethodPost, where, body))
		e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
		if err == nil || !strings.Contains(err.Error(), "was not made by amber") {
			t.Errorf("%s: %v", o, err)
		}
		if o.Namespace != "" && !strings.Contains(err.Error(), "its labels, by which other policies hold it, are left on") {
			t.Errorf("without its policy the pod is relabelled: %v", err)
		}
		if e.State == isolate.Held {
			release(t, kube.New(b.API, kube.Options{Rejoin: true}), e)
		}
		if got := identity(t, b.Do(t, http.MethodGet, o, "")); got != mine {
			t.Errorf("%s was %s and is %s", o, mine, got)
		}
		b.Do(t, http.MethodDelete, o, "")
	}
	if got := b.fields(t); got != before {
		t.Errorf("after the release:\n%s\nand before:\n%s", got, before)
	}
}

// identity changes when an object is made anew or its spec is changed.
func identity(t *testing.T, data []byte) string {
	t.Helper()
	var m metav1.PartialObjectMetadata
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(m.UID, m.Generation, m.Labels, m.Annotations)
}

// twoCases: the second of two responders at two hosts is told the first's case.
func twoCases(t *testing.T, b bed) {
	first := kube.New(b.API, kube.Options{CaseID: caseID})
	second := kube.New(b.API, kube.Options{CaseID: "20261122T040000Z-zzzzzz"})
	late := b.plan(t, second) // made before the first was applied
	e := b.hold(t, first)
	state := b.fields(t)
	t.Setenv("AMBER_HOLDS", t.TempDir()) // another host
	_, planErr := second.Plan(context.Background(), b.target(""))
	e2, applyErr := isolate.Apply(context.Background(), t.TempDir(), second, late)
	for what, err := range map[string]error{"planning": planErr, "applying": applyErr} {
		var held *kube.HeldError
		var known *isolate.HeldError
		if !errors.As(err, &held) || held.Case != caseID || !errors.As(err, &known) || !strings.Contains(err.Error(), caseID) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if e2.State != isolate.Failed || b.fields(t) != state {
		t.Errorf("the second came as far as %s", e2.State)
	}
	release(t, first, e)
}

// twoAtOnce: of two at the same moment one comes through, and the pod is whole
// when that is released.
func twoAtOnce(t *testing.T, b bed) {
	before := b.fields(t)
	var wg sync.WaitGroup
	methods := []*kube.Method{kube.New(b.API, kube.Options{CaseID: "case-a"}), kube.New(b.API, kube.Options{CaseID: "case-b"})}
	receipts, errs := make([]isolate.Receipt, 2), make([]error, 2)
	plans := []isolate.Plan{b.plan(t, methods[0]), b.plan(t, methods[1])}
	for i, m := range methods {
		wg.Go(func() {
			receipts[i], errs[i] = m.Apply(context.Background(), plans[i], journal{before: func(isolate.Step) {}})
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("both came out alike: %v", errs)
	}
	for i, err := range errs {
		var held *kube.HeldError
		if err != nil && (!errors.As(err, &held) || receipts[i].Changed()) {
			t.Errorf("the second: %v, changed %v", err, receipts[i].Changed())
		}
		if err := kube.New(b.API, kube.Options{Rejoin: true}).Revert(context.Background(), receipts[i], func(isolate.Outcome) error { return nil }); err != nil {
			t.Error(err)
		}
	}
	if got := b.fields(t); got != before {
		t.Errorf("after the release:\n%s\nand before:\n%s", got, before)
	}
}

// twoOnANode: a node stays cordoned until its last hold is released.
func twoOnANode(t *testing.T, b bed) {
	before := b.fields(t)
	m := kube.New(b.API, kube.Options{CaseID: caseID, KeepLabels: true})
	first := b.hold(t, m)
	b2 := b
	b2.pod, b2.other = b.other, b.pod
	second := b2.hold(t, m)
	release(t, m, first)
	if !strings.Contains(b.fields(t), `"node":true`) {
		t.Error("the node is schedulable while a pod on it is held")
	}
	release(t, m, second)
	if got := b.fields(t); got != before {
		t.Errorf("after the last release:\n%s\nand before:\n%s", got, before)
	}
}

// cordoned: what was so before stays so.
func cordoned(t *testing.T, b bed) {
	b.Do(t, http.MethodPatch, kubetest.In(kubetest.Nodes, "", b.node), `{"metadata":{"annotations":{"cluster-autoscaler.kubernetes.io/scale-down-disabled":"false"}},"spec":{"unschedulable":true}}`)
	b.Do(t, http.MethodPatch, kubetest.In(kubetest.Pods, b.ns, b.pod), `{"metadata":{"annotations":{"cluster-autoscaler.kubernetes.io/safe-to-evict":"true"}}}`)
	before := b.fields(t)
	m := kube.New(b.API, kube.Options{CaseID: caseID, KeepLabels: true})
	e := b.hold(t, m)
	if got := b.fields(t); !strings.Contains(got, `safe-to-evict":"false"`) || !strings.Contains(got, `scale-down-disabled":"true"`) {
		t.Errorf("held as %s", got)
	}
	release(t, m, e)
	if got := b.fields(t); got != before {
		t.Errorf("after the release:\n%s\nand before:\n%s", got, before)
	}
}

// changedSince: what others do while it is held is theirs.
func changedSince(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID, KeepLabels: true})
	e := b.hold(t, m)
	node := kubetest.In(kubetest.Nodes, "", b.node)
	manager := func(patch string) {
		t.Helper()
		if _, err := b.API.Do(context.Background(), cluster.Request{
			Method: http.MethodPatch, Object: node, ContentType: "application/merge-patch+json", Body: []byte(patch), Query: map[string][]string{"fieldManager": {"kubectl-cordon"}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	manager(`{"spec":{"unschedulable":false},"metadata":{"annotations":{"cluster-autoscaler.kubernetes.io/scale-down-disabled":"maybe"}}}`)
	manager(`{"spec":{"unschedulable":true}}`) // cordoned anew, by somebody else
	b.Do(t, http.MethodPatch, kubetest.In(kubetest.Pods, b.ns, b.pod), `{"metadata":{"annotations":{"cluster-autoscaler.kubernetes.io/safe-to-evict":"later"}}}`)
	checks, err := m.Verify(context.Background(), e.Receipt)
	bad := ""
	for _, c := range checks {
		if !c.OK {
			bad += c.Got + "\n"
		}
	}
	if err != nil || !strings.Contains(bad, `is "maybe" and not "true"`) || !strings.Contains(bad, `is "later" and not "false"`) {
		t.Errorf("verify says %s, %v", bad, err)
	}
	done := release(t, m, e)
	notes := ""
	for _, o := range done.Undone {
		notes += o.Note + "\n"
	}
	got := b.fields(t)
	for _, want := range []string{`"node":true`, `scale-down-disabled":"maybe"`, `safe-to-evict":"later"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not so any more: %s", want, got)
		}
	}
	if strings.Contains(got, "quarantine.amber") || strings.Count(notes, "was changed by another since") != 3 {
		t.Errorf("released as %s\n%s", got, notes)
	}
}

// goneBefore: a pod that went between plan and application, or came anew.
func goneBefore(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID})
	b.Do(t, http.MethodPost, kubetest.In(kubetest.Pods, b.ns, ""), pod("bare", "x"))
	b.pod = "bare"
	p := b.plan(t, m)
	b.Do(t, http.MethodDelete, kubetest.In(kubetest.Pods, b.ns, "bare"), "")
	for _, want := range []string{"is gone since the plan was made", "is another one since the plan was made"} {
		e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
		if err == nil || !strings.Contains(err.Error(), want) || e.State != isolate.Released && e.State != isolate.Failed || len(e.Receipt.Steps) != 0 {
			t.Errorf("%s after %d steps: %v", e.State, len(e.Receipt.Steps), err)
		}
		if strings.Contains(want, "gone") {
			if _, err := m.Plan(context.Background(), b.target("")); err == nil || !strings.Contains(err.Error(), "knows no pod") {
				t.Errorf("planned: %v", err)
			}
			b.Do(t, http.MethodPost, kubetest.In(kubetest.Pods, b.ns, ""), pod("bare", "x"))
		}
	}
	stale := b.target("")
	stale.Containers[0].Pod.UID = "of-before"
	if _, err := m.Plan(context.Background(), stale); err == nil || !strings.Contains(err.Error(), "is another one by now") {
		t.Errorf("planned: %v", err)
	}
}

// goneSince: pod, node and policies are gone when it is released.
func goneSince(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID})
	e := b.hold(t, m)
	name := "amber-hold-" + string(b.ReadPod(t, b.ns, b.pod).UID)
	for _, r := range admission {
		b.Do(t, http.MethodDelete, cluster.Object{Group: "admissionregistration.k8s.io", Version: "v1", Resource: r, Name: name}, "")
	}
	b.Await(t, "that the pod can be deleted", func() bool {
		_, err := b.API.Do(context.Background(), cluster.Request{Method: http.MethodDelete, Object: kubetest.In(kubetest.Pods, b.ns, b.pod), Query: map[string][]string{"gracePeriodSeconds": {"0"}}})
		return err == nil || apierrors.IsNotFound(err)
	})
	b.Do(t, http.MethodDelete, kubetest.In(kubetest.Nodes, "", b.node), "")
	checks, err := m.Verify(context.Background(), e.Receipt)
	for _, c := range checks {
		if c.OK && !strings.Contains(c.Name, "networkpolicies") {
			t.Errorf("%s: %s", c.Name, c.Got)
		}
	}
	if err != nil || len(checks) < 5 {
		t.Errorf("%d checks, %v", len(checks), err)
	}
	done := release(t, m, e)
	for _, o := range done.Undone {
		if o.Err != "" || o.Note == "" {
			t.Errorf("%+v", o)
		}
	}
	release(t, m, done) // and once more
}

// notUnderstood: what is no pod, and journals that are not this method's.
func notUnderstood(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID})
	if _, err := m.Plan(context.Background(), isolate.Target{Name: "x", Containers: []container.Container{{ID: "x"}}}); !errors.Is(err, container.ErrNotSupported) {
		t.Errorf("a container in no pod: %v", err)
	}
	before := b.fields(t)
	pod := b.ReadPod(t, b.ns, b.pod)
	nameless, err := json.Marshal(map[string]any{"pod": map[string]any{"uid": pod.UID}, "object": map[string]any{"version": "v1", "resource": "pods", "namespace": b.ns, "name": b.pod}, "uid": pod.UID})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"hold": "another", "pod": map[string]any{"uid": pod.UID}, "object": map[string]any{"version": "v1", "resource": "pods", "namespace": b.ns, "name": b.pod}, "uid": pod.UID})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []isolate.Step{{ID: 1, Action: "create", Before: []byte("{")}, {ID: 2, Action: "explode", Before: raw}, {ID: 3, Action: "label", Before: nameless}, {ID: 4, Action: "create", Before: raw}} {
		err := m.Revert(context.Background(), isolate.Receipt{Steps: []isolate.Step{s}}, func(isolate.Outcome) error { return nil })
		if err == nil {
			t.Errorf("%s was undone", s.Action)
		}
	}
	// A journal's object that is not this hold's is never deleted.
	policy := cluster.Object{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: b.ns}
	b.Do(t, http.MethodPost, policy, `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"amber-mine"},"spec":{"podSelector":{}}}`)
	policy.Name = "amber-mine"
	mine, err := json.Marshal(map[string]any{"hold": "another", "pod": map[string]any{"uid": pod.UID}, "object": policy})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Revert(context.Background(), isolate.Receipt{Steps: []isolate.Step{{ID: 1, Action: "create", Before: mine}}}, func(o isolate.Outcome) error {
		if !strings.Contains(o.Note, "is not this hold's") {
			t.Errorf("%+v", o)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	b.Do(t, http.MethodGet, policy, "")
	if got := b.fields(t); got != before {
		t.Errorf("changed to %s", got)
	}
}

// selectsAll: what no change of labels helps against is said.
func selectsAll(t *testing.T, b bed) {
	b.Do(t, http.MethodPost, cluster.Object{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: b.ns},
		`{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"everybody"},"spec":{"podSelector":{},"egress":[{}],"policyTypes":["Egress"]}}`)
	text := strings.Join(b.plan(t, kube.New(b.API, kube.Options{CaseID: caseID})).Warnings, "\n")
	if !strings.Contains(text, "networkpolicies "+b.ns+"/everybody selects it whatever labels it has: what that allows stays allowed") {
		t.Errorf("the plan says\n%s", text)
	}
}

// critical: what the cluster stands on is refused unless that is forced.
func critical(t *testing.T, b bed) {
	b.Do(t, http.MethodPost, kubetest.In(kubetest.Pods, b.ns, ""), `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"dns"},"spec":{"schedulerName":"nobody","priorityClassName":"system-cluster-critical","containers":[{"name":"a","image":"x"}]}}`)
	b.pod = "dns"
	m := kube.New(b.API, kube.Options{CaseID: caseID})
	p := b.plan(t, m)
	var refused *isolate.RefusedError
	if _, err := isolate.Apply(context.Background(), t.TempDir(), m, p); !errors.As(err, &refused) || !strings.Contains(err.Error(), "the cluster stands on it") {
		t.Errorf("applied: %v", err)
	}
	p.Forced = true
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	release(t, m, e)
}

func badCase(t *testing.T, b bed) {
	for _, id := range []string{"", "a b", strings.Repeat("x", 64), "-x", "ü"} {
		if _, err := kube.New(b.API, kube.Options{CaseID: id}).Plan(context.Background(), b.target("")); err == nil || !strings.Contains(err.Error(), "case id") {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// tampered: Verify sees what was taken away or weakened.
func tampered(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID, NoCordon: true})
	e := b.hold(t, m)
	name := "amber-hold-" + string(b.ReadPod(t, b.ns, b.pod).UID)
	b.Do(t, http.MethodPatch, cluster.Object{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: b.ns, Name: name}, `{"spec":{"ingress":[{}]}}`)
	b.Do(t, http.MethodDelete, cluster.Object{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings", Name: name}, "")
	b.Do(t, http.MethodPatch, kubetest.In(kubetest.Pods, b.ns, b.pod), `{"metadata":{"labels":{"app":"web","tier":"front"}}}`)
	b.Await(t, "all five to be seen", func() bool {
		checks, err := kube.New(b.API, kube.Options{Wait: 1}).Verify(context.Background(), e.Receipt)
		bad := ""
		for _, c := range checks {
			if !c.OK {
				bad += c.Name + ": " + c.Got + "\n"
			}
		}
		for _, want := range []string{"its spec was changed", "it is gone", "would have done it", `app is "web" and not absent`, "no Service sends"} {
			if err != nil || !strings.Contains(bad, want) {
				return false
			}
		}
		return true
	})
	release(t, m, e)
}
