// Package docker is amber's adapter for Docker's daemon.
package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"amber/container"
)

// DefaultHost is where dockerd listens unless it is told otherwise.
const DefaultHost = "unix:///var/run/docker.sock"

const callTimeout = 20 * time.Second // of a call whose context has no deadline

// Runtime is one dockerd. It is a container.Runtime, Freezer, Killer and
// Describer.
type Runtime struct {
	host     string
	remote   bool
	stateDir string
	client   *client.Client
}

var (
	_ container.Runtime   = (*Runtime)(nil)
	_ container.Freezer   = (*Runtime)(nil)
	_ container.Killer    = (*Runtime)(nil)
	_ container.Describer = (*Runtime)(nil)
)

// Option changes how a dockerd is seen.
type Option func(*Runtime)

// StateDir names the state directory of the containerd that Docker runs on,
// where that is neither one by default nor told by a container's shim.
func StateDir(dir string) Option { return func(r *Runtime) { r.stateDir = dir } }

// New prepares to speak to the dockerd at a host ("unix:///…", "tcp://…");
// empty means DOCKER_HOST, or else DefaultHost. It does not connect before the
// first call.
func New(_ context.Context, host string, opts ...Option) (*Runtime, error) {
	if host == "" {
		host = os.Getenv("DOCKER_HOST")
	}
	if host == "" {
		host = DefaultHost
	}
	r := &Runtime{host: host, remote: !strings.HasPrefix(host, "unix://")}
	for _, o := range opts {
		o(r)
	}
	var err error
	r.client, err = client.New(client.WithHost(host), client.WithTLSClientConfigFromEnv())
	if err != nil {
		return nil, fmt.Errorf("docker at %s: %w", host, err)
	}
	return r, nil
}

// Name is "docker".
func (r *Runtime) Name() string { return "docker" }

// Close ends the connection.
func (r *Runtime) Close() error { return r.client.Close() }

// Answers reports whether the daemon answers within a second.
func (r *Runtime) Answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := r.client.Ping(ctx, client.PingOptions{})
	return err == nil
}

// bounded gives a context an end where it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}

// failed wraps an error of a call with the socket and what was being done.
func (r *Runtime) failed(doing string, err error) error {
	return fmt.Errorf("docker at %s: %s: %w", r.host, doing, err)
}

// gone is the error for a container that is no longer there.
func gone(c container.Container) error {
	return &container.NotFoundError{Target: container.Target{Scheme: "docker", ID: c.ID}}
}

// lost turns an error of a call about c into what the caller branches on.
func (r *Runtime) lost(c container.Container, doing string, err error) error {
	if errdefs.IsNotFound(err) {
		return gone(c)
	}
	return r.failed(doing+" "+c.Ref(), err)
}

// Pause stops all processes of c.
func (r *Runtime) Pause(ctx context.Context, c container.Container) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err := r.client.ContainerPause(ctx, c.ID, client.ContainerPauseOptions{})
	return r.settle(ctx, c, "pausing", err, container.Paused)
}

// Resume lets them run again.
func (r *Runtime) Resume(ctx context.Context, c container.Container) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err := r.client.ContainerUnpause(ctx, c.ID, client.ContainerUnpauseOptions{})
	return r.settle(ctx, c, "resuming", err, container.Running)
}

// Kill ends c. Under cgroup v1 SIGKILL does not reach a frozen process:
// dockerd thaws a paused container once it has signalled it, and the first
// thing that a thawed process does is to die. With a pid namespace of its own
// all die with the init process; without, the shim kills the rest.
func (r *Runtime) Kill(ctx context.Context, c container.Container) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err := r.client.ContainerKill(ctx, c.ID, client.ContainerKillOptions{Signal: "KILL"})
	return r.settle(ctx, c, "killing", err, container.Stopped)
}

// State is the daemon's own idea of it.
func (r *Runtime) State(ctx context.Context, c container.Container) (container.State, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	got, err := r.client.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
	if err != nil {
		return container.Unknown, r.lost(c, "inspecting", err)
	}
	return state(got.Container.State), nil
}

// settle forgives an error where c is in the wanted state all the same.
func (r *Runtime) settle(ctx context.Context, c container.Container, doing string, err error, want container.State) error {
	if err == nil {
		return nil
	}
	now, stateErr := r.State(ctx, c)
	switch {
	case stateErr != nil:
		return errors.Join(stateErr)
	case now == want:
		return nil
	case now == container.Stopped || now == container.Created:
		return fmt.Errorf("%s %s: %w", doing, c.Ref(), container.ErrNotRunning)
	}
	return r.failed(doing+" "+c.Ref(), err)
}
