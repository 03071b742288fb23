package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	cluster "amber/container/kube"
	"amber/container/kube/kubetest"
	"amber/isolate/kube"
)

const rbacGroup = "rbac.authorization.k8s.io"

type policyRule struct {
	APIGroups []string `json:"apiGroups"`
	Resources []string `json:"resources"`
	Verbs     []string `json:"verbs"`
}

// role is the printed one.
type role struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Rules      []policyRule      `json:"rules"`
}

func printed(t *testing.T, uses kube.Use) role {
	t.Helper()
	var r role
	if err := yaml.UnmarshalStrict(kube.RBAC(uses), &r); err != nil {
		t.Fatalf("%v\n%s", err, kube.RBAC(uses))
	}
	return r
}

// grant makes the role what it says and binds an account to it.
func (b bed) grant(t *testing.T, r role, account string) {
	t.Helper()
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	o := cluster.Object{Group: rbacGroup, Version: "v1", Resource: "clusterroles", Name: r.Metadata["name"]}
	if _, err := b.API.Read(context.Background(), o); err == nil {
		b.Do(t, http.MethodPut, o, string(body))
		return
	}
	o.Name = ""
	b.Do(t, http.MethodPost, o, string(body))
	b.Do(t, http.MethodPost, cluster.Object{Group: rbacGroup, Version: "v1", Resource: "clusterrolebindings"}, fmt.Sprintf(
		`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":%[1]q},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":%[1]q},"subjects":[{"kind":"ServiceAccount","name":%[3]q,"namespace":%[2]q}]}`,
		r.Metadata["name"], kubetest.UsersNamespace, account))
}

// without is the role less one verb of one rule.
func (r role) without(rule, verb int) role {
	r.Rules = slices.Clone(r.Rules)
	r.Rules[rule].Verbs = slices.Delete(slices.Clone(r.Rules[rule].Verbs), verb, verb+1)
	if len(r.Rules[rule].Verbs) == 0 {
		r.Rules = slices.Delete(r.Rules, rule, rule+1)
	}
	return r
}

// rights: with the printed role all of it works, and with each verb less amber
// says which one is missing, and has touched nothing.
func rights(t *testing.T, b bed) {
	api := b.Account(t, "responder", b.ns)
	ctx := context.Background()
	full := printed(t, kube.Respond)
	full.Metadata = map[string]string{"name": kubetest.Random("responder")}
	b.grant(t, full, "responder")
	m := kube.New(api, kube.Options{CaseID: caseID, BlockImage: true, FreezeCredentials: true})
	b.Await(t, "the role to be in force", func() bool {
		ok, err := api.May(ctx, "list", cluster.Object{Version: "v1", Resource: "pods"})
		return err == nil && ok
	})
	before := b.fields(t)
	said, misses := b.said(t, m, api)
	if strings.Contains(said, "may not") || misses != "" {
		t.Fatalf("with the whole role:\n%s\n%s", said, misses)
	}
	e := b.hold(t, m)
	check(t, m, e)
	release(t, kube.New(api, kube.Options{Rejoin: true}), e)
	b.Await(t, "the pod to be as before", func() bool { return b.fields(t) == before })

	verbs := 0
	for i, rule := range full.Rules {
		for j, verb := range rule.Verbs {
			verbs++
			b.grant(t, full.without(i, j), "responder")
			lack := verb + " " + rule.Resources[0]
			if rule.APIGroups[0] != "" {
				lack += "." + rule.APIGroups[0]
			}
			b.Await(t, "the right to "+lack+" to be gone", func() bool { return !b.allowed(t, api, rule, verb) })
			said, misses := b.said(t, m, api)
			if text := said + misses; !strings.Contains(text, "may not "+lack) && !strings.Contains(text, "nor "+lack) && !absent(rule) {
				t.Errorf("without %s it says\n%s", lack, text)
			}
			if got := b.fields(t); got != before {
				t.Fatalf("without %s something was touched: %s", lack, got)
			}
		}
	}
	t.Logf("%d verbs", verbs)
	if verbs < 40 {
		t.Errorf("only %d verbs", verbs)
	}
}

// absent are rights on what this API server does not serve, or for owners that
// the pod has not.
func absent(r policyRule) bool {
	return slices.Contains([]string{"cilium.io", "projectcalico.org", "crd.projectcalico.org", "policy.networking.k8s.io"}, r.APIGroups[0])
}

func (b bed) allowed(t *testing.T, api *cluster.Cluster, rule policyRule, verb string) bool {
	t.Helper()
	resource, sub, _ := strings.Cut(rule.Resources[0], "/")
	ok, err := api.May(context.Background(), verb, cluster.Object{Group: rule.APIGroups[0], Version: "v1", Resource: resource, Sub: sub})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// said is all that amber says when it lists, plans and records.
func (b bed) said(t *testing.T, m *kube.Method, api *cluster.Cluster) (said, missed string) {
	t.Helper()
	ctx := context.Background()
	all, err := api.List(ctx)
	if err != nil {
		said += err.Error() + "\n"
	}
	for _, c := range all {
		if c.Pod.Name == b.pod {
			said += strings.Join(c.Notes, "\n") + "\n"
		}
	}
	p, err := m.Plan(ctx, b.target(""))
	var lacking *kube.RightsError
	var forbidden *cluster.ForbiddenError
	if err != nil && !errors.As(err, &lacking) && !errors.As(err, &forbidden) {
		t.Errorf("planned: %v", err)
	}
	if err != nil {
		said += err.Error() + "\n"
	}
	said += strings.Join(p.Warnings, "\n") + "\n"
	_, misses, err := api.Record(ctx, b.ns, b.pod)
	if err != nil {
		said += err.Error() + "\n"
	}
	return said, strings.Join(slices.Sorted(maps.Values(misses)), "\n")
}

// Each use is a part of the whole, and the whole reads no Secret.
func TestRBACIsMinimal(t *testing.T) {
	whole := printed(t, kube.Respond)
	for _, use := range []kube.Use{kube.List, kube.Isolate, kube.Release, kube.Record} {
		part := printed(t, use)
		if len(part.Rules) == 0 || len(part.Rules) >= len(whole.Rules) {
			t.Errorf("%s has %d rules of %d", use, len(part.Rules), len(whole.Rules))
		}
	}
	if got := printed(t, kube.List).Rules; len(got) != 1 || got[0].Resources[0] != "pods" || got[0].Verbs[0] != "list" {
		t.Errorf("to list takes %+v", got)
	}
	for _, r := range whole.Rules {
		if strings.Contains(r.Resources[0], "secret") || slices.Contains(r.Verbs, "*") || slices.Contains(r.Resources, "*") || slices.Contains(r.Verbs, "impersonate") {
			t.Errorf("it asks for %+v", r)
		}
	}
	for _, verb := range []string{"create", "delete"} { // release makes nothing; list, record change nothing
		for _, use := range []kube.Use{kube.List, kube.Record} {
			for _, r := range printed(t, use).Rules {
				if slices.Contains(r.Verbs, verb) || slices.Contains(r.Verbs, "patch") {
					t.Errorf("to %s takes %+v", use, r)
				}
			}
		}
	}
}
