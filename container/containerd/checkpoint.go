package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/typeurl/v2"

	"amber/container"
)

var _ container.Checkpointer = (*Runtime)(nil)

// shimLog is where a shim leaves CRIU's log when that fails.
const shimLog = "criu-dump.log"

// Checkpoint has runc call CRIU, through the task API. With a path for the
// images the daemon keeps nothing of them in its content store, and since the
// call is the service's own and not the client library's, nothing is paused or
// resumed around it.
func (r *Runtime) Checkpoint(ctx context.Context, c container.Container, o container.CheckpointOptions) (container.Checkpointed, error) {
	done := container.Checkpointed{Via: "containerd's task API", Images: filepath.Join(o.Dir, "images")}
	work := filepath.Join(o.Dir, "work")
	for _, dir := range []string{done.Images, work} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return done, fmt.Errorf("making a directory for CRIU: %w", err)
		}
	}
	options, err := typeurl.MarshalAnyToProto(&runcoptions.CheckpointOptions{
		OpenTcp: o.Allow.TCPEstablished, ExternalUnixSockets: o.Allow.ExternalUnix, FileLocks: o.Allow.FileLocks,
		Terminal: o.Allow.ShellJob, ImagePath: done.Images, WorkPath: work,
	})
	if err != nil {
		return done, fmt.Errorf("the options of a checkpoint: %w", err)
	}
	left := r.shimLog(c)
	_, err = r.client.TaskService().Checkpoint(namespaces.WithNamespace(ctx, c.Namespace), &tasksapi.CheckpointTaskRequest{ContainerID: c.ID, Options: options})
	done.Log = filepath.Join(work, "dump.log")
	if err == nil {
		return done, nil
	}
	done.Clear = left.clear
	return done, r.failed("checkpoint of "+c.Ref(), err)
}

// leftover is a file that a shim may make.
type leftover struct {
	path  string
	there bool // before
}

func (r *Runtime) shimLog(c container.Container) leftover {
	dir := container.Bundle(c.PID, c.Namespace, c.ID, r.stateDir, defaultState)
	if dir == "" {
		return leftover{}
	}
	l := leftover{path: filepath.Join(dir, shimLog)}
	_, err := os.Lstat(l.path)
	l.there = !errors.Is(err, fs.ErrNotExist)
	return l
}

// lateLog is how long a shim whose call was cut off is given to leave its log.
const lateLog = 3 * time.Second

// clear removes what was not there before, and gives what stays.
func (l leftover) clear(late bool) []string {
	if l.path == "" {
		return nil
	}
	if late {
		l.await()
	}
	if _, err := os.Lstat(l.path); err != nil {
		return nil
	}
	if l.there || os.Remove(l.path) != nil {
		return []string{l.path}
	}
	return nil
}

func (l leftover) await() {
	for begun := time.Now(); time.Since(begun) < lateLog; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Lstat(l.path); err == nil {
			return
		}
	}
}
