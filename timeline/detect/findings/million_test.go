package findings

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"amber/timeline"
	"amber/timeline/detect/hits"
	"amber/timeline/detect/sigma"
)

const manyHits = `
title: Refused
id: 00000000-0000-4000-8000-0000000000a1
name: refused
logsource: {product: kubernetes, service: audit}
detection: {sel: {responseStatus.code: 403}, condition: sel}
---
title: Read
id: 00000000-0000-4000-8000-0000000000a2
name: reading
logsource: {product: kubernetes, service: audit}
detection: {sel: {verb: get}, condition: sel}
---
title: Much refused
id: 00000000-0000-4000-8000-0000000000b1
correlation: {type: event_count, rules: [refused], group-by: [user.username], timespan: 5m, condition: {gte: 50}}
---
title: In many namespaces
id: 00000000-0000-4000-8000-0000000000b2
correlation: {type: value_count, rules: [refused], group-by: [user.username], timespan: 1h, condition: {field: objectRef.namespace, gte: 15}}
---
title: Refused and read
id: 00000000-0000-4000-8000-0000000000b3
correlation: {type: temporal, rules: [refused, reading], group-by: [user.username], timespan: 1s}
---
title: Refused, then read
id: 00000000-0000-4000-8000-0000000000b4
correlation: {type: temporal_ordered, rules: [refused, reading], group-by: [user.username], timespan: 1s}
---
title: All of a day in one
id: 00000000-0000-4000-8000-0000000000b5
correlation: {type: event_count, rules: [refused, reading], timespan: 365d, condition: {gte: 10}}
`

// BenchmarkCorrelate correlates hits of which every one counts in three rules,
// among twenty thousand users. AMBER_HITS says how many millions; it reports the
// most memory that the process had.
func BenchmarkCorrelate(b *testing.B) {
	n := int64(200_000)
	if v, err := strconv.ParseInt(os.Getenv("AMBER_HITS"), 10, 64); err == nil {
		n = v * 1_000_000
	}
	r := sigma.Load(fstest.MapFS{"r.yml": {Data: []byte(manyHits)}})
	set, err := NewRuleSet("many", r)
	if err != nil || len(set.Problems) > 0 || len(set.Correlations) != 5 {
		b.Fatal(set.Problems, err)
	}
	for b.Loop() {
		d := NewDetector(b.TempDir(), set)
		if err := os.MkdirAll(filepath.Join(d.dir, buildingName), 0o700); err != nil {
			b.Fatal(err)
		}
		d.sorter = hits.NewSorter(filepath.Join(d.dir, buildingName), "hits", memory)
		began := time.Now()
		generate(b, d, n)
		p, err := d.batch()
		if err != nil || p.Records != n {
			b.Fatal(p, err)
		}
		sorted := time.Since(began)
		s := setState{Batches: []part{*p}}
		if err := d.correlate(b.Context(), &s); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(sorted.Seconds(), "s-sorting")
		b.ReportMetric((time.Since(began) - sorted).Seconds(), "s-correlating")
		b.ReportMetric(float64(s.Correlated.Records), "findings")
	}
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(u.Maxrss)/1024, "MiB-most")
	b.ReportMetric(float64(n), "hits")
}

// generate adds hits, not in order.
func generate(b *testing.B, d *Detector, n int64) {
	b.Helper()
	runtime.GC()
	var body, sealed []byte
	p := payload{values: make([][]string, 2)}
	for i := range n {
		user := fmt.Sprintf("user-%d", i*7919%20_011)
		p.values[0], p.values[1] = []string{"ns-" + strconv.FormatInt(i*31%60, 10)}, []string{user}
		rule := int32(i * 13 % 2)
		if rule == 1 {
			p.values = p.values[:1]
			p.values[0] = []string{user}
		}
		p.entities = append(p.entities[:0], "user.name:"+user, "source.ip:10.0."+strconv.FormatInt(i%200, 10)+".1", "orchestrator.namespace:ns")
		body = p.hit(body[:0])
		sealed = seal(sealed[:0], body, nil)
		var id timeline.RowID
		binary.BigEndian.PutUint64(id[:], uint64(i)*0x9E3779B97F4A7C15)
		at := timeline.Time{Micros: (i ^ 0x3f) * 5000}
		if err := d.sorter.Add(hits.NewKey(at, id, rule), sealed); err != nil {
			b.Fatal(err)
		}
		p.values = p.values[:2]
	}
	if strings.Join(d.needs[0], " ") != "objectRef.namespace user.username" || strings.Join(d.needs[1], " ") != "user.username" {
		b.Fatal(d.needs)
	}
}
