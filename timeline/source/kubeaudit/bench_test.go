package kubeaudit

import (
	"bytes"
	"testing"

	"amber/timeline/source/sourcetest"
)

func BenchmarkParse(b *testing.B) {
	const n = 20_000
	var log bytes.Buffer
	if err := sourcetest.KubeAudit(&log, n, 1); err != nil {
		b.Fatal(err)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), sourcetest.KubeCardinality(n))
}
