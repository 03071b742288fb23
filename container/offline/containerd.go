package offline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/containers"

	"amber/container"
	"amber/container/containerd"
	"amber/container/offline/bolt"
)

const (
	containerdName = "containerd"
	moby           = "moby"
	metaDB         = "io.containerd.metadata.v1.bolt/meta.db"
	criDir         = "io.containerd.grpc.v1.cri"
	taskDir        = "io.containerd.runtime.v2.task"

	// maxContainers bounds the containers of one store: a database can name
	// one again and again.
	maxContainers = 20_000
)

// containerdStore is what a containerd left: its metadata database, those of
// its snapshotters, its content store, and what its CRI plugin wrote of the
// containers' lives.
type containerdStore struct {
	*disk
	dir    string   // its root directory
	states []string // where its state directory may be
	meta   database

	mu           sync.Mutex
	snapshotters map[string]*snapshotter
}

func newContainerd(d *disk, dir string, states []string) *containerdStore {
	return &containerdStore{
		disk: d, dir: dir, states: states, meta: database{disk: d, name: path.Join(dir, metaDB)}, snapshotters: map[string]*snapshotter{},
	}
}

func (s *containerdStore) where() string { return "containerd in " + s.dir }

func (s *containerdStore) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.meta.close()}
	for _, sn := range s.snapshotters {
		errs = append(errs, sn.db.close())
	}
	return errors.Join(errs...)
}

// database is a bolt file, copied when it is first asked for.
type database struct {
	*disk
	name string
	once sync.Once
	file *os.File
	db   *bolt.DB
	err  error
}

func (b *database) open() (*bolt.DB, error) {
	b.once.Do(func() {
		var size int64
		if b.file, size, b.err = b.private(b.name); b.err != nil {
			return
		}
		if b.db, b.err = bolt.Open(b.file, size); b.err != nil {
			b.err = fmt.Errorf("%s: %w", b.name, b.err)
		}
	})
	return b.db, b.err
}

func (b *database) close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// bucket goes down from the schema's version bucket.
func (s *containerdStore) bucket(elements ...string) (bolt.Bucket, error) {
	db, err := s.meta.open()
	if err != nil {
		return bolt.Bucket{}, err
	}
	return db.Root().In(append([]string{"v1"}, elements...)...)
}

func (s *containerdStore) list(ctx context.Context) ([]container.Container, error) {
	v1, err := s.bucket()
	if err != nil {
		return nil, err
	}
	var all []container.Container
	err = v1.Each(func(ns bolt.Entry) error {
		if !ns.Bucket {
			return nil
		}
		found, err := ns.Inside.In("containers")
		if err != nil {
			return err
		}
		return found.Each(func(e bolt.Entry) error {
			if len(all) == maxContainers {
				return fmt.Errorf("it names more than %d containers: the rest is not read", maxContainers)
			}
			if !e.Bucket {
				return ctx.Err()
			}
			rec, err := readContainer(string(e.Key), e.Inside)
			all = append(all, s.container(string(ns.Key), rec, err))
			return ctx.Err()
		})
	})
	return all, err
}

// container makes one of a record; err is what of it could not be read.
func (s *containerdStore) container(ns string, rec containers.Container, err error) container.Container {
	c := containerd.Recorded(ns, rec)
	c.Keeper = containerdName
	if err != nil {
		c.Notes = append(c.Notes, "its record: "+err.Error())
	}
	if img, err := s.image(ns, rec.Image); err == nil {
		c.Image.Digest = img.Target.Digest.String()
	}
	s.life(&c)
	return c
}

func (s *containerdStore) record(c container.Container) (containers.Container, error) {
	b, err := s.bucket(c.Namespace, "containers", c.ID)
	if err != nil {
		return containers.Container{}, err
	}
	if c.Namespace == "" || c.ID == "" || !b.Has() {
		return containers.Container{}, absent(c)
	}
	rec, err := readContainer(c.ID, b)
	if err != nil {
		return rec, &partlyError{err}
	}
	return rec, nil
}

// partlyError says that a record is there and is not whole.
type partlyError struct{ error }

func (e *partlyError) Unwrap() error { return e.error }

func (s *containerdStore) get(_ context.Context, c container.Container) (container.Container, error) {
	rec, err := s.record(c)
	var partly *partlyError
	if err != nil && !errors.As(err, &partly) {
		return container.Container{}, err
	}
	full := s.container(c.Namespace, rec, err)
	if _, err := s.image(c.Namespace, rec.Image); err != nil && rec.Image != "" {
		full.Notes = append(full.Notes, "image digest: "+err.Error())
	}
	root, notes := s.rootfs(c.Namespace, rec)
	full.Rootfs, full.Notes = root, append(full.Notes, notes...)
	dir, infix, note := containerd.RecordedLogs(rec)
	full.Logs = s.holding(dir, infix)
	if note != "" {
		full.Notes = append(full.Notes, note)
	}
	return full, nil
}

// life finds out how far a container had come. containerd keeps that in its
// state directory, which is in memory on most nodes; its CRI plugin keeps it on
// the disk.
func (s *containerdStore) life(c *container.Container) {
	c.State = container.Unknown
	status, data := criStatus{}, path.Join(s.dir, criDir, "containers", c.ID, "status")
	if c.Namespace == "k8s.io" && plain(c.ID) {
		if err := s.json(data, &status); err == nil {
			status.tell(c)
			return
		}
	}
	for _, state := range s.states {
		if bundle := path.Join(state, taskDir, c.Namespace, c.ID); plain(c.Namespace) && plain(c.ID) && path.IsAbs(state) && s.isFile(path.Join(bundle, "config.json")) {
			c.State = container.Running
			c.Notes = append(c.Notes, "state: as recorded, it has a task, for "+bundle+" is there")
			return
		}
	}
	c.Notes = append(c.Notes, "state: containerd keeps none on the disk but of Kubernetes' containers; whether it ran when the disk was taken is not known")
}

// criStatus is what containerd's CRI plugin writes of a container; times in
// nanoseconds, 0 for never.
type criStatus struct {
	PID                              int `json:"Pid"`
	CreatedAt, StartedAt, FinishedAt int64
	ExitCode                         int
	Reason, Message                  string
}

func (st criStatus) tell(c *container.Container) {
	at := func(ns int64) time.Time {
		if ns == 0 {
			return time.Time{}
		}
		return time.Unix(0, ns).UTC()
	}
	c.Started, c.Finished = at(st.StartedAt), at(st.FinishedAt)
	switch {
	case st.FinishedAt != 0:
		c.State, c.ExitCode = container.Stopped, &st.ExitCode
		if st.Reason != "" || st.Message != "" {
			c.Notes = append(c.Notes, fmt.Sprintf("it ended: %s %s", st.Reason, st.Message))
		}
	case st.StartedAt != 0:
		c.State = container.Running
		c.Notes = append(c.Notes, fmt.Sprintf("state: as recorded, process %d of its host", st.PID))
	case st.CreatedAt != 0:
		c.State = container.Created
	}
}

func (s *containerdStore) describe(ctx context.Context, c container.Container) ([]container.Document, map[string]string, error) {
	rec, err := s.record(c)
	var partly *partlyError
	if err != nil && !errors.As(err, &partly) {
		return nil, nil, err
	}
	docs, misses := containerd.Described(ctx, rec, records{s, c.Namespace})
	if partly != nil {
		misses["runtime/record"] = partly.Error()
	}
	misses["runtime/task.json"] = "read from a disk: no containerd runs"
	if plain(c.ID) && c.Namespace == "k8s.io" {
		if data, err := s.read(path.Join(s.dir, criDir, "containers", c.ID, "status")); err == nil && json.Valid(data) {
			docs = append(docs, container.Document{Name: "runtime/status.json", Data: data})
		}
	}
	return docs, misses, nil
}
