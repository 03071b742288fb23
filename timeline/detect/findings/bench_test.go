package findings_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"amber/evidence/casedir"
	"amber/timeline/build"
	"amber/timeline/detect"
	"amber/timeline/detect/findings"
	"amber/timeline/detect/rules"
	"amber/timeline/detect/sigma"
	"amber/timeline/source/all"
	"amber/timeline/source/sourcetest"
)

// many makes n rules after the manner of those that are published, for both
// logs: most name what was called, and then some of what was asked for.
func many(n int) fstest.MapFS {
	r := rand.New(rand.NewPCG(1, 2))
	of := func(list ...string) string { return list[r.IntN(len(list))] }
	files := fstest.MapFS{}
	for i := range n {
		var log, detection string
		switch i % 3 {
		case 0:
			log = "product: aws\n  service: cloudtrail"
			detection = fmt.Sprintf("sel:\n    eventSource: %s.amazonaws.com\n    eventName: %s%s%d\n  also:\n    requestParameters.x%d|contains: v%d\n  condition: sel or (sel and also)",
				of("s3", "ec2", "iam", "kms"), of("Put", "Get", "Create"), of("Object", "Role", "Key"), i%40, i%7, i)
		case 1:
			log = "product: kubernetes\n  service: audit"
			detection = fmt.Sprintf("sel:\n    verb: [%s, %s]\n    objectRef.resource: %s\n  more:\n    requestObject.spec.field%d|startswith: ['a%d', 'b']\n  no:\n    user.username|contains: 'system:node%d'\n  condition: sel and more and not no",
				of("create", "update"), of("patch", "get"), of("pods", "secrets", "configmaps", "leases", "nodes"), i%9, i, i%5)
		case 2:
			log = "product: aws\n  service: cloudtrail"
			detection = fmt.Sprintf("sel:\n    eventName|startswith: %s%d\n    userIdentity.type: AssumedRole\n    sourceIPAddress|cidr: 192.0.%d.0/24\n  condition: sel", of("Put", "Get", "Describe"), i, i%250)
		}
		files[fmt.Sprintf("r%03d.yml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil,
			"title: Rule %d\nid: 00000000-0000-4000-8000-%012d\nstatus: test\nlevel: medium\nlogsource:\n  %s\ndetection:\n  %s\n", i, i, log, detection)}
	}
	return files
}

func load(tb testing.TB, name string, files ...fstest.MapFS) findings.RuleSet {
	tb.Helper()
	r := sigma.Load(rules.FS())
	if len(files) > 0 {
		r = sigma.Load(files[0])
	}
	for _, p := range r.Problems {
		if p.Severity != detect.Doubtful {
			tb.Fatalf("%s:%d: %s %v", p.Path, p.Line, p.Reason, p.Fields)
		}
	}
	set, err := findings.NewRuleSet(name, r)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func newCase(tb testing.TB) *casedir.Case {
	tb.Helper()
	c, err := casedir.Create(filepath.Join(tb.TempDir(), "case"), "t", nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// BenchmarkBuild builds timelines of generated logs without rules, with amber's
// own, and with 500 others, in turn, so that all meet the same machine. Ratios
// are of processor time.
func BenchmarkBuild(b *testing.B) {
	const n = 200_000
	own, other := load(b, "amber"), load(b, "many", many(500))
	for name, write := range map[string]func(*bytes.Buffer) error{
		"kube-audit": func(w *bytes.Buffer) error { return sourcetest.KubeAudit(w, n, 1) },
		"cloudtrail": func(w *bytes.Buffer) error { return sourcetest.CloudTrail(w, n, 1, false) },
	} {
		var log bytes.Buffer
		if err := write(&log); err != nil {
			b.Fatal(err)
		}
		path := filepath.Join(b.TempDir(), "log")
		if err := os.WriteFile(path, log.Bytes(), 0o600); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			used := [3]float64{}
			one := func(i int, watch func(*casedir.Case) build.Watcher) {
				c := newCase(b)
				before := sourcetest.ProcessorTime(b)
				r, err := build.Build(b.Context(), build.Options{Case: c, Paths: []string{path}, Sources: all.Sources(), Reference: true, Watch: watch(c)})
				if err != nil || r.Total.Rows != n {
					b.Fatal(r.Total, err)
				}
				used[i] += (sourcetest.ProcessorTime(b) - before).Seconds()
			}
			for range b.N {
				one(0, func(*casedir.Case) build.Watcher { return nil })
				one(1, func(c *casedir.Case) build.Watcher { return findings.NewDetector(build.Dir(c), own) })
				one(2, func(c *casedir.Case) build.Watcher { return findings.NewDetector(build.Dir(c), other) })
			}
			for i, what := range []string{"without", "own", "500"} {
				b.ReportMetric(float64(b.N)*n/used[i], what+"-events/cpu-s")
			}
			b.ReportMetric(used[1]/used[0], "own/without")
			b.ReportMetric(used[2]/used[0], "500/without")
		})
	}
}
