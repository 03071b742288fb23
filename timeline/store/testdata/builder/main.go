// Command builder adds events to the timeline in a directory: the one that a
// test of crashes kills.
//
//	builder DIR FIRST LAST
//
// Without events, the last being the first, it compacts the timeline.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"amber/timeline"
	"amber/timeline/store"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir, from, to string) error {
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	w, err := store.NewWriter(dir, store.Options{RunRows: 1024})
	if err != nil {
		return err
	}
	if first == last {
		_, _, err := w.Compact(context.Background())
		return err
	}
	file := w.File(0)
	w.Seal(file, store.File{Digest: [32]byte{byte(first), byte(last)}, Size: 1, Source: "test"})
	r, err := w.Run()
	if err != nil {
		return err
	}
	var e timeline.Event
	for n := first; n < last; n++ {
		e.Reset()
		e.Time = timeline.Time{Micros: int64(n) * 1000}
		e.ID = fmt.Append(nil, n)
		e.Str(timeline.Message, fmt.Appendf(nil, "event %d", n))
		e.Raw = append(e.Raw, timeline.RawRef{File: file, Ranges: []timeline.Range{{Offset: int64(n), Length: 1}}})
		if err := r.Append(&e); err != nil {
			return err
		}
	}
	if err := r.Close(); err != nil {
		return err
	}
	_, err = w.Commit(context.Background())
	return err
}
