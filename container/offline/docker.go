package offline

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/containers"
	dockercontainer "github.com/moby/moby/api/types/container"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"amber/container"
	"amber/container/docker"
)

const dockerName = "docker"

// dockerStore is a dockerd's data root: containers/ID/{config.v2,hostconfig}.json,
// and the images and layers of its storage driver, or those of a containerd.
type dockerStore struct {
	*disk
	dir         string
	containerds []*containerdStore
}

func (s *dockerStore) where() string { return "Docker in " + s.dir }
func (s *dockerStore) close() error  { return nil }

// dockerRecord is the part of config.v2.json that is read.
type dockerRecord struct {
	ID, Name, Path, Driver, Image, LogPath, ResolvConfPath, HostsPath string

	AppArmorProfile, ProcessLabel string

	Args          []string
	Created       time.Time
	Config        *dockercontainer.Config
	ImageManifest *ocispec.Descriptor
	State         *dockercontainer.State
	MountPoints   map[string]struct {
		Source, Destination, Name, Driver string
		RW                                bool
	}
}

func (s *dockerStore) list(ctx context.Context) ([]container.Container, error) {
	names, err := s.names(path.Join(s.dir, "containers"))
	if err != nil {
		return nil, err
	}
	var all []container.Container
	for _, id := range names {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		if !isID(id) {
			continue
		}
		if len(all) == maxContainers {
			return all, fmt.Errorf("it has more than %d containers: the rest is not read", maxContainers)
		}
		raw, err := s.inspect(id)
		if err != nil {
			all = append(all, container.Container{ID: id, Keeper: dockerName, State: container.Unknown, Notes: []string{"its record: " + err.Error()}})
			continue
		}
		all = append(all, s.container(raw))
	}
	return all, nil
}

// isID admits what Docker and containers/storage call a container or a layer:
// 64 hexadecimal digits.
func isID(name string) bool {
	_, err := hex.DecodeString(name)
	return err == nil && len(name) == 64 && name == strings.ToLower(name)
}

func (s *dockerStore) file(id, name string) string { return path.Join(s.dir, "containers", id, name) }

// inspect puts together what the daemon would answer.
func (s *dockerStore) inspect(id string) (dockercontainer.InspectResponse, error) {
	var rec dockerRecord
	if err := s.json(s.file(id, "config.v2.json"), &rec); err != nil {
		return dockercontainer.InspectResponse{}, err
	}
	raw := dockercontainer.InspectResponse{
		ID: id, Name: rec.Name, Path: rec.Path, Args: rec.Args, Driver: rec.Driver, Image: rec.Image, LogPath: rec.LogPath,
		ResolvConfPath: rec.ResolvConfPath, HostsPath: rec.HostsPath, AppArmorProfile: rec.AppArmorProfile, ProcessLabel: rec.ProcessLabel,
		Created: rec.Created.Format(time.RFC3339Nano), Config: rec.Config, ImageManifestDescriptor: rec.ImageManifest, State: status(rec.State),
	}
	for _, m := range rec.MountPoints {
		raw.Mounts = append(raw.Mounts, dockercontainer.MountPoint{Source: m.Source, Destination: m.Destination, Name: m.Name, Driver: m.Driver, RW: m.RW})
	}
	slices.SortFunc(raw.Mounts, func(a, b dockercontainer.MountPoint) int { return strings.Compare(a.Destination, b.Destination) })
	var host dockercontainer.HostConfig
	if err := s.json(s.file(id, "hostconfig.json"), &host); err == nil {
		raw.HostConfig = &host
	}
	return raw, nil
}

// status adds the word that the daemon does not write down.
func status(st *dockercontainer.State) *dockercontainer.State {
	if st != nil && !st.Running && !st.Dead && (st.StartedAt == "" || strings.HasPrefix(st.StartedAt, "0001-")) {
		st.Status = dockercontainer.StateCreated
	}
	return st
}

func (s *dockerStore) container(raw dockercontainer.InspectResponse) container.Container {
	c := docker.Recorded(raw)
	if c.PID != 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("state: as recorded, process %d of its host", c.PID))
	}
	c.Keeper = dockerName
	if raw.HostConfig == nil {
		c.Notes = append(c.Notes, "its hostconfig.json could not be read: what it may do is not known")
	}
	if c.Image.Digest == "" {
		c.Image.Digest = s.digest(raw)
	}
	var err error
	if c.Spec, err = s.spec(raw); err != nil {
		c.Spec = docker.Rebuilt(raw)
		c.Notes = append(c.Notes, "the OCI spec is put together from dockerd's record; the runtime's own could not be had: "+err.Error())
	}
	return c
}

func (s *dockerStore) get(_ context.Context, c container.Container) (container.Container, error) {
	if c.Namespace != "" || !isID(c.ID) || !s.isDir(path.Join(s.dir, "containers", c.ID)) {
		return container.Container{}, absent(c)
	}
	raw, err := s.inspect(c.ID)
	if err != nil {
		return container.Container{}, err
	}
	full := s.container(raw)
	var notes []string
	full.Rootfs, notes = s.rootfs(raw)
	full.Notes = append(full.Notes, notes...)
	dir, infix, note := s.logs(raw)
	full.Logs = s.holding(dir, infix)
	if note != "" {
		full.Notes = append(full.Notes, note)
	}
	return full, nil
}

// logs is where a container's log files lie, by the driver that writes them.
func (s *dockerStore) logs(raw dockercontainer.InspectResponse) (dir, infix, note string) {
	driver := ""
	if raw.HostConfig != nil {
		driver = raw.HostConfig.LogConfig.Type
	}
	switch {
	case raw.LogPath != "":
		return path.Dir(raw.LogPath), path.Base(raw.LogPath), ""
	case driver == "local":
		return s.file(raw.ID, "local-logs"), "container.log", ""
	case driver == "none":
		return "", "", "logs: the driver is none, nothing is kept"
	}
	return "", "", "logs: the driver " + driver + " keeps none in a file of this host that is known"
}

// moby finds the container's record in a containerd, which has one while it
// runs.
func (s *dockerStore) moby(id string) (containers.Container, error) {
	var errs []error
	for _, cs := range s.containerds {
		rec, err := cs.record(container.Container{Namespace: moby, ID: id})
		var partly *partlyError
		if err == nil || errors.As(err, &partly) {
			return rec, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", cs.where(), err))
	}
	if len(errs) == 0 {
		return containers.Container{}, errors.New("no containerd's store is there")
	}
	return containers.Container{}, errors.Join(errs...)
}
