package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	verifyRuns = 5
	deepRuns   = 3

	leastSpeed = 0.9         // of sha256sum's, on as many cores
	leastDeep  = 700_000_000 // plain bytes a second
)

// verify checks the full bundle beside tools that read as much.
func (b *bench) verify() error {
	if err := b.needFull(); err != nil {
		return err
	}
	dir := filepath.Join(b.kept.Dir, "blobs", "sha256")
	stored, err := sizeOf(dir)
	if err != nil {
		return err
	}
	b.table.head("7. evidence verify of the full bundle | sha256sum of its blobs, on as many cores")
	a, o, err := b.inTurn(verifyRuns,
		[]string{b.exe, "evidence", "verify", "--case", b.kept.Case, b.kept.ID},
		[]string{"sh", "-c", `printf '%s\0' "$0"/* | xargs -0 -n 1 -P "$1" sha256sum`, dir, fmt.Sprint(runtime.NumCPU())})
	if err != nil {
		return err
	}
	// 90 % of its speed is 1/0.9 of its time.
	b.table.beside(fmt.Sprintf("%s stored, median of %d", mib(stored), verifyRuns), a, o, 1/leastSpeed)
	b.table.other("  which is", rate(stored, a), rate(stored, o))
	// Segments are read in any order here: what counts is the work.
	deep, stock, err := b.inTurn(deepRuns,
		[]string{b.exe, "evidence", "verify", "--deep", "--case", b.kept.Case, b.kept.ID},
		[]string{"sh", "-c", `for f in "$0"/*; do test "$(head -c 4 "$f" | od -An -tx4)" = " fd2fb528" && zstd -dc "$f"; done | sha256sum`, dir})
	if err != nil {
		return err
	}
	b.table.beside(fmt.Sprintf("--deep, %s plain, median of %d | zstd -d | sha256sum", mib(b.kept.Plain), deepRuns), deep, stock, 0)
	b.table.other("  which is", rate(b.kept.Plain, deep), rate(b.kept.Plain, stock))
	b.table.line("  of plain bytes", rate(b.kept.Plain, deep), fmt.Sprintf("≥ %d MB/s, %s", leastDeep/1_000_000, met(float64(b.kept.Plain)/deep.Seconds() >= leastDeep)))
	return nil
}

// inTurn gives the medians of two commands.
func (b *bench) inTurn(n int, first, second []string) (time.Duration, time.Duration, error) {
	var times [2][]time.Duration
	for range n {
		for i, argv := range [][]string{first, second} {
			s, err := b.run(b.command(argv[0], argv[1:]...))
			if err != nil {
				return 0, 0, err
			}
			times[i] = append(times[i], s.Wall)
		}
	}
	return median(times[0]), median(times[1]), nil
}

// sizeOf is the size of the files in a directory.
func sizeOf(dir string) (n int64, err error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			return 0, err
		}
		n += info.Size()
	}
	return n, nil
}

// start is what it costs to have amber at all.
func (b *bench) start() error {
	info, err := os.Stat(b.exe)
	if err != nil {
		return err
	}
	ctr, err := os.Stat(filepath.Join(b.bed.Bin, "ctr"))
	if err != nil {
		return err
	}
	a, o, err := b.inTurn(20, []string{b.exe, "--version"}, []string{filepath.Join(b.bed.Bin, "ctr"), "--version"})
	if err != nil {
		return err
	}
	b.table.head("8. the binary: amber | ctr")
	b.table.other("size", mib(info.Size()), mib(ctr.Size()))
	b.table.beside("--version, median of 20", a, o, 0)
	return nil
}
