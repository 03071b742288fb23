package offline

import (
	"encoding/json"
	"path"
	"slices"
)

// Where runtimes keep what they have, when nothing says otherwise.
var (
	containerdDirs = []string{
		"/var/lib/containerd", "/var/lib/rancher/k3s/agent/containerd", "/var/lib/rancher/rke2/agent/containerd",
		"/var/lib/k0s/containerd", "/var/snap/microk8s/common/var/lib/containerd",
	}
	containerdStates = []string{
		"/run/containerd", "/run/k3s/containerd", "/run/k0s/containerd", "/run/docker/containerd/daemon", "/var/snap/microk8s/common/run/containerd",
	}
	dockerDirs  = []string{"/var/lib/docker", "/var/snap/docker/common/var-lib-docker"}
	storageDirs = []string{"/var/lib/containers/storage"}
)

// stores finds what is there: by the configuration files, in the usual places,
// and in those of users who run containers without root.
func stores(d *disk) []store {
	data := userDirs(d)
	dockers := present(d, "containers", append([]string{dockerRoot(d)}, dockerDirs...), data, "docker")
	candidates := append([]string{d.setting("/etc/containerd/config.toml", "root")}, containerdDirs...)
	for _, dir := range dockers {
		candidates = append(candidates, path.Join(dir, "containerd", "daemon"))
	}
	containerds := present(d, metaDB, candidates, data, "containerd")
	var all []store
	var kept []*containerdStore
	for _, dir := range containerds {
		s := newContainerd(d, dir, append([]string{d.setting("/etc/containerd/config.toml", "state")}, containerdStates...))
		kept, all = append(kept, s), append(all, s)
	}
	for _, dir := range dockers {
		all = append(all, &dockerStore{disk: d, dir: dir, containerds: kept})
	}
	graph := append([]string{d.setting("/etc/containers/storage.conf", "graphroot")}, storageDirs...)
	for _, driver := range storageDrivers {
		for _, dir := range present(d, path.Join(driver+"-containers", "containers.json"), graph, data, "containers/storage") {
			all = append(all, newStorage(d, dir, driver))
		}
	}
	return all
}

// present keeps the directories that hold a thing, each once; those of users
// are looked for by their name in a user's data directory.
func present(d *disk, holds string, dirs, users []string, name string) []string {
	for _, u := range users {
		dirs = append(dirs, path.Join(u, name))
	}
	var there []string
	for _, dir := range dirs {
		if path.IsAbs(dir) && !slices.Contains(there, path.Clean(dir)) {
			if _, err := d.stat(path.Join(dir, holds)); err == nil {
				there = append(there, path.Clean(dir))
			}
		}
	}
	return there
}

// maxUsers bounds how many home directories are looked into.
const maxUsers = 5000

// userDirs are the data directories of the users that have one.
func userDirs(d *disk) []string {
	homes := []string{"/root"}
	names, err := d.names("/home")
	if err == nil {
		for _, n := range names[:min(len(names), maxUsers)] {
			homes = append(homes, path.Join("/home", n))
		}
	}
	var dirs []string
	for _, h := range homes {
		if dir := path.Join(h, ".local/share"); d.isDir(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// dockerRoot is what the daemon's configuration says; empty where it says
// nothing.
func dockerRoot(d *disk) string {
	data, err := d.read("/etc/docker/daemon.json")
	if err != nil {
		return ""
	}
	return dataRoot(data)
}

func dataRoot(config []byte) string {
	var c struct {
		DataRoot string `json:"data-root"`
		Graph    string `json:"graph"` // before Docker 23
	}
	if json.Unmarshal(config, &c) != nil {
		return ""
	}
	if c.DataRoot == "" {
		return c.Graph
	}
	return c.DataRoot
}
