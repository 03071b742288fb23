package kube_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	cluster "amber/container/kube"
	"amber/container/kube/kubetest"
	"amber/isolate"
	"amber/isolate/kube"
)

// unreachable: the API server goes away before any of the steps: what was not begun is
// said, what was is in the journal, and is undone when the server is back.
func unreachable(t *testing.T, b bed) {
	m := kube.New(b.API, kube.Options{CaseID: caseID, KeepLabels: true})
	before := b.fields(t)
	for at := range len(b.plan(t, m).Steps) {
		p := b.plan(t, m)
		n := 0
		r, err := m.Apply(context.Background(), p, journal{before: func(isolate.Step) {
			if n++; n == at+1 {
				if err := b.Kill("kube-apiserver"); err != nil {
					t.Error(err)
				}
			}
		}})
		if err == nil || !strings.Contains(err.Error(), "does not answer") || len(r.Steps) != at+1 {
			t.Errorf("step %d of %d: %v", len(r.Steps), len(p.Steps), err)
		}
		if at+1 < len(p.Steps) && !strings.Contains(err.Error(), "not begun: ") {
			t.Errorf("that the rest was not begun is not said: %v", err)
		}
		if _, err := m.Verify(context.Background(), r); err == nil {
			t.Error("verified without a server")
		}
		nothing := func(isolate.Outcome) error { return nil }
		if err := m.Revert(context.Background(), r, nothing); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("released without a server: %v", err)
		}
		if err := b.Restart("kube-apiserver"); err != nil {
			t.Fatal(err)
		}
		if err := m.Revert(context.Background(), r, nothing); err != nil {
			t.Errorf("released after step %d: %v", at+1, err)
		}
		if got := b.fields(t); got != before {
			t.Errorf("after step %d and the release:\n%s\nand before:\n%s", at+1, got, before)
		}
	}
}

// policies are those of CNIs, as the API server has them.
func (b bed) policies(t *testing.T) string {
	t.Helper()
	all := ""
	for _, o := range []cluster.Object{
		{Group: "cilium.io", Version: "v2", Resource: "ciliumnetworkpolicies", Namespace: b.ns},
		{Group: "crd.projectcalico.org", Version: "v1", Resource: "networkpolicies", Namespace: b.ns},
		{Group: "policy.networking.k8s.io", Version: "v1alpha1", Resource: "adminnetworkpolicies"},
	} {
		items, err := b.API.Items(context.Background(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			all += string(i) + "\n"
		}
	}
	return all
}

// policiesOfCNIs: the stronger policies are made where they are served, and only
// there, in a form that a strict API server takes, and go with the release.
func policiesOfCNIs(t *testing.T, b bed) {
	b.Serve(t, "cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy", true)
	b.Serve(t, "crd.projectcalico.org", "v1", "networkpolicies", "NetworkPolicy", true)
	b.Serve(t, "policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy", false)
	m := kube.New(b.API, kube.Options{CaseID: caseID, Allow: rules(t, "192.0.2.7:443/tcp", "2001:db8::/64", "192.0.2.8/icmp", "192.0.2.9/udp")})
	p := b.plan(t, m)
	if n := len(p.Steps); n != 8 {
		t.Fatalf("%d steps", n)
	}
	if text := strings.Join(p.Warnings, "\n"); !strings.Contains(text, "--allow 192.0.2.8/32/icmp: a NetworkPolicy does not know ICMP") {
		t.Errorf("the plan says\n%s", text)
	}
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	check(t, m, e)
	got := b.policies(t)
	hold := b.ReadPod(t, b.ns, b.pod).Labels[kube.LabelHold]
	for _, want := range []string{
		`"endpointSelector":{"matchLabels":{"quarantine.amber/hold":"` + hold + `"}}`, `{"cidr":"0.0.0.0/0","except":["192.0.2.7/32","192.0.2.8/32","192.0.2.9/32"]}`,
		`"selector":"quarantine.amber/hold == '` + hold + `'"`, `"order":-1000000`, `"protocol":"ICMP"`, `"priority":0`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	release(t, m, e)
	b.withoutCilium(t)
	if got := b.policies(t); strings.Contains(got, "amber") {
		t.Errorf("after the release: %s", got)
	}
	if docs, misses, err := b.API.Record(context.Background(), b.ns, b.pod); err != nil || len(misses) > 0 || !strings.Contains(names(docs), "policies/ciliumnetworkpolicies.cilium.io.json") {
		t.Errorf("recorded %s, misses %v, %v", names(docs), misses, err)
	}
}

// withoutCilium: an account that may not make one of the policies is told so,
// and the others are made.
func (b bed) withoutCilium(t *testing.T) {
	t.Helper()
	api := b.Account(t, "no-cilium", b.ns)
	role := printed(t, kube.Respond)
	role.Metadata = map[string]string{"name": kubetest.Random("responder")}
	role.Rules = slices.DeleteFunc(role.Rules, func(r policyRule) bool { return r.Resources[0] == "ciliumnetworkpolicies" })
	b.grant(t, role, "no-cilium")
	b.Await(t, "the role to be in force", func() bool {
		ok, err := api.May(context.Background(), "list", cluster.Object{Version: "v1", Resource: "pods"})
		return err == nil && ok
	})
	p := b.plan(t, kube.New(api, kube.Options{CaseID: caseID}))
	kinds := ""
	for _, s := range p.Steps {
		kinds += s.Object + "\n"
	}
	if strings.Contains(kinds, "cilium") || !strings.Contains(kinds, "projectcalico") || !strings.Contains(kinds, "adminnetworkpolicies") {
		t.Errorf("the steps are\n%s", kinds)
	}
	if text := strings.Join(p.Warnings, "\n"); !strings.Contains(text, "may not create ciliumnetworkpolicies.cilium.io in namespace "+b.ns+": that policy is not made") {
		t.Errorf("the plan says\n%s", text)
	}
}
