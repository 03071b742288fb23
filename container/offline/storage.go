package offline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container"
)

const (
	crioName   = "cri-o"
	podmanName = "podman"
)

// storageDrivers are those of containers/storage that keep plain directories.
var storageDrivers = []string{"overlay", "vfs"}

// storageStore is what containers/storage keeps for CRI-O, Podman and Buildah:
// DRIVER-containers/containers.json and, in DRIVER-containers/ID/userdata, what
// the engine wrote; DRIVER-images/images.json; DRIVER/LAYER.
type storageStore struct {
	*disk
	dir, driver string
	images      func() map[string]storedImage
	podman      func() (podmanState, error)
}

func newStorage(d *disk, dir, driver string) *storageStore {
	s := &storageStore{disk: d, dir: dir, driver: driver}
	s.images = sync.OnceValue(s.readImages)
	s.podman = sync.OnceValues(func() (podmanState, error) { return readPodman(d, dir) })
	return s
}

func (s *storageStore) where() string { return "containers/storage in " + s.dir }
func (s *storageStore) close() error  { return nil }

// stored is an entry of containers.json.
type stored struct {
	ID       string    `json:"id"`
	Names    []string  `json:"names"`
	Image    string    `json:"image"`
	Layer    string    `json:"layer"`
	Metadata string    `json:"metadata"` // JSON of the engine's
	Created  time.Time `json:"created"`

	engine engineRecord
}

// engineRecord is what CRI-O and Podman keep as Metadata.
type engineRecord struct {
	PodID     string `json:"pod-id"`
	PodName   string `json:"pod-name"`
	ImageName string `json:"image-name"`
	Name      string `json:"name"`
	MetaName  string `json:"metadata-name"` // CRI-O's alone
}

type storedImage struct {
	ID     string   `json:"id"`
	Digest string   `json:"digest"`
	Names  []string `json:"names"`
}

func (s *storageStore) readImages() map[string]storedImage {
	var list []storedImage
	m := map[string]storedImage{}
	if err := s.json(path.Join(s.dir, s.driver+"-images", "images.json"), &list); err != nil {
		return m
	}
	for _, i := range list {
		m[i.ID] = i
	}
	return m
}

// all reads the lists: that of containers which do not outlive a boot is
// another one.
func (s *storageStore) all() ([]stored, error) {
	var all []stored
	base := path.Join(s.dir, s.driver+"-containers")
	if err := s.json(path.Join(base, "containers.json"), &all); err != nil {
		return nil, err
	}
	var volatile []stored
	if err := s.json(path.Join(base, "volatile-containers.json"), &volatile); err == nil {
		all = append(all, volatile...)
	}
	for i := range all {
		_ = json.Unmarshal([]byte(all[i].Metadata), &all[i].engine) // empty, or another engine's: nothing is known then
	}
	if len(all) > maxContainers {
		return all[:maxContainers], fmt.Errorf("it names %d containers: %d are read", len(all), maxContainers)
	}
	return all, nil
}

func (s *storageStore) list(ctx context.Context) ([]container.Container, error) {
	all, err := s.all()
	var found []container.Container
	for _, rec := range all {
		if err := ctx.Err(); err != nil {
			return found, err
		}
		found = append(found, s.container(rec))
	}
	return found, err
}

func (s *storageStore) find(c container.Container) (stored, error) {
	if c.Namespace != "" {
		return stored{}, absent(c)
	}
	all, err := s.all()
	for _, rec := range all {
		if rec.ID == c.ID {
			return rec, nil
		}
	}
	return stored{}, errors.Join(err, absent(c))
}

// userdata is where an engine keeps what it knows of a container; CRI-O has
// another such directory below /run.
func (s *storageStore) userdata(id, name string) string {
	return path.Join(s.dir, s.driver+"-containers", id, "userdata", name)
}

func (s *storageStore) container(rec stored) container.Container {
	c := container.Container{
		ID: rec.ID, Keeper: podmanName, Name: rec.engine.Name, State: container.Unknown, Created: rec.Created,
		Image: container.Image{Ref: rec.engine.ImageName, Digest: s.images()[rec.Image].Digest},
	}
	if c.Name == "" && len(rec.Names) > 0 {
		c.Name = rec.Names[0]
	}
	if c.Image.Ref == "" {
		if names := s.images()[rec.Image].Names; len(names) > 0 {
			c.Image.Ref = names[0]
		}
	}
	if !isID(rec.ID) {
		c.Notes = append(c.Notes, "its id is none that containers/storage gives: nothing else of it is read")
		return c
	}
	var err error
	if c.Spec, err = s.spec(rec.ID); err != nil {
		c.Notes = append(c.Notes, "OCI spec: "+err.Error())
	}
	if rec.engine.MetaName != "" || c.Spec != nil && c.Spec.Annotations["io.kubernetes.cri-o.ContainerType"] != "" {
		s.fromCRIO(&c)
	} else {
		s.fromPodman(&c)
	}
	return c
}

func (s *storageStore) spec(id string) (*specs.Spec, error) {
	var spec specs.Spec
	err := s.json(s.userdata(id, "config.json"), &spec)
	if err != nil {
		run := path.Join("/run/containers/storage", s.driver+"-containers", id, "userdata/config.json")
		if again := s.json(run, &spec); again != nil {
			return nil, err
		}
	}
	return &spec, nil
}

func (s *storageStore) get(_ context.Context, c container.Container) (container.Container, error) {
	rec, err := s.find(c)
	if err != nil {
		return container.Container{}, err
	}
	full := s.container(rec)
	var notes []string
	full.Rootfs, notes = s.rootfs(rec)
	full.Notes = append(full.Notes, notes...)
	if full.Logs = s.logs(full); len(full.Logs) == 0 && (full.Pod == nil || !full.Pod.Sandbox) {
		full.Notes = append(full.Notes, "logs: no file of it is found; Podman may have written to the journal")
	}
	return full, nil
}

// rootfs finds the layers in the driver's directories. A layer of an image store
// elsewhere is not found, and is noted.
func (s *storageStore) rootfs(rec stored) (container.Rootfs, []string) {
	root := container.Rootfs{Driver: s.driver, Key: rec.Layer}
	if !isID(rec.Layer) {
		return root, []string{fmt.Sprintf("root file system: its layer is called %q", rec.Layer)}
	}
	if s.driver == "vfs" {
		root.Driver, root.Upper = "bind", path.Join(s.dir, "vfs/dir", rec.Layer)
		return root, nil
	}
	base := path.Join(s.dir, s.driver)
	root.Upper, root.Work = path.Join(base, rec.Layer, "diff"), path.Join(base, rec.Layer, "work")
	var notes []string
	root.Lower, notes = shortLinks(s.disk, base, rec.Layer)
	return root, notes
}

// logs lists the container's log files: where its engine says, or Podman's own
// in its userdata.
func (s *storageStore) logs(c container.Container) []string {
	if !isID(c.ID) {
		return nil
	}
	at := ""
	if c.Keeper == crioName && c.Spec != nil {
		at = c.Spec.Annotations["io.kubernetes.cri-o.LogPath"]
		if path.IsAbs(at) && strings.HasSuffix(at, ".log") {
			return s.holding(path.Dir(at), ".log")
		}
	}
	if state, err := s.podman(); err == nil {
		at = state[c.ID].config.LogPath
	}
	if path.IsAbs(at) {
		return s.holding(path.Dir(at), path.Base(at))
	}
	return s.holding(s.userdata(c.ID, ""), "ctr.log")
}
