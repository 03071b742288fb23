// Package containerd is amber's adapter for containerd, 1.6 and later, in all
// of its namespaces. It is built on the services of containerd's own client
// library, not on that library's containers and tasks: those ask the daemon
// more often, and the path from the start of amber to a frozen container is
// short. No service is used that 1.6 does not have.
package containerd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

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
	client   *client.Client
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
		grpc.WithUnaryInterceptor(boundedCall), grpc.WithStreamInterceptor(boundedStream),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, fmt.Errorf("containerd at %s: %w", address, err)
	}
	go prepareSpec()
	if r.client, err = client.NewWithConn(conn); err != nil {
		return nil, errors.Join(fmt.Errorf("containerd at %s: %w", address, err), conn.Close())
	}
	return r, nil
}

// bounded gives a call an end.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}

func boundedCall(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return invoke(ctx, method, req, reply, cc, opts...)
}

// boundedStream is for the lists and blobs that the library reads in pieces.
func boundedStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, cancel := bounded(ctx)
	return open(ctx, desc, cc, method, append(slices.Clip(opts), grpc.OnFinish(func(error) { cancel() }))...)
}

// Name is "containerd".
func (r *Runtime) Name() string { return "containerd" }

// Close ends the connection.
func (r *Runtime) Close() error { return r.client.Close() }

// Version is the daemon's version and revision.
func (r *Runtime) Version(ctx context.Context) (version, revision string, err error) {
	v, err := r.client.Version(ctx)
	if err != nil {
		return "", "", r.failed("asking for the version", err)
	}
	return v.Version, v.Revision, nil
}

// namespaces lists those that are shown.
func (r *Runtime) namespaces(ctx context.Context) ([]string, error) {
	names, err := r.client.NamespaceService().List(ctx)
	if err != nil {
		return nil, r.failed("listing namespaces", err)
	}
	return slices.DeleteFunc(names, func(ns string) bool { return !r.shows(ns) }), nil
}

func (r *Runtime) shows(ns string) bool { return ns != moby || !r.skipMoby() }

// moby is the namespace that Docker's daemon keeps its containers in.
const moby = "moby"

// failed wraps an error of a call with the socket and what was being done.
func (r *Runtime) failed(doing string, err error) error {
	return fmt.Errorf("containerd at %s: %s: %w", r.address, doing, err)
}

// gone is the error for a container that is no longer there.
func gone(c container.Container) error {
	return &container.NotFoundError{Target: container.Target{Scheme: "containerd", Namespace: c.Namespace, ID: c.ID}}
}
