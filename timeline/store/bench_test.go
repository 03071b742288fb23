package store

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"amber/timeline"
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
	before := cpu()
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
	reportSizes(b, dir, b.N)
	reportCPU(b, before)
}

// BenchmarkGenerate is what BenchmarkAppend spends on making events.
func BenchmarkGenerate(b *testing.B) {
	g := newGen(1)
	for range b.N {
		g.next(0)
	}
}

func reportSizes(b *testing.B, dir string, rows int) {
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
		b.ReportMetric(float64(n)/float64(rows), name)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU tells the processor time, which a busy machine changes less.
func reportCPU(b *testing.B, before time.Duration) {
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}

// large is a timeline of AMBER_BENCH_EVENTS events, made once; AMBER_BENCH_DIR
// keeps it.
func large(b *testing.B) string {
	n, err := strconv.Atoi(os.Getenv("AMBER_BENCH_EVENTS"))
	if err != nil || n <= 0 {
		b.Skip("AMBER_BENCH_EVENTS, the number of events (10000000), is not set")
	}
	dir := os.Getenv("AMBER_BENCH_DIR")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "amber-bench-store-"+strconv.Itoa(n))
	}
	if _, err := ReadManifest(dir); err == nil {
		return dir
	}
	w, err := NewWriter(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	start, before := time.Now(), cpu()
	var wg sync.WaitGroup
	for i := range uint64(2) {
		file := w.File(0)
		w.Seal(file, File{Digest: [32]byte{byte(i)}, Size: 1, Source: "bench"})
		r, err := w.Run()
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			g := newGen(i + 1)
			for range n / 2 {
				if err := r.Append(g.next(file)); err != nil {
					b.Error(err)
					return
				}
			}
			if err := r.Close(); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	written := time.Since(start)
	if _, err := w.Commit(context.Background()); err != nil {
		b.Fatal(err)
	}
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	b.Logf("%d events: written in %v, committed in %v more, %v of CPU with the making of the events, peak %d MiB",
		n, written, time.Since(start)-written, cpu()-before, u.Maxrss>>10)
	reportSizes(b, dir, n)
	return dir
}

// ask measures a question on a store just opened, and on one that was asked
// before.
func ask(b *testing.B, question func(*Store) error) {
	dir := large(b)
	run := func(b *testing.B, s *Store) {
		if err := question(s); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("opened", func(b *testing.B) {
		before := cpu()
		for range b.N {
			s, err := Open(dir, OpenOptions{})
			if err != nil {
				b.Fatal(err)
			}
			run(b, s)
			_ = s.Close()
		}
		reportCPU(b, before)
	})
	b.Run("again", func(b *testing.B) {
		s := open(b, dir)
		run(b, s)
		b.ResetTimer()
		before := cpu()
		for range b.N {
			run(b, s)
		}
		reportCPU(b, before)
	})
}

func BenchmarkEntityFirstPage(b *testing.B) {
	e := parse(b, "user.name:system:serviceaccount:team-2222:deployer")
	ask(b, func(s *Store) error {
		_, err := s.Rows(context.Background(), timeline.Ask{Where: e}, "", 100)
		return err
	})
}

func BenchmarkEntityCount(b *testing.B) {
	e := parse(b, "user.name:system:serviceaccount:team-2222:deployer")
	ask(b, func(s *Store) error { _, err := s.Count(context.Background(), e, nil); return err })
}

func BenchmarkTextFirstHits(b *testing.B) {
	e := parse(b, `"update secrets team-1"`)
	ask(b, func(s *Store) error {
		_, err := s.Rows(context.Background(), timeline.Ask{Where: e}, "", 20)
		return err
	})
}

func BenchmarkRareWord(b *testing.B) {
	e := parse(b, "quokka")
	ask(b, func(s *Store) error { _, err := s.Count(context.Background(), e, nil); return err })
}

func BenchmarkHistogram(b *testing.B) {
	ask(b, func(s *Store) error {
		_, err := s.Histogram(context.Background(), nil, 60_000_000, nil)
		return err
	})
}

func BenchmarkFacets(b *testing.B) {
	ask(b, func(s *Store) error {
		_, err := s.Facets(context.Background(), nil, "user.name", 10, nil)
		return err
	})
}
