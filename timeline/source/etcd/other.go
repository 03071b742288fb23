package etcd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"amber/evidence/safetext"
	"amber/timeline"
)

// Other is the source "bbolt": it tells the databases of other programs from
// etcd's, which are no logs and give no rows, and says whose they are.
type Other struct{}

// Name is the source's name.
func (Other) Name() string { return "bbolt" }

// Sniff implements timeline.Source.
func (Other) Sniff(head []byte, _ string) int {
	if names, seen := buckets(head); seen && !isEtcd(names) {
		return 90
	}
	return 0
}

// Records implements timeline.Source: the file is one record that is rejected.
func (Other) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		head := make([]byte, headSize)
		n, _ := io.ReadFull(r, head)
		names, _ := buckets(head[:n])
		rest, err := io.Copy(io.Discard, reader{ctx, r})
		if ctx.Err() != nil {
			yield(timeline.Record{}, ctx.Err())
			return
		}
		told := &timeline.RejectError{Reason: timeline.UnknownFormat, Range: timeline.Range{Length: int64(n) + rest}, Line: 1, Detail: whose(names)}
		if err != nil {
			told.Reason, told.Detail = timeline.Unreadable, err.Error()
		}
		yield(timeline.Record{}, told)
	}
}

// headSize is how much of a file is looked at for its buckets.
const headSize = 64 << 10

// reader stops with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// NewParser implements timeline.Source.
func (Other) NewParser() timeline.Parser { return &parser{} }

// buckets are the names of a database's buckets, where the page that has them is
// seen; of large databases it may stand anywhere.
func buckets(head []byte) (names []string, seen bool) {
	seen = true
	w := &walker{
		ctx: context.Background(), at: bytes.NewReader(head), size: int64(len(head)),
		yield: func(timeline.Record, error) bool { seen = false; return false },
	}
	root, err := w.meta()
	if err != nil {
		return nil, false
	}
	err = w.leaves(root, 0, func(key, _ []byte, flags uint32, _ int64) error {
		if flags&isBucket != 0 && len(names) < 16 {
			names = append(names, string(key))
		}
		return nil
	})
	return names, seen && err == nil
}

// isEtcd knows etcd's by its bucket of revisions and one other of its own.
func isEtcd(names []string) bool {
	return has(names, "key") && (len(names) == 1 || has(names, "meta") || has(names, "lease") || has(names, "members"))
}

func has(names []string, want string) bool {
	for _, n := range names {
		if n == want {
			return true
		}
	}
	return false
}

// whose says which program's a database is, by its buckets.
func whose(names []string) string {
	owner := "no etcd's"
	switch {
	case has(names, "_main") || has(names, "_index"):
		owner = "BuildKit's"
	case has(names, "libnetwork"):
		owner = "dockerd's of networks"
	case has(names, "volumes"):
		owner = "dockerd's of volumes"
	case has(names, "v1") || has(names, "version"):
		owner = "containerd's"
	}
	var safe []string
	for _, n := range names {
		safe = append(safe, safetext.Line(n))
	}
	return fmt.Sprintf("a bbolt database, %s, and no log; its buckets: %s", owner, strings.Join(safe, ", "))
}
