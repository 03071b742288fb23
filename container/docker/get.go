package docker

import (
	"context"
	"os"
	"path/filepath"
	"sort"
	"strings"

	dockercontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"amber/container"
)

// Get asks for all that is known of a container. What fails besides its record
// is a note.
func (r *Runtime) Get(ctx context.Context, c container.Container) (container.Container, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	got, err := r.client.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
	if err != nil {
		return container.Container{}, r.lost(c, "inspecting", err)
	}
	full := r.fromInspect(got.Container)
	note := func(s string) {
		if s != "" {
			full.Notes = append(full.Notes, s)
		}
	}
	image, err := r.client.ImageInspect(ctx, got.Container.Image)
	switch {
	case err != nil:
		note("image digest: " + err.Error())
	case full.Image.Digest == "":
		full.Image.Digest = manifestDigest(image.RepoDigests, full.Image.Ref)
		if full.Image.Digest == "" {
			note("image digest: none is known, the image came from no registry; its id is " + got.Container.Image)
		}
	}
	if r.remote {
		return full, nil
	}
	var n string
	full.Rootfs, n = rootfs(got.Container)
	note(n)
	full.Logs, n = logFiles(got.Container)
	note(n)
	return full, nil
}

// rootfs reads the layers from what the storage driver tells.
func rootfs(raw dockercontainer.InspectResponse) (container.Rootfs, string) {
	if raw.GraphDriver == nil || raw.GraphDriver.Data["UpperDir"] == "" {
		root := container.Rootfs{Driver: raw.Driver}
		if raw.Storage != nil && raw.Storage.RootFS != nil && raw.Storage.RootFS.Snapshot != nil {
			root.Driver = raw.Storage.RootFS.Snapshot.Name
		}
		return root, "root file system: the storage driver " + root.Driver + " names no directories"
	}
	data := raw.GraphDriver.Data
	root := container.Rootfs{
		Driver: "overlay", Key: data["ID"], Upper: data["UpperDir"], Work: data["WorkDir"],
		Lower: strings.Split(data["LowerDir"], ":"),
	}
	if root.Key == "" {
		root.Key = filepath.Base(filepath.Dir(root.Upper))
	}
	if container.Mounted(data["MergedDir"]) {
		root.Merged = data["MergedDir"]
	}
	return root, ""
}

// logFiles lists the log in use and those that were rotated away.
func logFiles(raw dockercontainer.InspectResponse) ([]string, string) {
	driver := ""
	if raw.HostConfig != nil {
		driver = raw.HostConfig.LogConfig.Type
	}
	switch {
	case raw.LogPath != "":
		return beginning(raw.LogPath), ""
	case driver == "local" && raw.HostsPath != "":
		return beginning(filepath.Join(filepath.Dir(raw.HostsPath), "local-logs", "container.log")), ""
	case driver == "none":
		return nil, "logs: the driver is none, nothing is kept"
	}
	return nil, "logs: the driver " + driver + " keeps none in a file of this host that is known"
}

// beginning lists the files whose names are that of path, or go on from it:
// X-json.log, X-json.log.1, X-json.log.2.gz.
func beginning(path string) []string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var files []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(path)) && !e.IsDir() {
			files = append(files, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	sort.Strings(files)
	return files
}
