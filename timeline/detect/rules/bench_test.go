package rules_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline/detect"
	"amber/timeline/detect/fields"
)

// BenchmarkPack is what the pack costs on what goes on each day: records are
// read and parsed in both cases, and matched in one.
func BenchmarkPack(b *testing.B) {
	for _, source := range []string{"kube-audit", "cloudtrail", "tetragon", "auditd"} {
		names, err := filepath.Glob("testdata/everyday/" + source + "*")
		if err != nil || len(names) != 1 {
			b.Fatal(names, err)
		}
		text, err := os.ReadFile(names[0])
		if err != nil {
			b.Fatal(err)
		}
		text = []byte(strings.Repeat(string(text), 200))
		for _, with := range []string{"read", "read and matched"} {
			b.Run(source+"/"+with, func(b *testing.B) {
				ev, events := compiled().Evaluator(), 0
				for b.Loop() {
					err := fields.Read(sources[source], bytes.NewReader(text), func(v *fields.View) {
						events++
						if with != "read" {
							ev.Match(v, func(int32, detect.Matcher) {})
						}
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
			})
		}
	}
}
