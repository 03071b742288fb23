package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/moby/client"

	"amber/container"
)

var _ container.Checkpointer = (*Runtime)(nil)

// checkpointName is that of a checkpoint in the directory that is given.
const checkpointName = "images"

// Checkpoint asks the daemon for one, which it makes only where it was started
// with --experimental, and of what nobody allowed CRIU besides. It is written
// into the directory that is given, not into the daemon's own folder.
//
// CRIU's log is left by the daemon's shim in its own folder, where it fails; it
// is moved from there.
func (r *Runtime) Checkpoint(ctx context.Context, c container.Container, o container.CheckpointOptions) (container.Checkpointed, error) {
	done := container.Checkpointed{Via: "Docker's checkpoint API", Images: filepath.Join(o.Dir, checkpointName)}
	if r.remote {
		return done, fmt.Errorf("checkpoint of %s: the daemon is on another host: %w", c.Ref(), container.ErrNotSupported)
	}
	info, err := r.client.Info(ctx, client.InfoOptions{})
	if err != nil {
		return done, r.failed("asking what the daemon can do", err)
	}
	if !info.Info.ExperimentalBuild {
		return done, fmt.Errorf("checkpoint of %s: dockerd has experimental features off: %w", c.Ref(), container.ErrNotSupported)
	}
	log := filepath.Join(container.Bundle(c.PID, "moby", c.ID, r.stateDir, "/run/containerd", "/run/docker/containerd/daemon"), "criu-dump.log")
	_, before := os.Lstat(log)
	_, err = r.client.CheckpointCreate(ctx, c.ID, client.CheckpointCreateOptions{CheckpointID: checkpointName, CheckpointDir: o.Dir, Exit: false})
	if err != nil {
		done.Log, done.Left = taken(log, before != nil, o.Dir)
		return done, r.lost(c, "checkpoint of", err)
	}
	return done, nil
}

// taken moves a log that was not there before into a directory.
func taken(log string, fresh bool, dir string) (path string, left []string) {
	data, err := os.ReadFile(log)
	if err != nil || !fresh {
		return "", nil
	}
	path = filepath.Join(dir, "dump.log")
	if err := errors.Join(os.WriteFile(path, data, 0o600), os.Remove(log)); err != nil {
		return path, []string{log}
	}
	return path, nil
}
