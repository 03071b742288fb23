package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// Grant is one binding that gives a service account rights.
type Grant struct {
	Namespace string // where the rights hold; "" for everywhere
	Binding   Object
	Role      Object
	Rules     []rbacv1.PolicyRule
	Err       error // why the role could not be read

	binding, role []byte // the API's JSON
}

// rbac names a resource of RBAC.
func rbac(resource, namespace, name string) Object {
	return Object{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: resource, Namespace: namespace, Name: name}
}

// Grants are the bindings that concern a service account, by its own name or by
// a group that every account is in. Bindings of other namespaces count too;
// where they may not be listed, lacking says so, and those of the account's
// own namespace are what is found.
func (c *Cluster) Grants(ctx context.Context, namespace, account string) (grants []Grant, lacking []error) {
	items, err := c.Items(ctx, rbac("clusterrolebindings", "", ""), nil)
	if err != nil {
		lacking = append(lacking, err)
	}
	grants = append(grants, concerning(items, namespace, account, "clusterrolebindings")...)
	items, err = c.Items(ctx, rbac("rolebindings", "", ""), nil)
	if err != nil {
		lacking = append(lacking, err)
		if items, err = c.Items(ctx, rbac("rolebindings", namespace, ""), nil); err != nil {
			lacking = append(lacking, err)
		}
	}
	grants = append(grants, concerning(items, namespace, account, "rolebindings")...)
	roles := map[Object]Grant{} // many bindings name one role
	for i := range grants {
		g := &grants[i]
		if _, ok := roles[g.Role]; !ok {
			roles[g.Role] = c.role(ctx, g.Role)
		}
		r := roles[g.Role]
		g.Rules, g.role, g.Err = r.Rules, r.role, r.Err
	}
	return grants, lacking
}

// concerning picks the bindings with a subject that is the account.
func concerning(items []json.RawMessage, namespace, account, resource string) []Grant {
	var grants []Grant
	for _, item := range items {
		var b rbacv1.RoleBinding // a ClusterRoleBinding has the same fields
		if json.Unmarshal(item, &b) != nil {
			continue
		}
		is := func(s rbacv1.Subject) bool { return concerns(s, namespace, account) }
		if !slices.ContainsFunc(b.Subjects, is) {
			continue
		}
		role := rbac("clusterroles", "", b.RoleRef.Name)
		if b.RoleRef.Kind == "Role" {
			role = rbac("roles", b.Namespace, b.RoleRef.Name)
		}
		grants = append(grants, Grant{Namespace: b.Namespace, Binding: rbac(resource, b.Namespace, b.Name), Role: role, binding: item})
	}
	return grants
}

func concerns(s rbacv1.Subject, namespace, account string) bool {
	const prefix = "system:serviceaccount"
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		return s.Namespace == namespace && s.Name == account
	case rbacv1.UserKind:
		return s.Name == prefix+":"+namespace+":"+account
	case rbacv1.GroupKind:
		return s.Name == prefix+"s" || s.Name == prefix+"s:"+namespace || s.Name == "system:authenticated"
	}
	return false
}

func (c *Cluster) role(ctx context.Context, o Object) Grant {
	data, err := c.Read(ctx, o)
	if err != nil {
		return Grant{Err: err}
	}
	var r rbacv1.ClusterRole
	if err := json.Unmarshal(data, &r); err != nil {
		return Grant{Err: fmt.Errorf("reading %s: %w", o, err)}
	}
	return Grant{Rules: r.Rules, role: data}
}

// Writes says in one line what a grant lets its account change; empty where it
// lets it only read.
func (g Grant) Writes() string {
	var parts []string
	for _, r := range g.Rules {
		verbs := slices.DeleteFunc(slices.Clone(r.Verbs), func(v string) bool { return v == "get" || v == "list" || v == "watch" })
		if len(verbs) == 0 || len(r.Resources) == 0 || reviews(r) {
			continue
		}
		text := strings.Join(verbs, ",") + " " + strings.Join(r.Resources, ",")
		if groups := strings.Join(r.APIGroups, ","); groups != "" {
			text += " (" + groups + ")"
		}
		if len(r.ResourceNames) > 0 {
			text += " named " + strings.Join(r.ResourceNames, ",")
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// reviews reports whether a rule is about questions that change nothing:
// every account may ask what it may do.
func reviews(r rbacv1.PolicyRule) bool {
	return !slices.ContainsFunc(r.Resources, func(s string) bool { return !strings.HasPrefix(s, "selfsubject") })
}

// TokenSecrets names the Secrets of a namespace that hold long-lived tokens of
// service accounts, and those that the account itself names. They are asked
// for as a table without objects: their contents never leave the API server.
// Where they may not be listed the error says so, and those are given that the
// account names.
func (c *Cluster) TokenSecrets(ctx context.Context, namespace, account string) ([]string, error) {
	named, err := c.namedSecrets(ctx, namespace, account)
	if err != nil {
		return nil, err
	}
	data, err := c.Do(ctx, Request{
		Method: http.MethodGet, Object: Object{Version: "v1", Resource: "secrets", Namespace: namespace},
		Accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
		Query:  url.Values{"fieldSelector": {"type=" + string(corev1.SecretTypeServiceAccountToken)}, "includeObject": {"None"}},
	})
	if err != nil {
		return named, err
	}
	listed, err := firstCells(data)
	all := append(named, listed...)
	slices.Sort(all)
	return slices.Compact(all), err
}

func (c *Cluster) namedSecrets(ctx context.Context, namespace, account string) ([]string, error) {
	data, err := c.Read(ctx, Object{Version: "v1", Resource: "serviceaccounts", Namespace: namespace, Name: account})
	if err != nil {
		return nil, err
	}
	var sa corev1.ServiceAccount
	if err := json.Unmarshal(data, &sa); err != nil {
		return nil, fmt.Errorf("reading the service account %s/%s: %w", namespace, account, err)
	}
	var names []string
	for _, s := range sa.Secrets {
		names = append(names, s.Name)
	}
	return names, nil
}

// firstCells are the names in a table of the API.
func firstCells(table []byte) ([]string, error) {
	var t struct {
		Kind string `json:"kind"`
		Rows []struct {
			Cells []any `json:"cells"`
		} `json:"rows"`
	}
	if err := json.Unmarshal(table, &t); err != nil {
		return nil, fmt.Errorf("reading a table of Secrets: %w", err)
	}
	if t.Kind != "Table" {
		return nil, fmt.Errorf("the API server gave a %q where a table was asked for; it is not looked at", t.Kind)
	}
	var names []string
	for _, r := range t.Rows {
		if len(r.Cells) > 0 {
			if name, ok := r.Cells[0].(string); ok {
				names = append(names, name)
			}
		}
	}
	return names, nil
}
