package kube_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	cluster "amber/container/kube"
	"amber/container/kube/kubetest"
	"amber/isolate"
	"amber/isolate/kube"
)

// pod is a bare pod's JSON.
func pod(name, image string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q},"spec":{"schedulerName":"nobody","containers":[{"name":"a","image":%q}]}}`, name, image)
}

// try creates something and gives the refusal.
func (b bed) try(o cluster.Object, body string) error {
	_, err := b.API.Do(context.Background(), cluster.Request{Method: http.MethodPost, Object: o, Body: []byte(body)})
	return err
}

func blockImage(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID, BlockImage: true})
	p, err := m.Plan(context.Background(), b.target("/app"))
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(p.Warnings, "\n"); !strings.Contains(text, "other tags and names of the same image pass") {
		t.Errorf("the plan does not say what passes:\n%s", text)
	}
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	check(t, m, e)
	pods := kubetest.In(kubetest.Pods, b.ns, "")
	digest := kubetest.Digest(kubetest.Image)
	for image, refused := range map[string]bool{
		kubetest.Image: true, "elsewhere.example/x@" + digest: true, kubetest.Image + "@" + digest: true,
		"registry.example/shop/web:1.5": false, "registry.example/mesh:2": false, "x@" + kubetest.Digest("another"): false,
	} {
		if err := b.try(pods, pod(kubetest.Random("p"), image)); apierrors.IsForbidden(err) != refused {
			t.Errorf("a pod of %s: %v", image, err)
		}
	}
	if err := b.try(pods, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"init"},"spec":{"initContainers":[{"name":"i","image":"`+kubetest.Image+`"}],"containers":[{"name":"a","image":"x"}]}}`); !apierrors.IsForbidden(err) {
		t.Errorf("as an init container: %v", err)
	}
	b.Do(t, http.MethodPost, pods, pod("bystander", "x"))
	later := kubetest.In(kubetest.Pods, b.ns, "bystander")
	_, err = b.API.Do(context.Background(), cluster.Request{
		Method: http.MethodPatch, Object: later, ContentType: "application/json-patch+json",
		Body: []byte(`[{"op":"replace","path":"/spec/containers/0/image","value":"` + kubetest.Image + `"}]`),
	})
	if !apierrors.IsForbidden(err) {
		t.Errorf("given to a container later: %v", err)
	}
	later.Sub = "ephemeralcontainers"
	if _, err := b.merge(later, `{"spec":{"ephemeralContainers":[{"name":"e","image":"`+kubetest.Image+`"}]}}`); !apierrors.IsForbidden(err) {
		t.Errorf("as an ephemeral container: %v", err)
	}
	if _, err := b.merge(kubetest.In(kubetest.Pods, b.ns, b.other), `{"metadata":{"labels":{"note":"x"}}}`); err != nil {
		t.Errorf("a replica that has the image cannot be changed any more: %v", err)
	}
	elsewhere := b.Namespace(t)
	if err := b.try(kubetest.In(kubetest.Pods, elsewhere, ""), pod("free", kubetest.Image)); err != nil {
		t.Errorf("in another namespace: %v", err)
	}
	if n := len(b.PodList(t, b.ns)); n != 6 { // web, web, three of other images and the bystander, and no replacement
		t.Errorf("%d pods", n)
	}
	release(t, m, e)
	b.Await(t, "the replacement, once the image is free", func() bool { return b.replicas(t) == 2 })
}

// replicas are the pods that the Deployment has.
func (b bed) replicas(t *testing.T) int {
	t.Helper()
	n := 0
	for _, p := range b.PodList(t, b.ns) {
		if p.Labels["app"] == "web" && p.DeletionTimestamp == nil {
			n++
		}
	}
	return n
}

func (b bed) merge(o cluster.Object, patch string) ([]byte, error) {
	return b.API.Do(context.Background(), cluster.Request{Method: http.MethodPatch, Object: o, ContentType: "application/merge-patch+json", Body: []byte(patch)})
}

// token is a real one, bound to a pod.
func (b bed) token(t *testing.T, pod string) *cluster.Cluster {
	t.Helper()
	o := cluster.Object{Version: "v1", Resource: "serviceaccounts", Namespace: b.ns, Name: "default", Sub: "token"}
	data := b.Do(t, http.MethodPost, o, fmt.Sprintf(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":%q,"uid":%q}}}`, pod, b.ReadPod(t, b.ns, pod).UID))
	var answer struct{ Status struct{ Token string } }
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatal(err)
	}
	return b.WithToken(t, answer.Status.Token)
}

// mayEdit lets the namespace's default account edit it.
func (b bed) mayEdit(t *testing.T) {
	t.Helper()
	b.Do(t, http.MethodPost, cluster.Object{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings", Namespace: b.ns},
		`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"edit"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"`+b.ns+`"}]}`)
}

// writes tries to write with somebody's credentials.
func (b bed) writes(c *cluster.Cluster) error {
	o := cluster.Object{Version: "v1", Resource: "configmaps", Namespace: b.ns}
	_, err := c.Do(context.Background(), cluster.Request{Method: http.MethodPost, Object: o, Body: []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"c-"}}`)})
	return err
}

func freezeCredentials(t *testing.T, b bed) { credentials(t, b, false) }
func wholeAccount(t *testing.T, b bed)      { credentials(t, b, true) }

func credentials(t *testing.T, b bed, whole bool) {
	b.mayEdit(t)
	b.Do(t, http.MethodPost, cluster.Object{Version: "v1", Resource: "secrets", Namespace: b.ns}, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"old-token","annotations":{"kubernetes.io/service-account.name":"default"}},"type":"kubernetes.io/service-account-token"}`)
	held, twin := b.token(t, b.pod), b.token(t, b.other)
	b.Await(t, "the rights of the pods' account", func() bool { return b.writes(held) == nil && b.writes(twin) == nil })
	m := kube.New(b.API, kube.Options{CaseID: caseID, FreezeCredentials: true, WholeAccount: whole})
	p := b.plan(t, m)
	text := strings.Join(p.Warnings, "\n")
	for _, want := range []string{"reads pass", "system:serviceaccount:" + b.ns + ":default may, in " + b.ns + ", ", "pods/exec", "legacy token Secrets in " + b.ns, "old-token", "by rolebindings.rbac.authorization.k8s.io " + b.ns + "/edit"} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan does not say %q:\n%s", want, text)
		}
	}
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	b.Await(t, "that writes are refused", func() bool { return apierrors.IsForbidden(b.writes(held)) })
	check(t, m, e)
	if err := b.writes(held); err == nil || !strings.Contains(err.Error(), "frozen by amber, case "+caseID) {
		t.Errorf("a write with the held pod's token: %v", err)
	}
	exec := kubetest.In(kubetest.Pods, b.ns, b.other)
	exec.Sub = "exec"
	if _, err := held.Do(context.Background(), cluster.Request{Method: http.MethodPost, Object: exec, Query: map[string][]string{"command": {"id"}}}); err == nil || !strings.Contains(err.Error(), "frozen by amber") {
		t.Errorf("an exec with the held pod's token: %v", err)
	}
	if _, err := held.Items(context.Background(), cluster.Object{Version: "v1", Resource: "configmaps", Namespace: b.ns}, nil); err != nil {
		t.Errorf("a read with the held pod's token, which passes as the plan says: %v", err)
	}
	if err := b.writes(twin); apierrors.IsForbidden(err) != whole {
		t.Errorf("a write with the replica's token: %v", err)
	}
	if err := b.writes(b.API); err != nil {
		t.Errorf("a write by an administrator: %v", err)
	}
	release(t, m, e)
	b.Await(t, "that writes pass again", func() bool { return b.writes(held) == nil && b.writes(twin) == nil })
}

func keepLabels(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID, KeepLabels: true, NoCordon: true})
	before, labels := b.fields(t), b.ReadPod(t, b.ns, b.pod).Labels
	e := b.hold(t, m)
	held := b.ReadPod(t, b.ns, b.pod).Labels
	for k, v := range labels {
		if held[k] != v {
			t.Errorf("the label %s is %q", k, held[k])
		}
	}
	if held[kube.LabelCase] != caseID {
		t.Errorf("the labels are %v", held)
	}
	if strings.Contains(b.fields(t), `"node":true`) {
		t.Error("the node was cordoned")
	}
	checks, err := m.Verify(context.Background(), e.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	bad := slices.DeleteFunc(checks, func(c isolate.Check) bool { return c.OK })
	if len(bad) != 1 || !strings.Contains(bad[0].Got, "its labels were kept") {
		t.Errorf("a Service still sends a ready pod traffic, and the checks that fail are %v", bad)
	}
	release(t, m, e)
	if got := b.fields(t); got != before {
		t.Errorf("after the release:\n%s\nand before:\n%s", got, before)
	}
	if n := b.replicas(t); n != 2 {
		t.Errorf("%d replicas", n)
	}
}

func rejoin(t *testing.T, b bed) {
	labels := b.ReadPod(t, b.ns, b.pod).Labels
	e := b.hold(t, kube.New(b.API, kube.Options{CaseID: caseID}))
	m := kube.New(b.API, kube.Options{Rejoin: true}) // as release makes it: all else is in the journal
	says := strings.Join(m.RejoinPlan(e.Receipt), "\n")
	for _, want := range []string{"app=web", "ReplicaSet " + b.ns + "/web-", "deletes one as surplus"} {
		if !strings.Contains(says, want) {
			t.Errorf("the plan of rejoining does not say %q: %s", want, says)
		}
	}
	b.Await(t, "the replacement", func() bool { return b.replicas(t) == 2 })
	release(t, m, e)
	b.Await(t, "that one is deleted as surplus", func() bool { return b.replicas(t) == 2 && len(b.made(t)) == 0 })
	for _, p := range b.PodList(t, b.ns) {
		if p.Name == b.pod && (p.Labels["app"] != labels["app"] || p.Labels["pod-template-hash"] != labels["pod-template-hash"] || p.Labels[kube.LabelHold] != "") {
			t.Errorf("its labels are %v and were %v", p.Labels, labels)
		}
	}
}
