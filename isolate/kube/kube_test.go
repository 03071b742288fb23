package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"amber/container"
	cluster "amber/container/kube"
	"amber/container/kube/kubetest"
	"amber/isolate"
	"amber/isolate/allow"
	"amber/isolate/kube"
)

const caseID = "20261122T033000Z-k3f7qa"

// bed is a server with a Deployment's pods on a node; the first is the target.
type bed struct {
	*kubetest.Server
	ns, node, pod, other string
}

// server is one for all tests of the package: what they make is in namespaces
// and on nodes of their own.
func newBed(t *testing.T, s *kubetest.Server) bed {
	t.Helper()
	t.Setenv("AMBER_HOLDS", t.TempDir())
	b := bed{Server: s, ns: s.Namespace(t), node: s.Node(t)}
	names := s.Web(t, b.ns, b.node, 2)
	b.pod, b.other = names[0], names[1]
	s.Await(t, "both pods in an EndpointSlice", func() bool { return len(b.endpoints(t)) == 2 })
	return b
}

func (b bed) target(name string) isolate.Target {
	t := isolate.Target{Name: "pod/" + b.ns + "/" + b.pod + name}
	for _, c := range []string{"app", "sidecar"} {
		t.Containers = append(t.Containers, container.Container{
			Runtime: "containerd", Namespace: "k8s.io", ID: b.pod + "-" + c, Name: c,
			Pod: &container.Pod{Namespace: b.ns, Name: b.pod, Container: c},
		})
	}
	return t
}

// endpoints are the pods that Services of the namespace send traffic to.
func (b bed) endpoints(t *testing.T) []string {
	t.Helper()
	var list struct {
		Items []struct {
			Endpoints []struct{ TargetRef struct{ Name string } }
		}
	}
	if err := json.Unmarshal(b.Do(t, http.MethodGet, kubetest.In(kubetest.EndpointSlices, b.ns, ""), ""), &list); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range list.Items {
		for _, e := range i.Endpoints {
			names = append(names, e.TargetRef.Name)
		}
	}
	return names
}

func (b bed) plan(t *testing.T, m *kube.Method) isolate.Plan {
	t.Helper()
	p, err := m.Plan(context.Background(), b.target(""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hold plans and applies in a case of its own.
func (b bed) hold(t *testing.T, m *kube.Method) isolate.Entry {
	t.Helper()
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, b.plan(t, m))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func release(t *testing.T, m *kube.Method, e isolate.Entry) isolate.Entry {
	t.Helper()
	done, err := isolate.Release(context.Background(), []isolate.Entry{e}, func(string) (isolate.Method, error) { return m, nil })
	if err != nil || done[0].State != isolate.Released {
		t.Fatalf("released as %s: %v", done[0].State, err)
	}
	return done[0]
}

// fields is all that amber touches of pod and node, and what it makes, as the
// API server has it: to compare before and after.
func (b bed) fields(t testing.TB) string {
	t.Helper()
	pod := b.ReadPod(t, b.ns, b.pod)
	var node corev1.Node
	if err := json.Unmarshal(b.Do(t, http.MethodGet, kubetest.In(kubetest.Nodes, "", b.node), ""), &node); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{
		"labels": pod.Labels, "annotations": pod.Annotations, "spec": pod.Spec,
		"node": node.Spec.Unschedulable, "nodeAnnotations": node.Annotations, "nodeLabels": node.Labels, "made": b.made(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var admission = []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"}

// made are the objects with a label of amber's that concern this pod.
func (b bed) made(t testing.TB) []string {
	t.Helper()
	all := []cluster.Object{{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: b.ns}}
	for _, r := range admission {
		all = append(all, cluster.Object{Group: "admissionregistration.k8s.io", Version: "v1", Resource: r})
	}
	var names []string
	for _, o := range all {
		items, err := b.API.Items(context.Background(), o, map[string][]string{"labelSelector": {kube.LabelHold}})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			if strings.Contains(string(i), string(b.ReadPod(t, b.ns, b.pod).UID)) {
				var m struct{ Metadata struct{ Name string } }
				_ = json.Unmarshal(i, &m)
				names = append(names, o.Resource+" "+m.Metadata.Name)
			}
		}
	}
	return names
}

func check(t *testing.T, m *kube.Method, e isolate.Entry) {
	t.Helper()
	checks, err := isolate.Verify(context.Background(), e, m)
	if err != nil || len(checks) == 0 {
		t.Fatalf("%d checks, %v", len(checks), err)
	}
	for _, c := range checks {
		t.Logf("%v %s: %s", c.OK, c.Name, c.Got)
		if !c.OK {
			t.Errorf("%s: %s", c.Name, c.Got)
		}
	}
}

func TestMethod(t *testing.T) {
	s := kubetest.Start(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, bed)
	}{
		{"HoldAndRelease", holdAndRelease},
		{"RealKubelet", realKubelet},
		{"BlockImage", blockImage},
		{"FreezeCredentials", freezeCredentials},
		{"WholeAccount", wholeAccount},
		{"KeepLabels", keepLabels},
		{"Rejoin", rejoin},
		{"Conflict", conflict},
		{"Foreign", foreign},
		{"TwoCases", twoCases},
		{"TwoAtOnce", twoAtOnce},
		{"TwoOnANode", twoOnANode},
		{"Cordoned", cordoned},
		{"ChangedSince", changedSince},
		{"GoneBefore", goneBefore},
		{"GoneSince", goneSince},
		{"NotUnderstood", notUnderstood},
		{"SelectsAll", selectsAll},
		{"BadCase", badCase},
		{"Critical", critical},
		{"Tampered", tampered},
		{"Rights", rights},
		{"Crashes", crashes},
		{"Unreachable", unreachable},
		{"PoliciesOfCNIs", policiesOfCNIs}, // the last: from then on their kinds are served
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newBed(t, s)) })
	}
}

func holdAndRelease(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID, Allow: rules(t, "192.0.2.7:443/tcp")})
	before, twin := b.fields(t), b.ReadPod(t, b.ns, b.other)
	labels := b.ReadPod(t, b.ns, b.pod).Labels
	p := b.plan(t, m)
	if got := b.fields(t); got != before {
		t.Fatalf("the plan changed something:\n%s\n%s", before, got)
	}
	for _, s := range p.Steps {
		t.Logf("%d %s %s: %s (%s)", s.ID, s.Action, s.Object, s.What, s.Undo)
	}
	t.Log(strings.Join(p.Warnings, "\n"))
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	check(t, m, e)

	pod := b.ReadPod(t, b.ns, b.pod)
	if got := slices.Sorted(maps.Keys(pod.Labels)); !slices.Equal(got, []string{kube.LabelCase, kube.LabelHold, "team"}) {
		t.Errorf("the pod's labels are %v", pod.Labels)
	}
	b.refuses(t)
	if got := b.ReadPod(t, b.ns, b.other); got.ResourceVersion != twin.ResourceVersion {
		t.Errorf("the replica was changed: %+v", got.ObjectMeta)
	}
	b.Await(t, "a replacement", func() bool { return len(b.PodList(t, b.ns)) == 3 })

	done := release(t, m, e)
	t.Logf("%+v", done.Undone)
	for _, k := range []string{"app", "tier", "pod-template-hash"} { // these stay off, and the release says so
		if !strings.Contains(done.Undone[0].Note, k+"="+labels[k]) {
			t.Errorf("the release does not tell of %s: %+v", k, done.Undone[0])
		}
		b.Do(t, http.MethodPatch, kubetest.In(kubetest.Pods, b.ns, b.pod), `{"metadata":{"labels":{"`+k+`":"`+labels[k]+`"}}}`)
	}
	if got := b.fields(t); got != before {
		t.Errorf("after the release:\n%s\nand before:\n%s", got, before)
	}
}

// refuses: the API server itself, asked as an administrator and not as a dry
// run, does neither delete nor evict the held pod, one by one or by the dozen.
func (b bed) refuses(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	one, all := kubetest.In(kubetest.Pods, b.ns, b.pod), kubetest.In(kubetest.Pods, b.ns, "")
	evict := one
	evict.Sub = "eviction"
	for what, r := range map[string]cluster.Request{
		"deletion":        {Method: http.MethodDelete, Object: one},
		"forced deletion": {Method: http.MethodDelete, Object: one, Query: map[string][]string{"gracePeriodSeconds": {"0"}}},
		"deletion of all": {Method: http.MethodDelete, Object: all, Query: map[string][]string{"labelSelector": {kube.LabelHold}}},
		"eviction":        {Method: http.MethodPost, Object: evict, Body: []byte(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"` + b.pod + `"}}`)},
	} {
		_, err := b.API.Do(ctx, r)
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "held as evidence by amber, case "+caseID) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if b.ReadPod(t, b.ns, b.pod).DeletionTimestamp != nil {
		t.Error("the pod is being deleted")
	}
}

var (
	_ = errors.As
	_ = os.Getenv
)

func rules(t *testing.T, texts ...string) []allow.Rule {
	t.Helper()
	var all []allow.Rule
	for _, text := range texts {
		r, err := allow.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func names(docs []container.Document) string {
	var all []string
	for _, d := range docs {
		all = append(all, d.Name)
	}
	return strings.Join(all, " ")
}

func parse(t *testing.T, text string) container.Target {
	t.Helper()
	target, err := container.ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	return target
}
