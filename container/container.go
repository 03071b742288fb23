// Package container says what a container is, whoever runs it.
package container

import (
	"context"
	"errors"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ErrNotSupported is returned where a runtime, a kernel or a sandbox cannot do
// what was asked. Tests skip on it, saying why.
var ErrNotSupported = errors.New("not supported")

// State is a container's state in the words of the OCI runtime specification,
// with "paused" as every runtime adds it.
type State string

const (
	Created State = "created"
	Running State = "running"
	Paused  State = "paused"
	Stopped State = "stopped"
	Unknown State = "unknown"
)

// Image is what a container was made from. Digest ("sha256:…") is the one that
// the image's name points to, a manifest's or that of the index which names one
// for each platform; empty where the runtime does not know it.
type Image struct {
	Ref    string `json:"ref,omitempty"`
	Digest string `json:"digest,omitempty"`
}

// Pod is the Kubernetes pod that a container belongs to.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
	Container string `json:"container,omitempty"` // the container's name within the pod
	Sandbox   bool   `json:"sandbox,omitempty"`   // this is the pod's pause container
}

// Rootfs is where a container's root file system lies on the host, as its
// snapshotter or storage driver mounts it.
type Rootfs struct {
	Driver string   `json:"driver"`           // overlay, native, bind, …
	Key    string   `json:"key,omitempty"`    // the snapshot's key
	Upper  string   `json:"upper,omitempty"`  // writable layer (overlay: upperdir)
	Work   string   `json:"work,omitempty"`   // overlay: workdir
	Lower  []string `json:"lower,omitempty"`  // topmost first
	Merged string   `json:"merged,omitempty"` // the whole root, where it is mounted on the host
}

// Container is one container of one runtime. List fills what is cheap to know
// for all of them; Get fills everything.
type Container struct {
	Runtime   string            `json:"runtime"`             // adapter: "containerd", "docker", "cri", "kube", "offline"
	Root      string            `json:"root,omitempty"`      // offline: where the root of its host is mounted here; its paths are that host's
	Keeper    string            `json:"keeper,omitempty"`    // offline: whose records it is known by: "containerd", "docker", "cri-o", "podman"
	Namespace string            `json:"namespace,omitempty"` // containerd's namespace
	ID        string            `json:"id"`
	Name      string            `json:"name,omitempty"`
	Image     Image             `json:"image"`
	State     State             `json:"state"`
	Created   time.Time         `json:"created"`
	Started   time.Time         `json:"started,omitzero"`
	Finished  time.Time         `json:"finished,omitzero"`   // when it ended, of one that has and where that is known
	ExitCode  *int              `json:"exit_code,omitempty"` // of one that has ended, where that is known
	PID       int               `json:"pid,omitempty"`       // init process, in the host's pid namespace; 0 where none runs
	Pod       *Pod              `json:"pod,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Handler   string            `json:"handler,omitempty"` // io.containerd.runc.v2, runsc, kata, …
	Spec      *specs.Spec       `json:"-"`                 // OCI runtime spec; nil where it is not known
	Rootfs    Rootfs            `json:"rootfs"`            // filled by Get
	Logs      []string          `json:"logs,omitempty"`    // log files on the host, rotated ones included; filled by Get
	Notes     []string          `json:"notes,omitempty"`   // what could not be found out, and why
}

// Ref is the canonical, unambiguous target of c: "containerd://NS/ID",
// "docker://ID" or "cri://ID", of one on a disk "offline://ROOT#ID" (containerd's
// with "#NS/ID"), and of what is known from the API of a cluster alone (Runtime
// "kube") "pod/NS/NAME/CONTAINER".
func (c Container) Ref() string {
	if c.Runtime == "kube" && c.Pod != nil {
		return Target{Scheme: "pod", Namespace: c.Pod.Namespace, Pod: c.Pod.Name, Container: c.Pod.Container}.String()
	}
	id := c.ID
	if c.Namespace != "" {
		id = c.Namespace + "/" + id
	}
	if c.Root != "" {
		return Target{Scheme: c.Runtime, Root: c.Root, ID: id}.String()
	}
	return c.Runtime + "://" + id
}

// Runtime is one container runtime on this host. All its methods may be called
// at once from several goroutines. A runtime that does not answer gives an
// error that names its socket; a container that is gone gives *NotFoundError.
type Runtime interface {
	Name() string
	List(ctx context.Context) ([]Container, error)
	// Find returns the containers that a target means; what a runtime's own
	// scheme does not cover gives none and no error.
	Find(ctx context.Context, t Target) ([]Container, error)
	// Get fills everything that is known of a container that Find or List gave.
	Get(ctx context.Context, c Container) (Container, error)
	Close() error
}

// Freezer is the power to pause a container and to let it run again. Both are
// idempotent: what is so already gives no error.
type Freezer interface {
	Pause(ctx context.Context, c Container) error
	Resume(ctx context.Context, c Container) error
	State(ctx context.Context, c Container) (State, error)
}

// Killer is the power to end a container: SIGKILL to all its processes.
type Killer interface {
	Kill(ctx context.Context, c Container) error
}

// Document is a record that a runtime or registry keeps of a container, byte
// for byte as it gave it.
type Document struct {
	Name string // a relative path: "image/manifest.json"
	Data []byte
}

// Describer is the power to hand over a runtime's own records: OCI spec, image
// manifest and config, the runtime's container record, the snapshot chain.
// What cannot be had comes as misses: document name → reason.
type Describer interface {
	Describe(ctx context.Context, c Container) (docs []Document, misses map[string]string, err error)
}
