package store

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkAppend is the cost of a row from an event to a synced segment.
func BenchmarkAppend(b *testing.B) {
	dir := b.TempDir()
	w, err := NewWriter(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	file := w.File(0)
	w.Seal(file, File{Size: 1, Source: "bench"})
	r, err := w.Run()
	if err != nil {
		b.Fatal(err)
	}
	g := newGen(1)
	b.ResetTimer()
	for range b.N {
		if err := r.Append(g.next(file)); err != nil {
			b.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if _, err := w.Commit(context.Background()); err != nil {
		b.Fatal(err)
	}
	reportSizes(b, dir)
}

// BenchmarkGenerate is what BenchmarkAppend spends on making events.
func BenchmarkGenerate(b *testing.B) {
	g := newGen(1)
	for range b.N {
		g.next(0)
	}
}

func reportSizes(b *testing.B, dir string) {
	for sub, name := range map[string]string{segmentsDir: "parquet-B/row", indexDir: "index-B/row"} {
		files, _ := filepath.Glob(filepath.Join(dir, sub, "*"))
		var n int64
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil {
				b.Fatal(err)
			}
			n += info.Size()
		}
		b.ReportMetric(float64(n)/float64(b.N), name)
	}
}
