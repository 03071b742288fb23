package testbed

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/typeurl/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"
)

// BusyboxImage is the name of the plain image.
const BusyboxImage = "amber.test/busybox:latest"

// Running is a container that was started.
type Running struct {
	ID, Namespace string
	PID           int    // of its init process, on the host
	CGroup        string // in every hierarchy: /amber-test-XXXX/ID
}

// Image makes and imports an image: busybox with further layers on top. It
// returns the image's name.
func (c *Containerd) Image(t testing.TB, layers ...Layer) string {
	t.Helper()
	ref := BusyboxImage
	if len(layers) > 0 {
		ref = fmt.Sprintf("amber.test/busybox:%d", len(c.images)+1)
	}
	if err := c.image(c.Namespace, ref, shell, layers...); err != nil {
		t.Fatalf("making an image: %v", err)
	}
	return ref
}

// MakeImage is Image without a test, and under a name of the caller's.
func (c *Containerd) MakeImage(ref string, layers ...Layer) error {
	return c.image(c.Namespace, ref, shell, layers...)
}

// shell is what an image runs where it is not told.
var shell = []string{"/bin/sh"}

func (c *Containerd) image(ns, ref string, cmd []string, layers ...Layer) error {
	var blobs []blob
	for _, l := range append([]Layer{Busybox}, layers...) {
		b, err := writeLayer(c.Dir, l)
		if err != nil {
			return err
		}
		defer os.Remove(b.path)
		blobs = append(blobs, b)
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeArchive(w, ref, cmd, blobs)) }()
	ctx := namespaces.WithNamespace(context.Background(), ns)
	_, err := c.client.Import(ctx, r)
	if err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	img, err := c.client.GetImage(ctx, ref)
	if err != nil {
		return err
	}
	c.images[ns+" "+ref] = img
	return img.Unpack(ctx, "overlayfs")
}

// getImage gives an image that was imported, and imports the plain one where
// it is asked for first.
func (c *Containerd) getImage(ctx context.Context, ns, ref string) (client.Image, error) {
	if img, ok := c.images[ns+" "+ref]; ok {
		return img, nil
	}
	if img, err := c.client.GetImage(ctx, ref); err == nil {
		return img, nil
	}
	if ref != BusyboxImage {
		return nil, fmt.Errorf("image %s is not in namespace %s", ref, ns)
	}
	if err := c.image(ns, ref, shell); err != nil {
		return nil, err
	}
	return c.images[ns+" "+ref], nil
}

// Run starts a container that runs a shell script, and waits for nothing.
func (c *Containerd) Run(t testing.TB, id, script string, opts ...RunOption) Running {
	t.Helper()
	r, err := c.Start(id, script, opts...)
	if err != nil {
		t.Fatalf("running %s: %v", id, err)
	}
	return r
}

// Start is Run without a test.
func (c *Containerd) Start(id, script string, opts ...RunOption) (Running, error) {
	cfg := runConfig{image: BusyboxImage, namespace: c.Namespace, argv: []string{"sh", "-c", script}, io: cio.NullIO}
	for _, o := range opts {
		o(&cfg)
	}
	ctx := namespaces.WithNamespace(context.Background(), cfg.namespace)
	img, err := c.getImage(ctx, cfg.namespace, cfg.image)
	if err != nil {
		return Running{}, err
	}
	if cfg.cgroup == "" {
		cfg.cgroup = id
	}
	r := Running{ID: id, Namespace: cfg.namespace, CGroup: filepath.Join("/", c.Namespace, cfg.cgroup)}
	spec := append([]oci.SpecOpts{
		oci.WithImageConfig(img), oci.WithProcessArgs(cfg.argv...), oci.WithCgroup(r.CGroup),
	}, cfg.spec...)
	ctr, err := c.client.NewContainer(ctx, id,
		client.WithImage(img), client.WithSnapshotter("overlayfs"), client.WithNewSnapshot(id, img),
		client.WithRuntime("io.containerd.runc.v2", &runcoptions.Options{Root: c.RuncRoot}),
		client.WithContainerLabels(cfg.labels), cfg.extend, client.WithNewSpec(spec...))
	if err != nil {
		return Running{}, err
	}
	if cfg.created {
		return r, nil
	}
	task, err := ctr.NewTask(ctx, cfg.io)
	if err != nil {
		return Running{}, err
	}
	r.PID = int(task.Pid())
	return r, task.Start(ctx)
}

type runConfig struct {
	image, namespace string
	cgroup           string
	argv             []string
	labels           map[string]string
	spec             []oci.SpecOpts
	io               cio.Creator
	created          bool
	extensions       map[string]typeurl.Any
}

func (c *runConfig) extend(_ context.Context, _ *client.Client, rec *containers.Container) error {
	rec.Extensions = c.extensions
	return nil
}

// RunOption changes how a container is run.
type RunOption func(*runConfig)

// FromImage runs another image than BusyboxImage.
func FromImage(ref string) RunOption { return func(c *runConfig) { c.image = ref } }

// InNamespace puts the container into another namespace of the private
// containerd: "k8s.io", "moby". Its cgroup stays in the testbed's.
func InNamespace(ns string) RunOption { return func(c *runConfig) { c.namespace = ns } }

// CGroup names the cgroup below the testbed's own, which is the id otherwise.
func CGroup(name string) RunOption { return func(c *runConfig) { c.cgroup = name } }

// Args runs a command line instead of a shell script.
func Args(argv ...string) RunOption { return func(c *runConfig) { c.argv = argv } }

// Labels puts labels on the container.
func Labels(l map[string]string) RunOption { return func(c *runConfig) { c.labels = l } }

// PodLabels are the labels that containerd's CRI plugin puts on a container.
func PodLabels(namespace, pod, uid, name string) RunOption {
	return Labels(map[string]string{
		"io.kubernetes.pod.namespace": namespace, "io.kubernetes.pod.name": pod, "io.kubernetes.pod.uid": uid,
		"io.kubernetes.container.name": name, "io.cri-containerd.kind": "container",
	})
}

// Extension keeps JSON with the container's record, as the CRI plugin does.
func Extension(name string, json []byte) RunOption {
	return func(c *runConfig) {
		c.extensions = map[string]typeurl.Any{name: &anypb.Any{TypeUrl: name, Value: json}}
	}
}

// NotStarted leaves it at the record: no task is made.
func NotStarted() RunOption { return func(c *runConfig) { c.created = true } }

// LogTo appends standard output and error to a file on the host.
func LogTo(file string) RunOption { return func(c *runConfig) { c.io = cio.LogFile(file) } }

// Spec changes the OCI runtime specification in any other way.
func Spec(opts ...oci.SpecOpts) RunOption {
	return func(c *runConfig) { c.spec = append(c.spec, opts...) }
}

// Privileged gives all capabilities and devices, and masks nothing.
func Privileged() RunOption {
	return Spec(oci.WithPrivileged, oci.WithAllDevicesAllowed, oci.WithHostDevices)
}

// HostPID shares the host's pid namespace.
func HostPID() RunOption { return Spec(oci.WithHostNamespace(specs.PIDNamespace)) }

// HostNet shares the host's network namespace.
func HostNet() RunOption { return Spec(oci.WithHostNamespace(specs.NetworkNamespace)) }

// ReadonlyRoot mounts the root read-only.
func ReadonlyRoot() RunOption { return Spec(oci.WithRootFSReadonly()) }

// User runs as "UID:GID".
func User(user string) RunOption { return Spec(oci.WithUser(user)) }

// Mount binds a file or directory of the host; options as "ro" are added to
// "rbind".
func Mount(source, destination string, options ...string) RunOption {
	return Spec(oci.WithMounts([]specs.Mount{{
		Type: "bind", Source: source, Destination: destination, Options: append([]string{"rbind"}, options...),
	}}))
}
