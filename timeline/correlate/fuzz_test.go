package correlate_test

import (
	"context"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/correlate"
)

// few is a timeline of a few rows.
type few struct {
	timeline.Store
	list []timeline.Row
}

func (s few) Rows(_ context.Context, a timeline.Ask, _ timeline.Cursor, _ int) (page timeline.Page, err error) {
	where := a.Where.String()
	for _, r := range s.list {
		if strings.Contains(where, r.Values["event.dataset"].(string)) {
			page.Rows = append(page.Rows, r)
		}
	}
	return page, nil
}

// Whatever is in the fields, joining ends, and gives links of entities that are
// there, in order, each with a reason.
func FuzzBuild(f *testing.F) {
	f.Add("kubernetes.audit_logs", "exec", "system:serviceaccount:a:b", "web", "/bin/sh -c 'id'", "10.0.0.1", int64(7), int64(7))
	f.Add("auditd.log", "executed", "root", "n", "runc exec "+strings.Repeat("ab", 32), "::1", int64(1), int64(2))
	f.Add("cilium_tetragon.log", "wrote-to-file", "x", "/tmp/x", "sh /tmp/x", "fe80::1%eth0", int64(-1), int64(1<<40))
	f.Add("aws.cloudtrail", "AssumeRoleWithWebIdentity", "p.svc.id.goog[a/b]", "arn:aws:sts::1:assumed-role/r/s", `[{"key":"kubernetes-namespace","value":"x"}]`, "a", int64(0), int64(0))
	f.Add("gcp.audit", "GenerateAccessToken", "p.svc.id.goog[a/b]", "x.svc.id.goog/subject/ns/a/sa/b", "keys/k", "192.0.2.1", int64(0), int64(0))
	f.Add("azure.activitylogs", "x", "app", "token", "c", "192.0.2.1", int64(0), int64(0))
	f.Add("amber.process", "process-started", "eks-a-b-0123456789012345678901234567890123456", "b", "c", "255.255.255.255", int64(3), int64(3))
	f.Fuzz(func(t *testing.T, dataset, action, who, what, text, ip string, pid, ppid int64) {
		var list []timeline.Row
		for i := range int64(4) {
			v := map[string]any{}
			for n, field := range correlate.Fields() {
				v[field] = []string{who, what, text, ip}[(n+int(i))%4]
			}
			v["event.dataset"], v["event.action"], v["process.pid"], v["process.parent.pid"], v["destination.port"] = dataset, action, pid+i%2, ppid, pid
			r := timeline.Row{Time: timeline.Time{Micros: i * ppid}, Values: v}
			r.ID[0] = byte(i)
			list = append(list, r)
			correlate.Mentions(r)
		}
		g, err := correlate.Build(t.Context(), few{list: list})
		if err != nil {
			t.Fatal(err)
		}
		for i := range g.Links {
			l := &g.Links[i]
			if l.From < 0 || l.To < 0 || l.From >= len(g.Entities) || l.To >= len(g.Entities) || l.Why == "" || len(l.Rows()) == 0 || int64(len(l.Rows())) > l.Count {
				t.Fatalf("%+v", l)
			}
		}
		for i, e := range g.Entities {
			if at, ok := g.Find(e.Ref); !ok || at != i {
				t.Fatalf("%s is not found", e.Ref)
			}
			g.ProcessForest(e.Ref, 10)
			g.Of(i)
		}
		for _, r := range list {
			g.Around(r)
			g.Origin(r)
		}
	})
}
