package process

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"amber/collect/process/proc"
	"amber/evidence/record"
)

// mostHoles is the size of holes in bytes beyond which a file is kept by its
// extents, and goes by its process's number and not by its digest.
const mostHoles = 64 << 20

// copied is what became of a file: its place, or why there is none.
type copied struct {
	sha256 string
	member string
	failed error
}

// copyFile adds a file whole as DIR/SHA256, or DIR/NAME where it is mostly
// holes. Its error is the sink's.
func (r *run) copyFile(ctx context.Context, dir, name string, f *proc.File, via string) (copied, error) {
	m := memberOf(f, via)
	if f.Stat.Size-f.Stat.Blocks*512 > mostHoles {
		extents, err := f.Extents(ctx)
		if err != nil {
			return copied{failed: fmt.Errorf("finding its data: %w", err)}, nil
		}
		m.Path, m.Extents = dir+"/"+name, extents
		return copied{member: m.Path}, r.sink.Add(m, f.DataOf(extents))
	}
	sum, err := digest(f)
	if err != nil {
		return copied{failed: fmt.Errorf("hashing it: %w", err)}, nil
	}
	m.Path = dir + "/" + sum
	if r.members[m.Path] {
		return copied{sha256: sum, member: m.Path}, nil
	}
	r.members[m.Path] = true
	f.SeekTo(0)
	return copied{sha256: sum, member: m.Path}, r.sink.Add(m, f)
}

func memberOf(f *proc.File, via string) *record.Member {
	return &record.Member{
		Type: record.File, Mode: f.Stat.Mode & 0o7777, UID: f.Stat.Uid, GID: f.Stat.Gid,
		Links: uint64(f.Stat.Nlink), Inode: f.Stat.Ino, Size: f.Stat.Size,
		Atime: timeOf(f.Stat.Atim), Mtime: timeOf(f.Stat.Mtim), Ctime: timeOf(f.Stat.Ctim),
		ReadAt: time.Now(), Via: via,
	}
}

// digest reads a file from its start to the size that it had when it was
// opened.
func digest(f *proc.File) (string, error) {
	f.SeekTo(0)
	h := sha256.New()
	// Only Read is offered, so that io.Copy's buffer is ours.
	if _, err := io.CopyBuffer(h, io.LimitReader(f, f.Stat.Size), make([]byte, 256<<10)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
