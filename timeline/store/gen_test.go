package store

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"amber/timeline"
)

// gen makes events like those of a cluster's audit log: 20 columns, an id and
// a rendered message each, and three fields without a column.
type gen struct {
	rnd   *rand.Rand
	micro int64
	off   int64
	count int
	buf   []byte
	e     timeline.Event

	users, names, namespaces, agents, ips [][]byte
}

func pool(n int, format string) (out [][]byte) {
	for i := range n {
		out = append(out, fmt.Appendf(nil, format, i))
	}
	return out
}

func newGen(seed uint64) *gen {
	g := &gen{rnd: rand.New(rand.NewPCG(seed, 7)), micro: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixMicro()}
	g.users = pool(3000, "system:serviceaccount:team-%d:deployer")
	g.names = pool(40000, "checkout-api-7d9f8b6c5-%05x")
	g.namespaces = pool(120, "team-%d")
	g.agents = pool(60, "kubectl/v1.36.%d (linux/amd64) kubernetes/3f7a1b2")
	g.ips = pool(5000, "10.12.%d.7")
	for i := range g.ips {
		g.ips[i] = fmt.Appendf(nil, "10.%d.%d.%d", i/2500, i/250%250, i%250)
	}
	return g
}

func (g *gen) pick(p [][]byte) []byte {
	// Squared, so that some are much more frequent than others.
	f := g.rnd.Float64()
	return p[int(f*f*float64(len(p)))]
}

func (g *gen) str(f timeline.Field, parts ...string) {
	start := len(g.buf)
	for _, p := range parts {
		g.buf = append(g.buf, p...)
	}
	g.e.Str(f, g.buf[start:len(g.buf):len(g.buf)])
}

var (
	genVerbs     = []string{"get", "list", "watch", "create", "update", "patch", "delete"}
	genResources = []string{"pods", "secrets", "configmaps", "deployments", "events", "leases", "nodes", "endpoints"}
	genStatus    = []int64{200, 200, 200, 200, 201, 404, 403, 409}
)

// next is the next event; file is what its raw reference names.
func (g *gen) next(file int32) *timeline.Event {
	e := &g.e
	e.Reset()
	g.buf = g.buf[:0]
	g.micro += 1 + int64(g.rnd.IntN(2000))
	e.Time = timeline.Time{Micros: g.micro}
	e.End = timeline.Time{Micros: g.micro + int64(g.rnd.IntN(50000))}
	verb, resource := genVerbs[g.rnd.IntN(len(genVerbs))], genResources[g.rnd.IntN(len(genResources))]
	user, ns, name := g.pick(g.users), g.pick(g.namespaces), g.pick(g.names)
	status := genStatus[g.rnd.IntN(len(genStatus))]
	var id [16]byte
	for i := range id {
		id[i] = byte(g.rnd.Uint32())
	}
	g.str(timeline.EventID, hex.EncodeToString(id[:]))
	e.ID = e.GetStr(timeline.EventID)
	e.Const(timeline.EventDataset, "kubernetes.audit")
	e.Const(timeline.EventProvider, "kube-apiserver")
	e.Str(timeline.EventAction, []byte(verb))
	e.Add(timeline.EventCategory, []byte("configuration"))
	if status < 300 {
		e.Const(timeline.EventOutcome, "success")
	} else {
		e.Const(timeline.EventOutcome, "failure")
	}
	e.Str(timeline.UserName, user)
	e.Add(timeline.UserRoles, []byte("system:serviceaccounts"))
	e.Add(timeline.UserRoles, []byte("system:authenticated"))
	e.Str(timeline.UserAgent, g.pick(g.agents))
	ip := g.pick(g.ips)
	e.Str(timeline.SourceIP, ip)
	e.Add(timeline.RelatedIP, ip)
	e.Str(timeline.OrchestratorNamespace, ns)
	e.Const(timeline.OrchestratorCluster, "prod-eu-1")
	e.Str(timeline.OrchestratorResourceType, []byte(resource))
	e.Str(timeline.OrchestratorResourceName, name)
	e.Num(timeline.HTTPStatus, status)
	g.str(timeline.URL, "/api/v1/namespaces/", string(ns), "/", resource, "/", string(name))
	rare := ""
	if g.count++; g.count%1_000_003 == 5000 {
		rare = " through Quokka-Tunnel"
	}
	g.str(timeline.Message, string(user), " ", verb, " ", resource, " ", string(ns), "/", string(name), ": ", strconv.FormatInt(status, 10), rare)
	e.More([]byte("kubernetes.audit.level"), []byte("Metadata"))
	e.More([]byte("kubernetes.audit.annotations.authorization_k8s_io/decision"), []byte("allow"))
	e.More([]byte("kubernetes.audit.stage"), []byte("ResponseComplete"))
	size := int64(900 + g.rnd.IntN(300))
	e.Raw = append(e.Raw, timeline.RawRef{File: file, Ranges: []timeline.Range{{Offset: g.off, Length: size}}})
	g.off += size
	return e
}
