package kube

import (
	"encoding/json"
	"path"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	corev1 "k8s.io/api/core/v1"

	"amber/container"
)

// Whatever a pod's JSON says, its containers have a Ref that is read as them.
func FuzzContainers(f *testing.F) {
	f.Add([]byte(`{"metadata":{"namespace":"shop","name":"web","uid":"u"},"spec":{"containers":[{"name":"a","image":"x","securityContext":{"privileged":true,"capabilities":{"add":["ALL"]}}}]},"status":{"containerStatuses":[{"name":"a","containerID":"containerd://abc","imageID":"x@sha256:1","state":{"running":{}}}]}}`))
	f.Add([]byte(`{"metadata":{"namespace":"a","name":"b"},"spec":{"hostUsers":false,"ephemeralContainers":[{"name":"e"}],"initContainers":[{"name":"i","restartPolicy":"Always"}],"volumes":[{"name":"v","hostPath":{"path":"/"}}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var pod corev1.Pod
		if json.Unmarshal(data, &pod) != nil {
			return
		}
		for _, c := range containers(&pod) {
			_ = container.Risks(c)
			target, err := container.ParseTarget(c.Ref())
			if err == nil && !strings.Contains(pod.Namespace+pod.Name+c.Pod.Container, "/") && !target.Matches(c) {
				t.Errorf("%q is read as %+v, which does not mean it", c.Ref(), target)
			}
		}
	})
}

// No name in the API leads a document out of its folder, or names two alike.
func FuzzFile(f *testing.F) {
	f.Add("shop", "web")
	f.Add("..", "../../etc/passwd")
	f.Add("", "a:b\n\x1b[0m")
	f.Fuzz(func(t *testing.T, namespace, name string) {
		got := folder + file(Object{Resource: "roles", Namespace: namespace, Name: name}) + ".json"
		if path.Clean(got) != got || path.Dir(got) != folder+"roles" || strings.ContainsAny(got, "\n\x00\x1b") {
			t.Errorf("%q of %q is %q", name, namespace, got)
		}
		o := Object{Version: "v1", Resource: "roles", Namespace: namespace, Name: name}
		if o.plain() == nil && strings.Contains(path.Clean(o.path()), "..") != strings.Contains(o.path(), "..") {
			t.Errorf("the path of %+v is %q", o, o.path())
		}
	})
}

// What a binding and a role say is read without a fault, and never taken for
// another account's.
func FuzzConcerning(f *testing.F) {
	f.Add([]byte(`{"metadata":{"name":"b","namespace":"shop"},"roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"shop"}]}`), []byte(`[{"verbs":["create"],"resources":["pods"],"apiGroups":[""]}]`))
	f.Add([]byte(`{"subjects":[{"kind":"Group","name":"system:serviceaccounts"}]}`), []byte(`[{"verbs":["*"]}]`))
	f.Fuzz(func(t *testing.T, binding, rules []byte) {
		var r []rbacv1.PolicyRule
		_ = json.Unmarshal(rules, &r)
		for _, g := range concerning([]json.RawMessage{binding}, "shop", "default", "rolebindings") {
			g.Rules = r
			_ = g.Writes()
			if !strings.Contains(string(binding), "ubjects") && !strings.Contains(strings.ToLower(string(binding)), "subjects") {
				t.Errorf("%s concerns an account", binding)
			}
		}
	})
}

// A table is read, and anything else is not.
func FuzzFirstCells(f *testing.F) {
	f.Add([]byte(`{"kind":"Table","rows":[{"cells":["legacy","kubernetes.io/service-account-token",3,"1d"]}]}`))
	f.Add([]byte(`{"kind":"SecretList","items":[{"data":{"a":"b"}}],"rows":[{"cells":["a"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := firstCells(data)
		if len(names) > 0 && (err != nil || !strings.Contains(string(data), "Table") && !strings.Contains(string(data), `\u`)) {
			t.Errorf("%s gives %q, %v", data, names, err)
		}
	})
}
