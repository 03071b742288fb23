package testbed

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Docker is a private dockerd on a private containerd.
type Docker struct {
	Containerd *Containerd
	Host       string // unix://…: for DOCKER_HOST
	DataRoot   string
	client     *client.Client
}

// StartDocker starts a dockerd that is taken down when the test ends. It skips
// where that cannot be.
func StartDocker(t testing.TB, opts ...Option) *Docker {
	t.Helper()
	c := StartContainerd(t, opts...)
	d, err := upDocker(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.client.Close() })
	return d
}

// ImageStore has dockerd keep its images in containerd, as later versions do of
// themselves.
func ImageStore() Option {
	return func(c *Containerd) { c.docker = `{"features": {"containerd-snapshotter": true}}` }
}

// Experimental starts dockerd with its experimental features, checkpoints among
// them.
func Experimental() Option {
	return func(c *Containerd) { c.docker = `{"experimental": true}` }
}

func upDocker(c *Containerd) (*Docker, error) {
	if err := Fetch("docker"); err != nil {
		return nil, err
	}
	d := &Docker{Containerd: c, Host: "unix://" + filepath.Join(c.Dir, "d.sock"), DataRoot: filepath.Join(c.Dir, "docker")}
	argv := []string{
		filepath.Join(binDir(dockerDir), "dockerd"), "--config-file", filepath.Join(c.Dir, "daemon.json"),
		"--containerd", c.Address, "--data-root", d.DataRoot, "--exec-root", filepath.Join(c.Dir, "dexec"), "-H", d.Host,
		"--pidfile", filepath.Join(c.Dir, "docker.pid"), "--cgroup-parent", "/" + c.Namespace,
		"--userland-proxy=false", "--iptables=false", "--ip6tables=false", "--bridge=none",
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "daemon.json"), []byte(cmp.Or(c.docker, "{}")+"\n"), 0o600); err != nil {
		return nil, err
	}
	p, err := spawn(filepath.Join(c.Dir, "dockerd.log"), c.Env(), argv...)
	if err != nil {
		return nil, err
	}
	c.Dependents = append(c.Dependents, p)
	if err := c.save(); err != nil {
		return nil, err
	}
	if d.client, err = client.New(client.WithHost(d.Host)); err != nil {
		return nil, err
	}
	var last error
	if !waitFor(30*time.Second, func() bool {
		_, last = d.client.Ping(context.Background(), client.PingOptions{})
		return last == nil || !p.alive()
	}) || last != nil {
		log, _ := os.ReadFile(filepath.Join(c.Dir, "dockerd.log"))
		return nil, fmt.Errorf("dockerd does not answer: %w\n%s", last, log)
	}
	return d, nil
}

// Client is a client of the daemon.
func (d *Docker) Client() *client.Client { return d.client }

// Image imports an image under a name: busybox with further layers, all in one.
func (d *Docker) Image(ref string, layers ...Layer) error {
	r, w := io.Pipe()
	go func() {
		tw := tar.NewWriter(w)
		for _, l := range append([]Layer{Busybox}, layers...) {
			if err := l(tw); err != nil {
				w.CloseWithError(err)
				return
			}
		}
		w.CloseWithError(tw.Close())
	}()
	source := client.ImageImportSource{Source: r, SourceName: "-"}
	result, err := d.client.ImageImport(context.Background(), source, ref, client.ImageImportOptions{})
	if err != nil {
		return err
	}
	defer result.Close()
	_, err = io.Copy(io.Discard, result)
	return err
}

// DockerOption changes how a container is run.
type DockerOption func(*container.Config, *container.HostConfig)

// Run starts a container of the plain image that runs a shell script.
func (d *Docker) Run(t testing.TB, name, script string, opts ...DockerOption) Running {
	t.Helper()
	ctx := context.Background()
	config := &container.Config{Image: BusyboxImage, Cmd: []string{"sh", "-c", script}, Env: []string{"PATH=/bin:/usr/bin"}}
	host := &container.HostConfig{NetworkMode: "none"}
	for _, o := range opts {
		o(config, host)
	}
	if _, err := d.client.ImageInspect(ctx, config.Image); err != nil {
		if err := d.Image(config.Image); err != nil {
			t.Fatalf("importing %s: %v", config.Image, err)
		}
	}
	made, err := d.client.ContainerCreate(ctx, client.ContainerCreateOptions{Config: config, HostConfig: host, Name: name})
	if err != nil {
		t.Fatalf("creating %s: %v", name, err)
	}
	if _, err := d.client.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	got, err := d.client.ContainerInspect(ctx, made.ID, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatalf("inspecting %s: %v", name, err)
	}
	return Running{ID: made.ID, Namespace: "moby", PID: got.Container.State.Pid, CGroup: filepath.Join("/", d.Containerd.Namespace, made.ID)}
}

// Remove deletes a container, whatever it is doing. One that is not there is
// no error.
func (d *Docker) Remove(t testing.TB, id string) {
	t.Helper()
	ctx := context.Background()
	_, _ = d.client.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
	_, err := d.client.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true})
	var nf interface{ NotFound() }
	if err != nil && !errors.As(err, &nf) {
		t.Fatalf("removing %s: %v", id, err)
	}
}
