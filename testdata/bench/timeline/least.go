package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"amber/timeline/source/jsonscan"
)

// least measures what no build can do without, by itself: the JSON is looked
// through once, and the file is hashed. What DuckDB takes to read the columns
// alone, without sorting or writing them, stands beside.
func (b *bench) least() error {
	for _, l := range b.logs {
		var scanned, hashed, read []time.Duration
		for range b.rounds {
			took, err := timed(func() error { return scan(l.path, l.size) })
			if err != nil {
				return err
			}
			scanned = append(scanned, took)
			if took, err = timed(func() error { return digest(l.path) }); err != nil {
				return err
			}
			hashed = append(hashed, took)
			replies, _, err := b.duck(statement{SQL: readOnly(l.sql)})
			if err != nil {
				return err
			}
			read = append(read, replies[0].time())
		}
		rate := func(times []time.Duration) float64 { return float64(b.events) / median(times).Seconds() }
		show := func(perSecond float64) string { return fmt.Sprintf("%.0f k/s", perSecond/1e3) }
		both := 1 / (1/rate(scanned) + 1/(threads*rate(hashed)))
		b.table.head(fmt.Sprintf("the least that a build does, %s (events a second; median of %d)", l.name, b.rounds))
		b.table.line(fmt.Sprintf("JSON looked through, nothing kept, %d threads | DuckDB reads the columns", threads), show(rate(scanned)), show(rate(read)), fmt.Sprintf("%.2f", rate(scanned)/rate(read)), "")
		b.table.line("the file's SHA-256, one thread", show(rate(hashed)), "", "", "")
		b.table.line("both of these on two cores: no build of amber's is faster", show(both), "", "", "")
	}
	return nil
}

func timed(f func() error) (time.Duration, error) {
	begun := time.Now()
	err := f()
	return time.Since(begun), err
}

// readOnly is a statement's reading without its sorting and writing: every
// column of every row is hashed.
func readOnly(sql string) string {
	_, from, _ := strings.Cut(sql, "\nFROM ")
	from, _, _ = strings.Cut(from, "\nORDER BY")
	return "SELECT bit_xor(hash(t)) FROM " + from + " t"
}

func digest(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.CopyBuffer(struct{ io.Writer }{sha256.New()}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	return err
}

// scan looks through all lines, each thread through a part of them.
func scan(path string, size int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	errs := make([]error, threads)
	var done sync.WaitGroup
	for i := range int64(threads) {
		done.Go(func() { errs[i] = scanLines(f, size*i/threads, size*(i+1)/threads) })
	}
	done.Wait()
	return errors.Join(errs...)
}

// scanLines looks through the lines that begin between two offsets.
func scanLines(f *os.File, from, to int64) error {
	r := bufio.NewReaderSize(io.NewSectionReader(f, from, 1<<62), 1<<20)
	if from > 0 { // the line that began before is the other's
		rest, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		from += int64(len(rest))
	}
	var s jsonscan.Scanner
	for from < to {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		from += int64(len(line))
		s.Reset(line)
		s.Skip()
		if err := s.End(); err != nil {
			return fmt.Errorf("%s at %d: %w", f.Name(), from, err)
		}
	}
	return nil
}
