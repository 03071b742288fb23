package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protowire"

	"amber/container"
	"amber/evidence/record"
)

// named puts a suffix before a name's extension.
func named(name, suffix string) string {
	ext := filepath.Ext(name)
	return strings.TrimSuffix(name, ext) + suffix + ext
}

// errNoLog says that a try failed before CRIU wrote its log: that is no miss
// beside the try's own.
var errNoLog = errors.New("CRIU left no log")

// keepLog adds CRIU's log, and gives its text. failed is what became of the try.
func (r *run) keepLog(path string, failed error) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, size, err := openPlain(path)
	if failed != nil && errors.Is(err, fs.ErrNotExist) {
		return nil, errNoLog
	}
	if err != nil {
		return nil, r.sink.Miss(named(logName, r.suffix), fmt.Errorf("CRIU's log: %w", err))
	}
	defer f.Close()
	from := max(0, size-maxLog)
	text, err := io.ReadAll(io.NewSectionReader(f, from, size-from))
	if err != nil {
		return nil, r.sink.Miss(named(logName, r.suffix), fmt.Errorf("CRIU's log: %w", err))
	}
	r.rec.CRIU = versionOf(text)
	return text, r.add(named(logName, r.suffix), f, size)
}

// keep adds what was made. failed is why it is of no use; err the sink's.
func (r *run) keep(ctx context.Context, done container.Checkpointed) (failed, err error) {
	if done.Archive != "" {
		return r.keepArchive(done)
	}
	entries, err := os.ReadDir(done.Images)
	if err != nil {
		return fmt.Errorf("reading CRIU's images: %w", err), nil
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err, nil
		}
		if err := r.keepImage(done.Images, e.Name()); err != nil {
			return nil, err
		}
	}
	if _, err := os.Lstat(filepath.Join(done.Images, "inventory.img")); err != nil {
		return errors.New("CRIU ended well and left no inventory"), nil
	}
	r.made = true
	if err := r.keepStats(filepath.Join(filepath.Dir(done.Log), "stats-dump")); err != nil {
		return nil, err
	}
	return nil, r.keepDumps()
}

// maxStats is the bound of CRIU's statistics in bytes; they have about 60.
const maxStats = 64 << 10

// keepStats adds CRIU's own count of what it took.
func (r *run) keepStats(path string) error {
	f, size, err := openPlain(path)
	if err != nil {
		return nil //nolint:nilerr // a CRIU that writes none
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, min(size, maxStats)))
	if err != nil {
		return r.sink.Miss(dir+"stats-dump", err)
	}
	r.rec.FrozenUsec = frozenTime(b)
	return r.add(dir+"stats-dump", bytes.NewReader(b), int64(len(b)))
}

// frozenTime is the dump's frozen_time in CRIU's statistics (stats.proto): two
// magic words, a length, and an entry whose first field holds it as its second.
func frozenTime(b []byte) int64 {
	const head = 12
	if len(b) < head {
		return 0
	}
	dump, _ := protowire.ConsumeBytes(field(b[head:], 1))
	n, _ := protowire.ConsumeVarint(field(dump, 2))
	return int64(min(n, 1<<53))
}

// field is what follows the tag of a field of a message; empty where it has
// none.
func field(b []byte, want protowire.Number) []byte {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		if num == want {
			return b[n:]
		}
		skip := protowire.ConsumeFieldValue(num, kind, b[n:])
		if skip < 0 {
			return nil
		}
		b = b[n+skip:]
	}
	return nil
}

// keepImage moves one image into the bundle: its room on the disk is given
// back at once.
func (r *run) keepImage(dir, name string) error {
	path := filepath.Join(dir, name)
	f, size, err := openPlain(path)
	if err != nil {
		return r.sink.Miss(imagesDir+name, err)
	}
	defer f.Close()
	if err := r.add(imagesDir+name, f, size); err != nil {
		return err
	}
	r.rec.Images++
	r.rec.Bytes += size
	return os.Truncate(path, 0)
}

// keepArchive adds the runtime's own archive byte for byte, and takes it away
// where it was.
func (r *run) keepArchive(done container.Checkpointed) (failed, err error) {
	f, size, err := openPlain(done.Archive)
	if err != nil {
		r.rec.Left = append(r.rec.Left, done.Archive)
		return fmt.Errorf("reading the archive that %s made: %w", done.Via, err), nil
	}
	defer f.Close()
	r.rec.Archive, r.rec.ArchiveAt, r.rec.Images, r.rec.Bytes = archive, done.Archive, 1, size
	if err := r.add(archive, f, size); err != nil {
		return nil, err
	}
	r.made = true
	if err := os.Remove(done.Archive); err != nil {
		r.rec.Left = append(r.rec.Left, done.Archive)
		return nil, r.sink.Miss("checkpoint/left", fmt.Errorf("the archive is left in the runtime's folder: %w", err))
	}
	r.rec.Removed = append(r.rec.Removed, done.Archive)
	return nil, nil
}

// configDump is what checkpointctl and Podman know a checkpoint's container by
// (checkpoint-restore/checkpointctl, lib/metadata.go).
type configDump struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	RootfsImage     string    `json:"rootfsImage,omitempty"`
	RootfsImageRef  string    `json:"rootfsImageRef,omitempty"`
	RootfsImageName string    `json:"rootfsImageName,omitempty"`
	OCIRuntime      string    `json:"runtime,omitempty"`
	CreatedTime     time.Time `json:"createdTime"`
	CheckpointedAt  time.Time `json:"checkpointedTime"`
	RestoredAt      time.Time `json:"restoredTime"`
	Restored        bool      `json:"restored"`
}

// keepDumps adds config.dump and spec.dump, as the runtimes that make an
// archive write them.
func (r *run) keepDumps() error {
	name := r.c.Name
	if name == "" {
		name = r.c.ID
	}
	err := r.addJSON(dir+"config.dump", configDump{
		ID: r.c.ID, Name: name, RootfsImage: r.c.Image.Ref, RootfsImageName: r.c.Image.Ref, RootfsImageRef: r.c.Image.Digest,
		OCIRuntime: program(r.c.Handler), CreatedTime: r.c.Created.UTC(), CheckpointedAt: r.rec.End,
	})
	if err != nil {
		return err
	}
	if r.c.Spec == nil {
		return r.sink.Miss(dir+"spec.dump", errors.New("the runtime did not tell the OCI spec"))
	}
	return r.addJSON(dir+"spec.dump", r.c.Spec)
}

// program is the OCI runtime's, by which Podman restores: of containerd's
// "io.containerd.runc.v2" it is runc.
func program(handler string) string {
	name, ok := strings.CutPrefix(handler, "io.containerd.")
	if !ok {
		return handler
	}
	name, _, _ = strings.Cut(name, ".")
	return name
}

func (r *run) addJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return r.sink.Miss(name, err)
	}
	return r.add(name, bytes.NewReader(b), int64(len(b)))
}

func (r *run) add(name string, from io.Reader, size int64) error {
	return r.sink.Add(&record.Member{Path: name, Type: record.File, Mode: 0o400, Size: size, ReadAt: time.Now(), Via: "criu"}, from)
}

// openPlain opens a plain file, and nothing else.
func openPlain(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no plain file", path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}
