package containerd

import (
	"context"
	"fmt"
	"syscall"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"amber/container"
)

// exitTimeout is how long a container that was killed is given to be gone.
const exitTimeout = 10 * time.Second

// Pause stops all processes of c. The runtime's own idea of the state is asked
// for only where it refuses, so the common case is one call.
func (r *Runtime) Pause(ctx context.Context, c container.Container) error {
	_, err := r.client.TaskService().Pause(namespaces.WithNamespace(ctx, c.Namespace), &tasksapi.PauseTaskRequest{ContainerID: c.ID})
	return r.settle(ctx, c, "pausing", err, container.Paused)
}

// Resume lets them run again.
func (r *Runtime) Resume(ctx context.Context, c container.Container) error {
	_, err := r.client.TaskService().Resume(namespaces.WithNamespace(ctx, c.Namespace), &tasksapi.ResumeTaskRequest{ContainerID: c.ID})
	return r.settle(ctx, c, "resuming", err, container.Running)
}

// settle forgives an error where c is in the wanted state all the same.
func (r *Runtime) settle(ctx context.Context, c container.Container, doing string, err error, want container.State) error {
	if err == nil {
		return nil
	}
	if now, stateErr := r.State(ctx, c); stateErr != nil {
		return stateErr
	} else if now == want {
		return nil
	} else if now == container.Stopped {
		return fmt.Errorf("%s %s: %w", doing, c.Ref(), container.ErrNotRunning)
	}
	return r.failed(doing+" "+c.Ref(), err)
}

// State is the runtime's own idea of it: a container that was frozen by hand
// through another cgroup hierarchy is running to it.
func (r *Runtime) State(ctx context.Context, c container.Container) (container.State, error) {
	nctx := namespaces.WithNamespace(ctx, c.Namespace)
	process, err := r.process(nctx, c.ID)
	if err != nil {
		return container.Unknown, r.failed("asking for task "+c.Ref(), err)
	}
	if process != nil {
		return state(process.GetStatus()), nil
	}
	_, err = r.client.ContainerService().Get(nctx, c.ID)
	switch {
	case errdefs.IsNotFound(err):
		return container.Unknown, gone(c)
	case err != nil:
		return container.Unknown, r.failed("asking for container "+c.Ref(), err)
	}
	return container.Stopped, nil
}

// Kill sends SIGKILL to all processes of c and waits until its init process is
// gone. Under cgroup v1 the signal does not reach a frozen task, so a paused
// container is thawed after it was signalled: the first thing that a thawed
// task does is to die, no instruction of the container's runs in between.
func (r *Runtime) Kill(ctx context.Context, c container.Container) error {
	nctx := namespaces.WithNamespace(ctx, c.Namespace)
	_, err := r.client.TaskService().Kill(nctx, &tasksapi.KillRequest{ContainerID: c.ID, Signal: uint32(syscall.SIGKILL), All: true})
	if err != nil {
		return r.settle(ctx, c, "killing", err, container.Stopped)
	}
	if now, err := r.State(ctx, c); err == nil && now == container.Paused {
		// It may be gone by now, which is what was wanted.
		_, _ = r.client.TaskService().Resume(nctx, &tasksapi.ResumeTaskRequest{ContainerID: c.ID})
	}
	wctx, cancel := context.WithTimeout(nctx, exitTimeout)
	defer cancel()
	_, err = r.client.TaskService().Wait(wctx, &tasksapi.WaitRequest{ContainerID: c.ID})
	if err = errgrpc.ToNative(err); err != nil && !errdefs.IsNotFound(err) {
		return r.failed("waiting for "+c.Ref()+" to be gone", err)
	}
	return nil
}
