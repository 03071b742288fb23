// Package containerd is amber's adapter for containerd, 1.6 and later, in all
// of its namespaces. It speaks to the daemon's gRPC services directly: the
// client library's packages alone take longer to start than a container to be
// found, and the path from the start of amber to a frozen container is short.
package containerd

import (
	"context"
	"fmt"
	"net"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	contentapi "github.com/containerd/containerd/api/services/content/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	namespacesapi "github.com/containerd/containerd/api/services/namespaces/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	versionapi "github.com/containerd/containerd/api/services/version/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"amber/container"
)

// DefaultAddress is where containerd listens unless it is told otherwise.
const DefaultAddress = "/run/containerd/containerd.sock"

const (
	callTimeout = 20 * time.Second // of a call whose context has no deadline
	maxMessage  = 16 << 20         // containerd's own limit
)

// Runtime is one containerd. It is a container.Runtime, Freezer, Killer and
// Describer.
type Runtime struct {
	address  string
	stateDir string
	skipMoby func() bool
	conn     *grpc.ClientConn
}

var (
	_ container.Runtime = (*Runtime)(nil)
	_ container.Freezer = (*Runtime)(nil)
	_ container.Killer  = (*Runtime)(nil)
)

// Option changes how a containerd is seen.
type Option func(*Runtime)

// StateDir names the daemon's state directory, where that is neither the one
// by default nor told by a container's shim.
func StateDir(dir string) Option { return func(r *Runtime) { r.stateDir = dir } }

// MobyUnless says when Docker's own namespace "moby" belongs to the adapter of
// Docker: docker is asked at each look, and "moby" is left out while it
// answers true. Without this option containerd shows it.
func MobyUnless(docker func() bool) Option { return func(r *Runtime) { r.skipMoby = docker } }

// New prepares to speak to the containerd at a socket; it does not connect
// before the first call.
func New(_ context.Context, address string, opts ...Option) (*Runtime, error) {
	r := &Runtime{address: address, skipMoby: func() bool { return false }}
	for _, o := range opts {
		o(r)
	}
	conn, err := grpc.NewClient("passthrough:///containerd",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", address)
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithUnaryInterceptor(bounded), grpc.WithNoProxy(), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, fmt.Errorf("containerd at %s: %w", address, err)
	}
	r.conn = conn
	return r, nil
}

// bounded gives every call an end.
func bounded(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

// Name is "containerd".
func (r *Runtime) Name() string { return "containerd" }

// Close ends the connection.
func (r *Runtime) Close() error { return r.conn.Close() }

// Version is the daemon's version and revision.
func (r *Runtime) Version(ctx context.Context) (version, revision string, err error) {
	v, err := versionapi.NewVersionClient(r.conn).Version(ctx, &emptypb.Empty{})
	if err != nil {
		return "", "", r.failed("asking for the version", err)
	}
	return v.GetVersion(), v.GetRevision(), nil
}

func (r *Runtime) containers() containersapi.ContainersClient {
	return containersapi.NewContainersClient(r.conn)
}
func (r *Runtime) tasks() tasksapi.TasksClient     { return tasksapi.NewTasksClient(r.conn) }
func (r *Runtime) images() imagesapi.ImagesClient  { return imagesapi.NewImagesClient(r.conn) }
func (r *Runtime) blobs() contentapi.ContentClient { return contentapi.NewContentClient(r.conn) }
func (r *Runtime) snapshots() snapshotsapi.SnapshotsClient {
	return snapshotsapi.NewSnapshotsClient(r.conn)
}

// inNamespace makes the calls with ctx concern one namespace.
func inNamespace(ctx context.Context, ns string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "containerd-namespace", ns)
}

// namespaces lists those that are shown.
func (r *Runtime) namespaces(ctx context.Context) ([]string, error) {
	resp, err := namespacesapi.NewNamespacesClient(r.conn).List(ctx, &namespacesapi.ListNamespacesRequest{})
	if err != nil {
		return nil, r.failed("listing namespaces", err)
	}
	var names []string
	for _, ns := range resp.GetNamespaces() {
		if r.shows(ns.GetName()) {
			names = append(names, ns.GetName())
		}
	}
	return names, nil
}

func (r *Runtime) shows(ns string) bool { return ns != moby || !r.skipMoby() }

// moby is the namespace that Docker's daemon keeps its containers in.
const moby = "moby"

// failed wraps an error of a call with the socket and what was being done.
func (r *Runtime) failed(doing string, err error) error {
	return fmt.Errorf("containerd at %s: %s: %w", r.address, doing, err)
}

func isNotFound(err error) bool { return status.Code(err) == codes.NotFound }

// gone is the error for a container that is no longer there.
func gone(c container.Container) error {
	return &container.NotFoundError{Target: container.Target{Scheme: "containerd", Namespace: c.Namespace, ID: c.ID}}
}
