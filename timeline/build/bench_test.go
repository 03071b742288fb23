package build

import (
	"bytes"
	"testing"

	"amber/timeline/source/all"
	"amber/timeline/source/sourcetest"
)

// BenchmarkBuild builds timelines of generated logs of 200,000 events.
func BenchmarkBuild(b *testing.B) {
	const n = 200_000
	for name, write := range map[string]func(*bytes.Buffer) error{
		"kube-audit": func(w *bytes.Buffer) error { return sourcetest.KubeAudit(w, n, 1) },
		"cloudtrail": func(w *bytes.Buffer) error { return sourcetest.CloudTrail(w, n, 1, false) },
	} {
		var log bytes.Buffer
		if err := write(&log); err != nil {
			b.Fatal(err)
		}
		path := put(b, b.TempDir()+"/log", log.Bytes())
		for _, reference := range []bool{true, false} {
			b.Run(name+map[bool]string{true: "/reference", false: "/kept"}[reference], func(b *testing.B) {
				b.SetBytes(int64(log.Len()))
				before := sourcetest.ProcessorTime(b)
				for range b.N {
					r, err := Build(b.Context(), Options{Case: newCase(b), Paths: []string{path}, Sources: all.Sources(), Reference: reference})
					if err != nil || r.Total.Rows != n {
						b.Fatal(r.Total, err)
					}
				}
				used := sourcetest.ProcessorTime(b) - before
				b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric(float64(b.N)*n/used.Seconds(), "events/cpu-s")
			})
		}
	}
}
