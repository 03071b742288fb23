// Package sourcetest makes logs to test and to measure with: records in the
// vendors' forms whose ids, names, addresses and times vary as in a real
// cluster or account, and reads sources as a build does.
package sourcetest

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// Cardinality says how many different values a generated column has.
type Cardinality struct {
	Column string
	Values int
}

// start is when generated logs begin.
var start = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

type generator struct {
	r   *rand.Rand
	w   *bufio.Writer
	now time.Time
}

func newGenerator(w io.Writer, seed uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 1)), bufio.NewWriterSize(w, 1<<20), start}
}

// tick goes on by a part of a second and gives the time.
func (g *generator) tick() time.Time {
	g.now = g.now.Add(time.Duration(g.r.IntN(60_000)) * time.Microsecond)
	return g.now
}

func (g *generator) uuid() string {
	a, b := g.r.Uint64(), g.r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", uint32(a), uint16(a>>32), a>>48&0xfff, b&0xfff, b>>16)
}

// pick is a number below n, small ones far more often than large ones.
func (g *generator) pick(n int) int {
	f := g.r.Float64()
	return int(f * f * f * float64(n))
}

func of[T any](g *generator, values []T) T { return values[g.r.IntN(len(values))] }

const stamp = "2006-01-02T15:04:05.000000Z"

const (
	kubeNamespaces = 60
	kubePods       = 40_000
	kubeUsers      = 400
	kubeAddresses  = 3_000
)

// KubeCardinality is that of KubeAudit's columns, as upper bounds.
func KubeCardinality(n int) []Cardinality {
	return []Cardinality{
		{"kubernetes.audit.auditID", n},
		{"@timestamp", n},
		{"user.name", kubeUsers + kubeNamespaces},
		{"orchestrator.namespace", kubeNamespaces},
		{"orchestrator.resource.name", min(n, kubePods)},
		{"source.ip", kubeAddresses},
		{"url.original", n},
	}
}

// KubeAudit writes n audit events of the API server as JSON lines, each a
// request of its own. One in 500 is an exec, one in 300 reads a secret, one in a
// thousand changes RBAC.
func KubeAudit(w io.Writer, n int, seed uint64) error {
	g := newGenerator(w, seed)
	for range n {
		g.kube()
	}
	return g.w.Flush()
}

func (g *generator) kube() {
	received := g.tick()
	took := time.Duration(g.r.IntN(9000)+200) * time.Microsecond
	namespace := fmt.Sprintf("team-%02d", g.pick(kubeNamespaces))
	pod := fmt.Sprintf("app-%d-%x", g.pick(kubePods)%97, g.pick(kubePods)+65536)
	verb := of(g, []string{"get", "get", "get", "list", "watch", "update", "patch", "create"})
	resource := of(g, []string{"pods", "leases", "configmaps", "endpointslices", "nodes", "events", "deployments", "services"})
	uri := fmt.Sprintf("/api/v1/namespaces/%s/%s/%s?resourceVersion=%d\\u0026timeout=%ds", namespace, resource, pod, g.r.IntN(1<<24), g.r.IntN(60))
	sub, group, body, code := "", "", "", 200
	switch k := g.r.IntN(3000); {
	case k < 6:
		verb, resource, sub, code = "create", "pods", `,"subresource":"exec"`, 101
		uri = fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/exec?command=sh\\u0026command=-c\\u0026command=id%%3B+cat+%%2Ftmp%%2F%x\\u0026container=c%d\\u0026stdin=true\\u0026stdout=true", namespace, pod, g.r.IntN(1<<20), g.r.IntN(5))
	case k < 16:
		verb, resource = "get", "secrets"
	case k < 19:
		verb, resource, code = "create", "clusterrolebindings", 201
		group = `,"apiGroup":"rbac.authorization.k8s.io"`
		body = fmt.Sprintf(`,"requestObject":{"kind":"ClusterRoleBinding","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"%s"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"user-%d"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}`, pod, g.r.IntN(kubeUsers))
	case k < 100:
		code = of(g, []int{403, 404, 409})
	}
	user, agent := g.kubeUser(namespace, pod)
	fmt.Fprintf(g.w, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%s","stage":"ResponseComplete","requestURI":"%s","verb":"%s",%s,"sourceIPs":["%s"],"userAgent":"%s","objectRef":{"resource":"%s","namespace":"%s","name":"%s"%s%s,"apiVersion":"v1"},"responseStatus":{"metadata":{},"code":%d}%s,"requestReceivedTimestamp":"%s","stageTimestamp":"%s","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by RoleBinding \"%s/default\" of Role \"reader\" to ServiceAccount \"default/%s\""}}`+"\n",
		g.uuid(), uri, verb, user, g.address(), agent, resource, namespace, pod, group, sub, code, body, received.Format(stamp), received.Add(took).Format(stamp), namespace, namespace)
}

// The programs of people, and of workloads. A workload's token that kubectl or
// curl uses is an alarm: in a log in which they were mixed, each sixth event was
// a finding.
var (
	tools = []string{
		"kubectl/v1.36.3 (linux/amd64) kubernetes/0cd3e4f", "kubectl/v1.35.1 (darwin/arm64) kubernetes/7b2c1e0", "curl/8.14.1",
	}
	clients = []string{
		"kube-controller-manager/v1.36.3 (linux/amd64) kubernetes/0cd3e4f/leader-election", "kubelet/v1.36.3 (linux/amd64) kubernetes/0cd3e4f",
		"kube-scheduler/v1.36.3 (linux/amd64) kubernetes/0cd3e4f/scheduler", "Prometheus/3.5.0", "argocd-application-controller/v0.0.0 (linux/amd64)",
	}
)

// kubeUser is somebody, and the program that speaks for them.
func (g *generator) kubeUser(namespace, pod string) (user, agent string) {
	if g.r.IntN(3) == 0 {
		return fmt.Sprintf(`"user":{"username":"user-%d","groups":["team","system:authenticated"]}`, g.pick(kubeUsers)), of(g, tools)
	}
	return fmt.Sprintf(`"user":{"username":"system:serviceaccount:%s:default","uid":"%s","groups":["system:serviceaccounts","system:serviceaccounts:%s","system:authenticated"],"extra":{"authentication.kubernetes.io/pod-name":["%s"]}}`, namespace, "b1d7c1f4-8d4e-4f7e-9d7a-2f6b8c0d1e2f", namespace, pod), of(g, clients)
}

func (g *generator) address() string {
	n := g.pick(kubeAddresses)
	return fmt.Sprintf("10.%d.%d.%d", n/1000, n%1000/4, n%251)
}
