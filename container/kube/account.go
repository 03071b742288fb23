package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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
