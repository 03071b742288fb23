package testbed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
)

const namespacePrefix = "amber-test-"

// Containerd is a private containerd. Its containers are in Namespace (and in
// those that Run is told), their cgroups in /Namespace whatever theirs is.
type Containerd struct {
	Dir       string `json:"dir"`       // holds everything below
	Address   string `json:"address"`   // gRPC socket
	Namespace string `json:"namespace"` // amber-test-XXXXXXXX
	State     string `json:"state"`     // --state: holds io.containerd.runtime.v2.task/NS/ID
	Root      string `json:"root"`      // --root: content and snapshots
	RuncRoot  string `json:"runc_root"` // runc keeps its state in RuncRoot/NS
	Bin       string `json:"bin"`       // containerd, ctr, the shim, runc, busybox: put it first on PATH
	Version   string `json:"version"`   // "1.6.20" or "2.1.9"

	Daemon     process   `json:"daemon"`
	Dependents []process `json:"dependents,omitempty"` // daemons that stand on it
	Owner      process   `json:"owner,omitzero"`       // the test that started it; it is taken down when that is gone

	path   string // PATH of the daemon and its shims
	cgroup bool   // in a pure cgroup v2 world
	cri    string // configuration of the CRI plugin, which is off where this is empty
	docker string // configuration of dockerd
	client *client.Client
	images map[string]client.Image
}

// Option changes how a containerd is started.
type Option func(*Containerd)

// Version2 starts containerd 2.1.9 instead of 1.6.20.
func Version2() Option { return func(c *Containerd) { c.Version = "2.1.9" } }

// InCGroup2 starts the daemon in a mount namespace of its own where
// /sys/fs/cgroup is the unified hierarchy alone. Programs that must see the
// same world are started with Enter, or the whole test with CGroup2World.
func InCGroup2() Option { return func(c *Containerd) { c.cgroup = true } }

// WithPath puts directories before the daemon's PATH, for a wrapper of runc or criu.
func WithPath(dirs ...string) Option {
	return func(c *Containerd) { c.path = strings.Join(append(dirs, c.path), ":") }
}

// Up starts a containerd that keeps all it has in dir and outlives this
// process; Down takes it down.
func Up(dir string, opts ...Option) (*Containerd, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("containerd needs root")
	}
	c := &Containerd{Version: "1.6.20", Dir: dir, images: map[string]client.Image{}, Namespace: randomNamespace()}
	for _, o := range opts {
		o(c)
	}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	argv := []string{filepath.Join(c.Bin, "containerd"), "--config", filepath.Join(dir, "config.toml")}
	if c.cgroup {
		argv = append(cgroup2Argv(), argv...)
	}
	var err error
	if c.Daemon, err = spawn(filepath.Join(dir, "containerd.log"), c.Env(), argv...); err != nil {
		return nil, err
	}
	if err := errors.Join(c.save(), c.connect()); err != nil {
		return nil, errors.Join(err, c.Down())
	}
	return c, nil
}

// Open finds a containerd again that Up started in dir, also after the process
// that called Up has gone.
func Open(dir string) (*Containerd, error) {
	data, err := os.ReadFile(filepath.Join(dir, "testbed.json"))
	if err != nil {
		return nil, err
	}
	c := &Containerd{images: map[string]client.Image{}}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("reading the testbed's record in %s: %w", dir, err)
	}
	if c.Dir != dir || !strings.HasPrefix(c.Namespace, namespacePrefix) {
		return nil, fmt.Errorf("the testbed's record in %s is of another", dir)
	}
	return c, nil
}

func randomNamespace() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b)
	return namespacePrefix + hex.EncodeToString(b)
}

// prepare gets the binaries and writes the daemon's configuration.
func (c *Containerd) prepare() error {
	what, bin := "containerd1", containerd1Dir
	if c.Version != "1.6.20" {
		what, bin = "containerd2", containerd2Dir
	}
	if err := Fetch(what); err != nil {
		return err
	}
	c.Bin = binDir(bin)
	c.Address = filepath.Join(c.Dir, "c.sock")
	c.State, c.Root, c.RuncRoot = filepath.Join(c.Dir, "state"), filepath.Join(c.Dir, "root"), filepath.Join(c.Dir, "runc")
	if err := os.MkdirAll(filepath.Join(c.Dir, "opt"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.Dir, "config.toml"), []byte(c.config()), 0o600)
}

func (c *Containerd) config() string {
	version, off := 2, `"io.containerd.grpc.v1.cri", `
	if c.cri != "" {
		version, off = 3, ""
	}
	return fmt.Sprintf(`version = %d
root = %q
state = %q
disabled_plugins = [%s"io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = %q
[ttrpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
%s`, version, c.Root, c.State, off, c.Address, c.Address+".ttrpc", filepath.Join(c.Dir, "opt"), c.cri)
}

// Env is the environment to run ctr and the like in.
func (c *Containerd) Env() []string {
	path := c.Bin + ":/usr/sbin:/usr/bin:/sbin:/bin"
	if c.path != "" {
		path = c.path + path
	}
	env := []string{"PATH=" + path, "CONTAINERD_ADDRESS=" + c.Address, "CONTAINERD_NAMESPACE=" + c.Namespace}
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); name == "HOME" || name == "TMPDIR" {
			env = append(env, e)
		}
	}
	return env
}

// connect waits until the daemon answers.
func (c *Containerd) connect() error {
	var err error
	if c.client, err = client.New(c.Address); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if _, err = c.client.Version(ctx); err == nil {
			return nil
		}
		if ctx.Err() != nil || !c.Daemon.alive() {
			log, _ := os.ReadFile(filepath.Join(c.Dir, "containerd.log"))
			return fmt.Errorf("containerd does not answer: %w\n%s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *Containerd) save() error {
	data, err := json.MarshalIndent(c, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.Dir, "testbed.json"), data, 0o600)
}

// Client is a client of the daemon.
func (c *Containerd) Client() *client.Client { return c.client }

// CTR runs the real ctr in the testbed's namespace and returns what it prints.
func (c *Containerd) CTR(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(c.Bin, "ctr"), args...)
	cmd.Env = c.Env()
	c.Enter(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("ctr %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Restart stops the daemon and starts it again; the containers run on.
func (c *Containerd) Restart() error {
	if err := c.Stop(); err != nil {
		return err
	}
	argv := []string{filepath.Join(c.Bin, "containerd"), "--config", filepath.Join(c.Dir, "config.toml")}
	var err error
	if c.Daemon, err = spawn(filepath.Join(c.Dir, "containerd.log"), c.Env(), argv...); err != nil {
		return err
	}
	return errors.Join(c.save(), c.connect())
}

// Stop stops the daemon; the containers run on.
func (c *Containerd) Stop() error {
	if c.client != nil {
		_ = c.client.Close()
		c.client = nil
	}
	return c.Daemon.stop()
}

// unmountAll takes away every mount below dir, the last made first.
func unmountAll(dir string) {
	for range 3 {
		mounts := mountsBelow(dir)
		if len(mounts) == 0 {
			return
		}
		for i := len(mounts) - 1; i >= 0; i-- {
			_ = syscall.Unmount(mounts[i], syscall.MNT_DETACH)
		}
	}
}

func mountsBelow(dir string) []string {
	data, _ := os.ReadFile("/proc/self/mounts")
	var found []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && (f[1] == dir || strings.HasPrefix(f[1], dir+"/")) {
			found = append(found, f[1])
		}
	}
	return found
}
