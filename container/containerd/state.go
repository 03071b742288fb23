package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container"
)

const (
	runtimeV2 = "io.containerd.runtime.v2.task"
	maxSpec   = 8 << 20
)

// FromState finds the containers of a containerd that does not answer, from
// its state directory: those that have a task, by their bundles. It can do
// nothing to them; freezing is left to their cgroups.
func FromState(dir string) container.Runtime { return stateRuntime{dir} }

type stateRuntime struct{ dir string }

func (stateRuntime) Name() string { return "containerd" }
func (stateRuntime) Close() error { return nil }

// List reads every bundle. One that cannot be read is listed with a note.
func (r stateRuntime) List(ctx context.Context) ([]container.Container, error) {
	root := filepath.Join(r.dir, runtimeV2)
	spaces, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("containerd's state in %s: %w", r.dir, err)
	}
	var all []container.Container
	for _, ns := range spaces {
		bundles, err := os.ReadDir(filepath.Join(root, ns.Name()))
		if err != nil {
			continue
		}
		for _, b := range bundles {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			all = append(all, r.read(ns.Name(), b.Name()))
		}
	}
	return all, nil
}

// Find reads the one bundle that a target names, or all.
func (r stateRuntime) Find(ctx context.Context, t container.Target) ([]container.Container, error) {
	if t.Scheme == "docker" || t.Scheme == "offline" {
		return nil, nil
	}
	all, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c container.Container) bool { return !t.Matches(c) }), nil
}

// Get reads a bundle again, with what its mounts tell of the root.
func (r stateRuntime) Get(_ context.Context, c container.Container) (container.Container, error) {
	bundle := filepath.Join(r.dir, runtimeV2, c.Namespace, c.ID)
	if _, err := os.Lstat(bundle); errors.Is(err, fs.ErrNotExist) {
		return container.Container{}, gone(c)
	}
	full := r.read(c.Namespace, c.ID)
	full.Started = started(full)
	if root := filepath.Join(bundle, "rootfs"); container.Mounted(root) {
		full.Rootfs = rootOf(root)
	}
	return full, nil
}

func (r stateRuntime) read(ns, id string) container.Container {
	bundle := filepath.Join(r.dir, runtimeV2, ns, id)
	c := container.Container{
		Runtime: "containerd", Namespace: ns, ID: id, State: container.Stopped,
		Notes: []string{"containerd did not answer; this is from its state directory " + r.dir},
	}
	if info, err := os.Stat(bundle); err == nil {
		c.Created = info.ModTime()
	}
	note := func(err error) {
		if err != nil {
			c.Notes = append(c.Notes, err.Error())
		}
	}
	var err error
	c.Spec, err = readSpec(filepath.Join(bundle, "config.json"))
	note(err)
	if c.Spec != nil {
		fromAnnotations(&c, c.Spec.Annotations)
	}
	c.PID, err = initPID(filepath.Join(bundle, "init.pid"), c.Spec)
	note(err)
	if c.PID != 0 {
		c.State = container.Running
		if frozen(c.PID) {
			c.State = container.Paused
		}
	}
	return c
}

func readSpec(file string) (*specs.Spec, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return nil, fmt.Errorf("OCI spec: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSpec {
		return nil, fmt.Errorf("OCI spec: %s is no plain file of at most %d bytes", file, maxSpec)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("OCI spec: %w", err)
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("OCI spec: %w", err)
	}
	return &s, nil
}

// fromAnnotations reads what containerd's CRI plugin writes into a spec.
func fromAnnotations(c *container.Container, a map[string]string) {
	const cri = "io.kubernetes.cri."
	c.Name, c.Image.Ref = a[cri+"container-name"], a[cri+"image-name"]
	if a[cri+"sandbox-name"] != "" {
		c.Pod = &container.Pod{
			Namespace: a[cri+"sandbox-namespace"], Name: a[cri+"sandbox-name"], UID: a[cri+"sandbox-uid"],
			Container: a[cri+"container-name"], Sandbox: a[cri+"container-type"] == "sandbox",
		}
	}
}

// initPID is the pid that the shim wrote down, if that process is in the
// cgroup that the spec names: the number may be another process's by now. It
// is 0, with the reason, where it is not.
func initPID(file string, spec *specs.Spec) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("init process: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("init process: %s holds %q", file, data)
	}
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // it has ended
	}
	if err != nil {
		return 0, fmt.Errorf("init process: %w", err)
	}
	if spec == nil || spec.Linux == nil || spec.Linux.CgroupsPath == "" {
		return 0, fmt.Errorf("init process: nothing says that process %d is still it", pid)
	}
	// systemd's form is "slice:prefix:name", and the path ends in prefix-name.scope.
	want := spec.Linux.CgroupsPath
	if parts := strings.Split(want, ":"); len(parts) == 3 {
		want = parts[1] + "-" + parts[2] + ".scope"
	}
	if !strings.Contains(string(groups), strings.TrimPrefix(want, "/")) {
		return 0, fmt.Errorf("init process: process %d is another one by now, it is not in the cgroup %s", pid, spec.Linux.CgroupsPath)
	}
	return pid, nil
}

// frozen asks the cgroups of a process.
func frozen(pid int) bool {
	groups, err := container.CGroups(pid)
	if err != nil {
		return false
	}
	for _, g := range groups {
		state, _ := os.ReadFile(filepath.Join(g.Dir, "freezer.state"))
		events, _ := os.ReadFile(filepath.Join(g.Dir, "cgroup.events"))
		if strings.HasPrefix(string(state), "FROZEN") || strings.Contains(string(events), "frozen 1") {
			return true
		}
	}
	return false
}

// rootOf reads an overlay's directories from the mount table.
func rootOf(path string) container.Rootfs {
	root := container.Rootfs{Merged: path}
	table, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(table)) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 || l[4] != path {
			continue
		}
		root.Driver = r[0]
		for _, o := range strings.Split(r[2], ",") {
			name, value, _ := strings.Cut(o, "=")
			switch name {
			case "upperdir":
				root.Upper = value
			case "workdir":
				root.Work = value
			case "lowerdir":
				root.Lower = strings.Split(value, ":")
			}
		}
	}
	return root
}
