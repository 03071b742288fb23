package correlate_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/source/sourcetest"
)

// rows is a timeline of n events that are made when they are asked for, so that
// what is measured is the joining alone: a third each of requests to the API
// server, of programs that are run, and of calls to the cloud. Users, pods and
// addresses are those of a large cluster; tokens, sessions and processes go on
// being new.
type rows struct {
	timeline.Store
	n int64
}

func (s rows) Rows(ctx context.Context, a timeline.Ask, from timeline.Cursor, n int) (timeline.Page, error) {
	at, _ := strconv.ParseInt(string(from), 10, 64)
	where := a.Where.String()
	values := s.process
	switch {
	case strings.Contains(where, "kubernetes"):
		values = s.kube
	case strings.Contains(where, "cloudtrail"):
		values = s.cloud
	case !strings.Contains(where, "auditd"):
		return timeline.Page{}, ctx.Err()
	}
	page := timeline.Page{Rows: []timeline.Row{}}
	for ; at < s.n/3 && len(page.Rows) < n; at++ {
		r := timeline.Row{Time: timeline.Time{Micros: 1_772_359_200_000_000 + at*10_000}, Values: values(at)}
		copy(r.ID[:], strconv.AppendInt(nil, at*3, 16))
		page.Rows = append(page.Rows, r)
	}
	if at < s.n/3 {
		page.Next = timeline.Cursor(strconv.FormatInt(at, 10))
	}
	return page, ctx.Err()
}

// mixed makes a number that looks random of another.
func mixed(i int64) int64 { return int64(uint64(i*0x1e3779b97f4a7c15)>>33) & 0x7fffffff }

func (s rows) kube(i int64) map[string]any {
	m := mixed(i)
	ns := fmt.Sprintf("team-%d", m%60)
	pod := fmt.Sprintf("app-%d", m%20_000)
	v := map[string]any{
		"event.dataset": "kubernetes.audit_logs", "event.action": "get", "event.outcome": "success", "user.name": "system:serviceaccount:" + ns + ":default",
		"source.ip": fmt.Sprintf("10.%d.%d.%d", m%7, m/7%100, m/700%250), "orchestrator.namespace": ns, "orchestrator.resource.type": "pods", "orchestrator.resource.name": pod,
		"kubernetes.audit.user.extra.authentication_kubernetes_io/credential-id": fmt.Sprintf("JTI=%x", i/20),
		"kubernetes.audit.user.extra.authentication_kubernetes_io/pod-name":      pod,
	}
	switch {
	case i%500 == 0:
		v["event.action"], v["process.command_line"], v["container.name"] = "exec", fmt.Sprintf("/bin/sh -c 'step %d'", i), "c"
	case i%100 == 0:
		v["event.action"] = "update"
	}
	return v
}

func (s rows) process(i int64) map[string]any {
	m := mixed(i)
	return map[string]any{
		"event.dataset": "auditd.log", "event.action": "executed", "event.outcome": "success", "host.name": fmt.Sprintf("node-%d", m%200),
		"process.pid": 1000 + m%400_000, "process.parent.pid": 1 + m%1000, "process.executable": fmt.Sprintf("/usr/bin/tool-%d", m%500),
		"process.command_line": fmt.Sprintf("tool-%d --job %d", m%500, i),
	}
}

func (s rows) cloud(i int64) map[string]any {
	m := mixed(i)
	return map[string]any{
		"event.dataset": "aws.cloudtrail", "event.action": "GetObject", "event.outcome": "success", "user.name": fmt.Sprintf("role-%d", m%300), "user.roles": []string{fmt.Sprintf("role-%d", m%300)},
		"cloud.service.name": "s3", "source.ip": fmt.Sprintf("198.51.%d.%d", m%100, m/100%250),
		"aws.cloudtrail.user_identity.access_key_id": fmt.Sprintf("ASIA%012d", i/30), "aws.cloudtrail.user_identity.session_name": fmt.Sprintf("s-%d", i/30),
	}
}

// BenchmarkBuild joins a million events, and with AMBER_BENCH_ALL ten million,
// under the limit of memory that the command sets itself.
func BenchmarkBuild(b *testing.B) {
	debug.SetMemoryLimit(640 << 20)
	sizes := []int64{1_000_000}
	if os.Getenv("AMBER_BENCH_ALL") != "" {
		sizes = append(sizes, 10_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				before := sourcetest.ProcessorTime(b)
				g, err := correlate.Build(b.Context(), rows{n: n})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(n)/(sourcetest.ProcessorTime(b)-before).Seconds(), "events/cpu-s")
				b.ReportMetric(float64(len(g.Links)), "links")
				var lost int64
				for _, l := range g.Lost {
					lost += l.Count
				}
				b.ReportMetric(float64(lost), "beyond-bounds")
				b.ReportMetric(peak(b), "peak-MiB")
				runtime.KeepAlive(g)
			}
		})
	}
}

// peak is the most memory that the process ever had.
func peak(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
