package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"amber/evidence/casedir"
	"amber/timeline"
	"amber/timeline/store"
)

// prepare makes a case with a timeline of n events in dir, unless it is there.
func prepare(dir string, n int) error {
	if man, err := store.ReadManifest(filepath.Join(dir, "timeline")); err == nil && rows(man) == int64(n) {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	cs, err := casedir.Create(dir, fmt.Sprintf("%d events", n), nil)
	if err != nil {
		return err
	}
	begun := time.Now()
	err = fill(filepath.Join(dir, "timeline"), n)
	fmt.Fprintf(os.Stderr, "made %d events in %s\n", n, time.Since(begun).Round(time.Second))
	return errors.Join(err, cs.Close())
}

func rows(man *store.Manifest) (n int64) {
	for _, s := range man.Segments {
		n += s.Rows
	}
	return n
}

func fill(dir string, n int) error {
	w, err := store.NewWriter(dir, store.Options{})
	if err != nil {
		return err
	}
	file := w.File(0)
	w.Seal(file, store.File{Size: 1, Source: "bench"})
	run, err := w.Run()
	if err != nil {
		return err
	}
	g := newGenerator()
	for range n {
		if err := run.Append(g.next(file)); err != nil {
			return err
		}
	}
	if err := run.Close(); err != nil {
		return err
	}
	_, err = w.Commit(context.Background())
	return err
}

// generator makes events like those of a cluster's audit log, from three
// sources.
type generator struct {
	rnd                           *rand.Rand
	micro, off                    int64
	count                         int
	buf                           []byte
	e                             timeline.Event
	users, names, spaces, clients [][]byte
}

func newGenerator() *generator {
	g := &generator{rnd: rand.New(rand.NewPCG(1, 7)), micro: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixMicro()}
	g.users = pool(3000, "system:serviceaccount:team-%d:deployer")
	g.names = pool(40000, "checkout-api-7d9f8b6c5-%05x")
	g.spaces = pool(120, "team-%d")
	for i := range 5000 {
		g.clients = append(g.clients, fmt.Appendf(nil, "10.%d.%d.%d", i/2500, i/250%250, i%250))
	}
	return g
}

func pool(n int, format string) (out [][]byte) {
	for i := range n {
		out = append(out, fmt.Appendf(nil, format, i))
	}
	return out
}

// pick takes some much more often than others.
func (g *generator) pick(p [][]byte) []byte {
	f := g.rnd.Float64()
	return p[int(f*f*float64(len(p)))]
}

func (g *generator) text(f timeline.Field, parts ...string) {
	start := len(g.buf)
	for _, p := range parts {
		g.buf = append(g.buf, p...)
	}
	g.e.Str(f, g.buf[start:len(g.buf):len(g.buf)])
}

func (g *generator) next(file int32) *timeline.Event {
	verbs := []string{"get", "list", "watch", "create", "update", "patch", "delete"}
	kinds := []string{"pods", "secrets", "configmaps", "deployments", "events", "leases", "nodes"}
	sets := []string{"kubernetes.audit_logs", "kubernetes.audit_logs", "kubernetes.audit_logs", "auditd.log", "aws.cloudtrail"}
	status := []int64{200, 200, 200, 200, 201, 404, 403, 409}[g.rnd.IntN(8)]
	e := &g.e
	e.Reset()
	g.buf = g.buf[:0]
	g.micro += 1 + int64(g.rnd.IntN(2000))
	e.Time = timeline.Time{Micros: g.micro}
	verb, kind := verbs[g.rnd.IntN(len(verbs))], kinds[g.rnd.IntN(len(kinds))]
	user, ns, name := g.pick(g.users), g.pick(g.spaces), g.pick(g.names)
	var id [16]byte
	for i := range id {
		id[i] = byte(g.rnd.Uint32())
	}
	g.text(timeline.EventID, hex.EncodeToString(id[:]))
	e.ID = e.GetStr(timeline.EventID)
	e.Const(timeline.EventDataset, sets[g.rnd.IntN(len(sets))])
	e.Str(timeline.EventAction, []byte(verb))
	e.Const(timeline.EventOutcome, map[bool]string{true: "success", false: "failure"}[status < 300])
	e.Str(timeline.UserName, user)
	e.Str(timeline.SourceIP, g.pick(g.clients))
	e.Str(timeline.OrchestratorNamespace, ns)
	e.Str(timeline.OrchestratorResourceType, []byte(kind))
	e.Str(timeline.OrchestratorResourceName, name)
	e.Num(timeline.HTTPStatus, status)
	rare := ""
	if g.count++; g.count%1_000_003 == 5000 {
		rare = " through Quokka-Tunnel"
	}
	g.text(timeline.Message, string(user), " ", verb, " ", kind, " ", string(ns), "/", string(name), ": ", strconv.FormatInt(status, 10), rare)
	e.More([]byte("kubernetes.audit.level"), []byte("Metadata"))
	size := int64(900 + g.rnd.IntN(300))
	e.Raw = append(e.Raw, timeline.RawRef{File: file, Ranges: []timeline.Range{{Offset: g.off, Length: size}}})
	g.off += size
	return e
}
