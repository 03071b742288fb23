package tree

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// discard reads what is there and keeps nothing.
func discard(b *testing.B, dir string, still bool) {
	buf := make([]byte, 1<<20)
	n := 0
	w := Walk{Prefix: "fs", Still: still, Miss: func(p string, err error) error { return err }, Visit: func(e *Entry) error {
		n++
		if e.Body == nil {
			return nil
		}
		for {
			if _, err := e.Body.Read(buf); err == io.EOF {
				break
			} else if err != nil {
				return err
			}
		}
		e.Body.(interface{ After() []string }).After()
		return nil
	}}
	for b.Loop() {
		n = 0
		root, err := os.Open(dir)
		must(b, err)
		must(b, w.Run(context.Background(), int(root.Fd())))
		root.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n)/1000, "µs/entry")
}

func fill(b *testing.B, files, size int) string {
	dir := b.TempDir()
	data := make([]byte, size)
	for i := range files {
		if i%500 == 0 {
			must(b, os.Mkdir(filepath.Join(dir, fmt.Sprint("d", i/500)), 0o755))
		}
		must(b, os.WriteFile(filepath.Join(dir, fmt.Sprint("d", i/500), fmt.Sprint("f", i)), data, 0o600))
	}
	return dir
}

func BenchmarkSmallFiles(b *testing.B) {
	dir := fill(b, 100_000, 600)
	for _, still := range []bool{false, true} {
		b.Run(fmt.Sprint("still=", still), func(b *testing.B) { discard(b, dir, still) })
	}
}

func BenchmarkOrdinaryFiles(b *testing.B) {
	dir := fill(b, 25_000, 43_000)
	for _, still := range []bool{false, true} {
		b.Run(fmt.Sprint("still=", still), func(b *testing.B) {
			b.SetBytes(25_000 * 43_000)
			discard(b, dir, still)
		})
	}
}
