// Package cri is amber's adapter for CRI-O and any other runtime that kubelet
// speaks to by the Container Runtime Interface (k8s.io/cri-api, version v1).
// The interface can list, inspect and stop; it cannot pause, so that freezing is
// left to a container's cgroups.
package cri

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"amber/container"
)

// Name is the adapter's, and the scheme of its targets.
const Name = "cri"

// DefaultEndpoint is where CRI-O listens.
const DefaultEndpoint = "unix:///run/crio/crio.sock"

const (
	callTimeout = 20 * time.Second // of a call whose context has no deadline
	maxMessage  = 16 << 20         // kubelet's own limit
	parallel    = 8                // inspections at once
)

// Runtime is one CRI server. It is a container.Runtime, Killer and Describer.
type Runtime struct {
	socket string
	conn   *grpc.ClientConn
	client runtimeapi.RuntimeServiceClient
	images runtimeapi.ImageServiceClient
}

var (
	_ container.Runtime   = (*Runtime)(nil)
	_ container.Killer    = (*Runtime)(nil)
	_ container.Describer = (*Runtime)(nil)
)

// New prepares to speak to the server at an endpoint, "unix:///PATH" or a path;
// it does not connect before the first call.
func New(_ context.Context, endpoint string) (*Runtime, error) {
	socket := strings.TrimPrefix(endpoint, "unix://")
	if strings.Contains(socket, "://") {
		return nil, fmt.Errorf("CRI at %s: want unix:///PATH", endpoint)
	}
	conn, err := grpc.NewClient("passthrough:///cri",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithUnaryInterceptor(boundedCall), grpc.WithNoProxy(), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, fmt.Errorf("CRI at %s: %w", socket, err)
	}
	return &Runtime{socket, conn, runtimeapi.NewRuntimeServiceClient(conn), runtimeapi.NewImageServiceClient(conn)}, nil
}

func boundedCall(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

// Name is "cri".
func (*Runtime) Name() string { return Name }

// Close ends the connection.
func (r *Runtime) Close() error { return r.conn.Close() }

// Version is the name of the server ("cri-o", "containerd") with its version,
// and the version of the interface.
func (r *Runtime) Version(ctx context.Context) (version, api string, err error) {
	v, err := r.client.Version(ctx, &runtimeapi.VersionRequest{})
	if err != nil {
		return "", "", r.failed("asking for the version", err)
	}
	return v.GetRuntimeName() + " " + v.GetRuntimeVersion(), v.GetRuntimeApiVersion(), nil
}

// Kill has the server stop c without grace, which is SIGKILL. kubelet starts it
// again where the pod says so.
func (r *Runtime) Kill(ctx context.Context, c container.Container) error {
	if _, err := r.status(ctx, c); err != nil { // stopping what is not there is no error to the server
		return err
	}
	_, err := r.client.StopContainer(ctx, &runtimeapi.StopContainerRequest{ContainerId: c.ID})
	return r.lost(c, "killing", err)
}

// failed wraps an error of a call with the socket and what was being done.
func (r *Runtime) failed(doing string, err error) error {
	return fmt.Errorf("CRI at %s: %s: %w", r.socket, doing, err)
}

// lost turns an error of a call about c into what the caller branches on.
func (r *Runtime) lost(c container.Container, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case status.Code(err) == codes.NotFound:
		return &container.NotFoundError{Target: container.Target{Scheme: Name, ID: c.ID}}
	}
	return r.failed(doing+" "+c.Ref(), err)
}
