package testbed

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
)

// Rule is a rule of RBAC, as rbac.authorization.k8s.io/v1 has it.
type Rule struct {
	APIGroups       []string `json:"apiGroups,omitempty"` // "" is the core's
	Resources       []string `json:"resources,omitempty"` // "pods", "pods/eviction"
	ResourceNames   []string `json:"resourceNames,omitempty"`
	NonResourceURLs []string `json:"nonResourceURLs,omitempty"`
	Verbs           []string `json:"verbs"`
}

// User makes a user who may do what the rules say, in all namespaces, and
// nothing else, and returns the path of his kubeconfig. He is the service
// account amber-test-users/NAME. The user of a name that was given before has
// the new rules instead of the old when this returns.
func (k *Kubernetes) User(t testing.TB, name string, rules ...Rule) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	kubeconfig, err := k.user(ctx, name, rules)
	if err != nil {
		t.Fatalf("making user %s: %v", name, err)
	}
	return kubeconfig
}

const usersNamespace = "amber-test-users"

func (k *Kubernetes) user(ctx context.Context, name string, rules []Rule) (string, error) {
	// The authorizer learns of new rules a moment later, and all of a role's at once.
	marker := "/amber-test/" + randomNamespace()
	rules = append(rules, Rule{NonResourceURLs: []string{marker}, Verbs: []string{"get"}})
	data, err := json.Marshal(userObjects(name, rules))
	if err != nil {
		return "", err
	}
	if err := k.apply(string(data)); err != nil {
		return "", err
	}
	err = until(patience, "waiting for the rules", func(ctx context.Context) error {
		return k.allowed(ctx, "system:serviceaccount:"+usersNamespace+":"+name, marker)
	})
	if err != nil {
		return "", err
	}
	var token struct{ Status struct{ Token string } }
	path := "/api/v1/namespaces/" + usersNamespace + "/serviceaccounts/" + name + "/token"
	request := map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": map[string]any{}}
	if err := k.API(ctx, "POST", path, request, &token); err != nil {
		return "", err
	}
	file := k.path("user-" + name + ".kubeconfig")
	return file, k.writeKubeconfig(file, map[string]any{"token": token.Status.Token})
}

func (k *Kubernetes) allowed(ctx context.Context, user, path string) error {
	review := map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": map[string]any{
		"user": user, "nonResourceAttributes": map[string]string{"path": path, "verb": "get"},
	}}
	var answer struct{ Status struct{ Allowed bool } }
	if err := k.API(ctx, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review, &answer); err != nil {
		return err
	}
	if !answer.Status.Allowed {
		return fmt.Errorf("%s may not get %s yet", user, path)
	}
	return nil
}

func userObjects(name string, rules []Rule) any {
	const rbac = "rbac.authorization.k8s.io"
	object := func(version, kind string, metadata map[string]string, more map[string]any) map[string]any {
		o := map[string]any{"apiVersion": version, "kind": kind, "metadata": metadata}
		for field, value := range more {
			o[field] = value
		}
		return o
	}
	role := map[string]string{"name": "amber-test-user-" + name}
	return object("v1", "List", nil, map[string]any{"items": []any{
		object("v1", "Namespace", map[string]string{"name": usersNamespace}, nil),
		object("v1", "ServiceAccount", map[string]string{"name": name, "namespace": usersNamespace}, nil),
		object(rbac+"/v1", "ClusterRole", role, map[string]any{"rules": rules}),
		object(rbac+"/v1", "ClusterRoleBinding", role, map[string]any{
			"roleRef":  map[string]string{"apiGroup": rbac, "kind": "ClusterRole", "name": role["name"]},
			"subjects": []any{map[string]string{"kind": "ServiceAccount", "name": name, "namespace": usersNamespace}},
		}),
	}})
}
