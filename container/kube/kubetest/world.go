package kubetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"amber/container/kube"
)

// Resources that tests name.
var (
	Namespaces     = kube.Object{Version: "v1", Resource: "namespaces"}
	Pods           = kube.Object{Version: "v1", Resource: "pods"}
	Nodes          = kube.Object{Version: "v1", Resource: "nodes"}
	Services       = kube.Object{Version: "v1", Resource: "services"}
	Deployments    = kube.Object{Group: "apps", Version: "v1", Resource: "deployments"}
	EndpointSlices = kube.Object{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
)

// In names an object of a resource.
func In(o kube.Object, namespace, name string) kube.Object {
	o.Namespace, o.Name = namespace, name
	return o
}

// Namespace makes a namespace that is taken away after the test.
func (s *Server) Namespace(t testing.TB) string {
	t.Helper()
	ns := Random("shop")
	s.Do(t, http.MethodPost, Namespaces, fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, ns))
	s.Await(t, "the default service account of "+ns, func() bool {
		_, err := s.API.Read(context.Background(), kube.Object{Version: "v1", Resource: "serviceaccounts", Namespace: ns, Name: "default"})
		return err == nil
	})
	return ns
}

// Node makes a node that no kubelet has registered.
func (s *Server) Node(t testing.TB) string {
	t.Helper()
	name := Random("node")
	s.Do(t, http.MethodPost, Nodes, fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":%[1]q,"labels":{"kubernetes.io/hostname":%[1]q}}}`, name))
	return name
}

// Image is what Web's pods run.
const Image = "registry.example/shop/web:1.4"

// Web makes a Deployment of n pods labelled app=web, tier=front, a Service, a
// PodDisruptionBudget and a NetworkPolicy that select them, and has every pod
// run on the node. It gives the pods' names.
func (s *Server) Web(t testing.TB, ns, node string, n int) []string {
	t.Helper()
	s.Do(t, http.MethodPost, In(Deployments, ns, ""), fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":%d,
		"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web","tier":"front","team":"shop"}},"spec":{"terminationGracePeriodSeconds":0,"nodeName":%q,
		"containers":[{"name":"app","image":%q},{"name":"sidecar","image":"registry.example/mesh:2"}],"initContainers":[{"name":"setup","image":"registry.example/setup:1"}]}}}}`, n, node, Image))
	s.Do(t, http.MethodPost, In(Services, ns, ""), `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"selector":{"app":"web","tier":"front"},"ports":[{"port":80}]}}`)
	s.Do(t, http.MethodPost, kube.Object{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets", Namespace: ns},
		`{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"web"},"spec":{"minAvailable":0,"selector":{"matchLabels":{"app":"web"}}}}`)
	s.Do(t, http.MethodPost, kube.Object{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: ns},
		`{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"web"},"spec":{"podSelector":{"matchLabels":{"tier":"front"}},"ingress":[{}],"policyTypes":["Ingress"]}}`)
	return s.runAll(t, ns, n)
}

// runAll waits for n pods of the namespace and does a kubelet's part.
func (s *Server) runAll(t testing.TB, ns string, n int) []string {
	t.Helper()
	var names []string
	s.Await(t, fmt.Sprintf("%d pods in %s", n, ns), func() bool {
		names = nil
		for _, p := range s.PodList(t, ns) {
			if p.DeletionTimestamp == nil {
				names = append(names, p.Name)
			}
		}
		return len(names) >= n
	})
	for _, name := range names {
		s.run(t, ns, name)
	}
	return names
}

// PodList lists the pods of a namespace.
func (s *Server) PodList(t testing.TB, ns string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	if err := json.Unmarshal(s.Do(t, http.MethodGet, In(Pods, ns, ""), ""), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// run says that a pod's containers run.
func (s *Server) run(t testing.TB, ns, name string) {
	t.Helper()
	pod := s.ReadPod(t, ns, name)
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: address(name), PodIPs: []corev1.PodIP{{IP: address(name)}}, HostIP: "192.0.2.1",
		Conditions:            []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		ContainerStatuses:     running(pod.Spec.Containers),
		InitContainerStatuses: ended(pod.Spec.InitContainers),
	}
	o := In(Pods, ns, name)
	o.Sub = "status"
	body, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		t.Fatal(err)
	}
	s.Do(t, http.MethodPatch, o, string(body))
}

// ReadPod reads a pod.
func (s *Server) ReadPod(t testing.TB, ns, name string) *corev1.Pod {
	t.Helper()
	pod, err := s.API.Pod(context.Background(), ns, name)
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// Await polls until something is so.
func (s *Server) Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(errors.New("after a minute still not: " + what))
		}
	}
}

// Serve has the API server serve a resource of others as it serves a CRD, with
// a schema that takes any spec.
func (s *Server) Serve(t testing.TB, group, version, plural, kind string, namespaced bool) {
	t.Helper()
	scope := map[bool]string{true: "Namespaced", false: "Cluster"}[namespaced]
	approved := ""
	if strings.HasSuffix(group, ".k8s.io") {
		approved = `"annotations":{"api-approved.kubernetes.io":"unapproved, test only"},`
	}
	s.Do(t, http.MethodPost, kube.Object{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}, fmt.Sprintf(
		`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{%s"name":"%[3]s.%[2]s"},"spec":{"group":%[2]q,"scope":%[5]q,"names":{"plural":%[3]q,"singular":%[6]q,"kind":%[4]q},
		"versions":[{"name":%[7]q,"served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}}`,
		approved, group, plural, kind, scope, strings.ToLower(kind), version))
	s.Await(t, plural+" to be served", func() bool {
		served, err := s.API.Served(context.Background(), group, version)
		return err == nil && slices.ContainsFunc(served, func(r metav1.APIResource) bool { return r.Name == plural })
	})
}
