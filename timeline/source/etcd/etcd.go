// Package etcd reads the database of an etcd that keeps a Kubernetes cluster: a
// snapshot (etcdctl snapshot save), or a member's member/snap/db. Each revision
// of an object that is not compacted yet is a row: what it was, when, and by
// whose hand it became so. Nothing that is in the file is run, mapped or trusted:
// pages are read one at a time and checked.
//
// etcd knows no times. A row's is that of the object's creation, or the latest of
// its managed fields. Where it has neither, as of what was deleted, it is the
// latest time of any revision before it, tagged time-inferred: revisions are
// numbered in order, and leases are renewed every few seconds.
package etcd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"amber/timeline"
)

// Source is the source "etcd".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "etcd" }

// Sniff implements timeline.Source. Other programs keep such files too (Other);
// where the page with the buckets is not seen the reading tells.
func (Source) Sniff(head []byte, _ string) int {
	if len(head) <= 24 || binary.LittleEndian.Uint32(head[16:]) != magic || binary.LittleEndian.Uint32(head[20:]) != version {
		return 0
	}
	switch names, seen := buckets(head); {
	case seen && isEtcd(names):
		return 97
	case seen:
		return 0
	}
	return 75
}

// Records implements timeline.Source. A database is no stream: it is laid down in
// a file without a name while it is read.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		f, size, err := spool(ctx, r)
		if err != nil {
			yield(timeline.Record{}, unreadable(err))
			return
		}
		defer f.Close()
		w := &walker{ctx: ctx, at: f, size: size, yield: yield}
		if err := w.run(); err != nil && !errors.Is(err, errStop) {
			if ctx.Err() != nil {
				yield(timeline.Record{}, ctx.Err())
				return
			}
			yield(timeline.Record{}, err)
		}
	}
}

func unreadable(err error) error {
	var told *timeline.RejectError
	if errors.As(err, &told) {
		return told
	}
	return &timeline.RejectError{Reason: timeline.Unreadable, Detail: err.Error()}
}

// spool lays a stream down in a file that nobody else can open.
func spool(ctx context.Context, r io.Reader) (*os.File, int64, error) {
	f, err := os.CreateTemp("", "amber-etcd-")
	if err != nil {
		return nil, 0, err
	}
	err = os.Remove(f.Name())
	var size int64
	buf := make([]byte, 256<<10)
	for err == nil && ctx.Err() == nil {
		var n int
		n, err = r.Read(buf)
		if n > 0 {
			if _, werr := f.Write(buf[:n]); werr != nil {
				return nil, 0, errors.Join(werr, f.Close())
			}
			size += int64(n)
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, errors.Join(fmt.Errorf("laying the database down: %w", err), f.Close())
	}
	return f, size, nil
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{} }
