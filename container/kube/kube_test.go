package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"amber/container"
	"amber/container/kube"
	"amber/container/kube/kubetest"
)

func TestCluster(t *testing.T) {
	s := kubetest.Start(t)
	for name, test := range map[string]func(*testing.T, *kubetest.Server){
		"List": list, "Find": find, "Gone": gone, "Risks": risks, "Record": record, "Restricted": restricted, "WhoAmI": whoAmI, "Pages": pages,
		"OnTheNode": onTheNode, "TokenSecrets": tokenSecrets,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func list(t *testing.T, s *kubetest.Server) {
	ns, node := s.Namespace(t), s.Node(t)
	name := s.Web(t, ns, node, 1)[0]
	all, err := s.API.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range all {
		if c.Pod.Namespace != ns {
			continue
		}
		got = append(got, c.Ref()+" "+string(c.State))
		if c.Image.Digest != kubetest.Digest(c.Image.Ref) || len(c.ID) != 64 || c.Spec == nil || c.Started.IsZero() || c.Pod.UID == "" {
			t.Errorf("listed as %+v", c)
		}
		if c.Pod.Container == "app" && c.Image.Ref != kubetest.Image {
			t.Errorf("its image is %q", c.Image.Ref)
		}
	}
	base := "pod/" + ns + "/" + name + "/"
	if want := []string{base + "setup stopped", base + "app running", base + "sidecar running"}; !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func find(t *testing.T, s *kubetest.Server) {
	ns, node := s.Namespace(t), s.Node(t)
	name := s.Web(t, ns, node, 1)[0]
	id := resolve(t, s, "pod/"+ns+"/"+name+"/app")[0].ID
	for form, want := range map[string]int{
		"pod/" + ns + "/" + name: 3, "pod/" + ns + "/" + name + "/app": 1, "pod/" + ns + "/" + name + "/none": 0, "pod/" + ns + "/none": 0,
		"pod/none/" + name: 0, "pod/" + ns + "/..": 0, "docker://" + id: 0, "containerd://k8s.io/" + id: 0, "no-such-container": 0,
	} {
		if got := resolve(t, s, form); len(got) != want {
			t.Errorf("%q means %d, want %d: %v", form, len(got), want, got)
		}
	}
	if got := resolve(t, s, id); !slices.ContainsFunc(got, func(c container.Container) bool { return c.Pod.Name == name && c.Pod.Container == "app" }) {
		t.Errorf("%s means %v", id, got)
	}
}

func resolve(t *testing.T, s *kubetest.Server, form string) []container.Container {
	t.Helper()
	parsed, err := container.ParseTarget(form)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.API.Find(context.Background(), parsed)
	if err != nil {
		t.Fatalf("Find(%q): %v", form, err)
	}
	return got
}

func gone(t *testing.T, s *kubetest.Server) {
	ns := s.Namespace(t)
	s.Do(t, http.MethodPost, kubetest.In(kubetest.Pods, ns, ""), podJSON("soon-gone", `{"containers":[{"name":"a","image":"x"}]}`))
	c := resolve(t, s, "pod/"+ns+"/soon-gone/a")[0]
	if got, err := s.API.Get(context.Background(), c); err != nil || got.State != container.Unknown || got.ID != "" || got.Ref() != c.Ref() {
		t.Errorf("a pod that no kubelet has seen: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.API.List(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("List under a context that is over: %v", err)
	}
	again := func() {
		t.Helper()
		var none *container.NotFoundError
		if _, err := s.API.Get(context.Background(), c); !errors.As(err, &none) {
			t.Errorf("Get: %v", err)
		}
		if _, _, err := s.API.Describe(context.Background(), c); !errors.As(err, &none) {
			t.Errorf("Describe: %v", err)
		}
	}
	s.Do(t, http.MethodDelete, kubetest.In(kubetest.Pods, ns, "soon-gone"), "")
	again()
	s.Do(t, http.MethodPost, kubetest.In(kubetest.Pods, ns, ""), podJSON("soon-gone", `{"containers":[{"name":"a","image":"x"}]}`))
	again() // another pod of the same name is not it
}

func podJSON(name, spec string) string {
	return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"` + name + `"},"spec":{"schedulerName":"nobody",` + spec[1:] + `}`
}

// risks: what a workstation tells of a pod, for specs that are worse and better.
func risks(t *testing.T, s *kubetest.Server) {
	ns := s.Namespace(t)
	for name, test := range map[string]struct {
		spec      string
		with, not []string
	}{
		"bare": {
			`{"containers":[{"name":"a","image":"x"}]}`,
			[]string{"root", "no-seccomp", "writable-root", "new-privileges", "no-lsm"},
			[]string{"privileged", "capabilities", "host-network", "host-mount", "unmasked"},
		},
		"privileged": {
			`{"hostNetwork":true,"hostPID":true,"hostIPC":true,"containers":[{"name":"a","image":"x","securityContext":{"privileged":true},"volumeMounts":[{"name":"v","mountPath":"/host","readOnly":true}]}],"volumes":[{"name":"v","hostPath":{"path":"/"}}]}`,
			[]string{"privileged", "host-network", "host-pid", "host-ipc", "host-uts", "host-mount", "runtime-socket"},
			[]string{"unmasked"},
		},
		"grabby": {
			`{"containers":[{"name":"a","image":"x","securityContext":{"capabilities":{"add":["SYS_ADMIN","CAP_NET_ADMIN"],"drop":["KILL"]},"procMount":"Default"},"volumeMounts":[{"name":"v","mountPath":"/s","subPath":"docker.sock"}]}],"volumes":[{"name":"v","hostPath":{"path":"/var/run"}}]}`,
			[]string{"capabilities", "runtime-socket", "host-mount"},
			[]string{"privileged"},
		},
		"strict": {
			`{"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"},"appArmorProfile":{"type":"RuntimeDefault"}},"containers":[{"name":"a","image":"x","securityContext":{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"drop":["ALL"]}}}]}`,
			nil,
			[]string{"root", "no-seccomp", "writable-root", "new-privileges", "no-lsm", "capabilities", "unmasked"},
		},
	} {
		s.Do(t, http.MethodPost, kubetest.In(kubetest.Pods, ns, ""), podJSON(name, test.spec))
		c := resolve(t, s, "pod/"+ns+"/"+name+"/a")[0]
		var ids []string
		for _, r := range container.Risks(c) {
			ids = append(ids, r.ID)
		}
		for _, want := range test.with {
			if !slices.Contains(ids, want) {
				t.Errorf("%s: %s is not among %v", name, want, ids)
			}
		}
		for _, not := range test.not {
			if slices.Contains(ids, not) {
				t.Errorf("%s: %s is among %v", name, not, ids)
			}
		}
	}
}

const bindings = "rbac.authorization.k8s.io"

// record: all that concerns the pod, and nothing that does not.
func record(t *testing.T, s *kubetest.Server) {
	ns, node := s.Namespace(t), s.Node(t)
	name := s.Web(t, ns, node, 1)[0]
	rbac := func(resource string) kube.Object {
		return kube.Object{Group: bindings, Version: "v1", Resource: resource, Namespace: ns}
	}
	s.Do(t, http.MethodPost, rbac("rolebindings"), `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"its:own"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"`+ns+`"}]}`)
	s.Do(t, http.MethodPost, rbac("rolebindings"), `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"dangling"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"no-such"},"subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:serviceaccounts:`+ns+`"}]}`)
	s.Do(t, http.MethodPost, rbac("rolebindings"), `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"another"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"kind":"ServiceAccount","name":"other","namespace":"`+ns+`"}]}`)
	s.Do(t, http.MethodPost, kubetest.In(kubetest.Services, ns, ""), `{"apiVersion":"v1","kind":"Service","metadata":{"name":"other"},"spec":{"selector":{"app":"other"},"ports":[{"port":80}]}}`)
	s.Do(t, http.MethodPost, kube.Object{Version: "v1", Resource: "events", Namespace: ns}, `{"apiVersion":"v1","kind":"Event","metadata":{"name":"a"},"reason":"Seen","involvedObject":{"kind":"Pod","namespace":"`+ns+`","name":"`+name+`"}}`)
	s.Await(t, "an EndpointSlice", func() bool {
		return strings.Contains(string(s.Do(t, http.MethodGet, kubetest.In(kubetest.EndpointSlices, ns, ""), "")), name)
	})
	docs, misses, err := s.API.Record(context.Background(), ns, name)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, d := range docs {
		if names[d.Name] != "" || path.Clean(d.Name) != d.Name || !strings.HasPrefix(d.Name, "kubernetes/") || !json.Valid(d.Data) {
			t.Errorf("document %q of %d bytes", d.Name, len(d.Data))
		}
		names[d.Name] = string(d.Data)
		t.Logf("%s: %d bytes", d.Name, len(d.Data))
	}
	if want := string(s.Do(t, http.MethodGet, kubetest.In(kubetest.Pods, ns, name), "")); names["kubernetes/pod.json"] != want {
		t.Errorf("the pod is recorded as\n%s\nand is\n%s", names["kubernetes/pod.json"], want)
	}
	rs := s.ReadPod(t, ns, name).OwnerReferences[0].Name
	for _, want := range []string{
		"owners/1-ReplicaSet-" + rs, "owners/2-Deployment-web", "node", "serviceaccount", "rbac/rolebindings/" + ns + ".its:own", "rbac/clusterroles/edit",
		"rbac/rolebindings/" + ns + ".dangling", "rbac/clusterrolebindings/system:basic-user", "networkpolicies/web", "services/web", "poddisruptionbudgets/web", "events", "version",
	} {
		if names["kubernetes/"+want+".json"] == "" {
			t.Errorf("no %s among %d documents; misses %v", want, len(docs), misses)
		}
	}
	for name := range names {
		if strings.Contains(name, "other") || strings.Contains(name, "secret") {
			t.Errorf("%s was recorded too", name)
		}
	}
	if !strings.Contains(names["kubernetes/events.json"], `"reason":"Seen"`) || len(misses) != 1 || misses["kubernetes/rbac/roles/"+ns+".no-such"] == "" {
		t.Errorf("events %s, misses %v", names["kubernetes/events.json"], misses)
	}
}

// restricted: an account that may see one namespace sees that one, and every
// refusal says which right is lacking.
func restricted(t *testing.T, s *kubetest.Server) {
	ns, node := s.Namespace(t), s.Node(t)
	name := s.Web(t, ns, node, 1)[0]
	c := s.Account(t, "onlooker", ns)
	ctx := context.Background()
	_, err := c.List(ctx)
	var lacking *kube.ForbiddenError
	if !errors.As(err, &lacking) || lacking.Verb != "list" || lacking.Object.Resource != "pods" || !apierrors.IsForbidden(err) {
		t.Errorf("without any right List says %v", err)
	}
	s.Do(t, http.MethodPost, kube.Object{Group: bindings, Version: "v1", Resource: "roles", Namespace: ns},
		`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"look"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get","list"]}]}`)
	s.Do(t, http.MethodPost, kube.Object{Group: bindings, Version: "v1", Resource: "rolebindings", Namespace: ns},
		`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"look"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"look"},"subjects":[{"kind":"ServiceAccount","name":"onlooker","namespace":"`+kubetest.UsersNamespace+`"}]}`)
	s.Await(t, "the right to list", func() bool {
		ok, err := c.May(ctx, "list", kubetest.In(kubetest.Pods, ns, ""))
		return err == nil && ok
	})
	all, err := c.List(ctx)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d containers, %v", len(all), err)
	}
	if last := all[0].Notes[len(all[0].Notes)-1]; !strings.Contains(last, "may not list pods") {
		t.Errorf("that the rest is not listed is said nowhere: %v", all[0].Notes)
	}
	docs, misses, err := c.Record(ctx, ns, name)
	if err != nil || len(docs) != 2 { // the pod, and /version
		t.Errorf("%d documents, %v", len(docs), err)
	}
	for miss, why := range map[string]string{
		"node": "may not get nodes " + node, "serviceaccount": "may not get serviceaccounts " + ns + "/default", "events": "may not list events in namespace " + ns,
		"services": "may not list services in namespace " + ns, "networkpolicies": "may not list networkpolicies.networking.k8s.io in namespace " + ns,
		"rbac/1": "may not list clusterrolebindings.rbac.authorization.k8s.io",
	} {
		if got := misses["kubernetes/"+miss]; !strings.HasPrefix(got, why) {
			t.Errorf("%s is missed because %q", miss, got)
		}
	}
	who, err := c.WhoAmI(ctx)
	if who != "system:serviceaccount:"+kubetest.UsersNamespace+":onlooker" || err != nil {
		t.Errorf("it is %q, %v", who, err)
	}
}

func whoAmI(t *testing.T, s *kubetest.Server) {
	who, err := s.API.WhoAmI(context.Background())
	if who == "" || strings.HasPrefix(who, "system:serviceaccount:") || err != nil {
		t.Errorf("it is %q, %v", who, err)
	}
	if got := s.API.Source(); got.From != s.Kubeconfig || got.User != "amber-test" || got.Context != "amber-test" || strings.TrimSuffix(got.Server, "/") != s.Kubernetes.Server {
		t.Errorf("the source is %+v", got)
	}
}

// pages: a list that does not fit into one answer is whole all the same.
func pages(t *testing.T, s *kubetest.Server) {
	ns := s.Namespace(t)
	o := kube.Object{Version: "v1", Resource: "configmaps", Namespace: ns}
	for range 5 {
		s.Do(t, http.MethodPost, o, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"c-"}}`)
	}
	whole, err := s.API.Items(context.Background(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := s.API.Items(context.Background(), o, map[string][]string{"limit": {"2"}})
	if err != nil || len(parts) != len(whole) || len(parts) < 5 {
		t.Errorf("%d in pages of 2, %d in one, %v", len(parts), len(whole), err)
	}
}

// tokenSecrets: names, and not a byte of what they hold.
func tokenSecrets(t *testing.T, s *kubetest.Server) {
	ns := s.Namespace(t)
	secrets := kube.Object{Version: "v1", Resource: "secrets", Namespace: ns}
	s.Do(t, http.MethodPost, secrets, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"legacy","annotations":{"kubernetes.io/service-account.name":"default"}},"type":"kubernetes.io/service-account-token"}`)
	s.Do(t, http.MethodPost, secrets, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"password"},"stringData":{"p":"very-secret"}}`)
	s.Do(t, http.MethodPatch, kube.Object{Version: "v1", Resource: "serviceaccounts", Namespace: ns, Name: "default"}, `{"secrets":[{"name":"named"}]}`)
	got, err := s.API.TokenSecrets(context.Background(), ns, "default")
	if err != nil || !slices.Equal(got, []string{"legacy", "named"}) {
		t.Errorf("%v, %v", got, err)
	}
	said, err := s.API.Do(context.Background(), kube.Request{
		Method: http.MethodGet, Object: secrets, Accept: "application/json;as=Table;v=v1;g=meta.k8s.io", Query: map[string][]string{"includeObject": {"None"}},
	})
	if err != nil || strings.Contains(string(said), "dmVyeS1zZWNyZXQ") || !strings.Contains(string(said), "password") {
		t.Errorf("what the API server sends is %s, %v", said, err)
	}
}
