package testbed

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
)

// Down ends every container, the daemon and its shims, and removes the folder
// with everything in it. It works from the record in the folder alone, also
// where the daemon is dead already or containers stand frozen.
func (c *Containerd) Down() error {
	thaw(c.Namespace)
	if c.Daemon.alive() {
		c.deleteContainers()
	}
	for _, p := range c.Dependents {
		if err := p.stop(); err != nil {
			return err
		}
	}
	if err := c.Stop(); err != nil {
		return err
	}
	killAll(c.Namespace)
	// A shim names its daemon's socket on its command line; the socket is ours alone.
	for _, shim := range withArgument(c.Address) {
		_ = shim.stop()
	}
	removeCGroups(c.Namespace)
	unmountAll(c.Dir)
	if left := mountsBelow(c.Dir); len(left) > 0 {
		return errors.New("still mounted: " + left[0])
	}
	return os.RemoveAll(c.Dir)
}

// deleteContainers asks the daemon to delete all it has; what it fails at is
// killed by its cgroup afterwards.
func (c *Containerd) deleteContainers() {
	cl := c.client
	if cl == nil {
		var err error
		if cl, err = client.New(c.Address); err != nil {
			return
		}
		defer cl.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	names, err := cl.NamespaceService().List(ctx)
	if err != nil {
		return
	}
	for _, ns := range names {
		nctx := namespaces.WithNamespace(ctx, ns)
		list, err := cl.Containers(nctx)
		if err != nil {
			continue
		}
		for _, ctr := range list {
			deleteContainer(nctx, ctr)
		}
	}
}

// Remove deletes one container, whatever it is doing. One that is not there is
// no error.
func (c *Containerd) Remove(t testing.TB, ns, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(namespaces.WithNamespace(context.Background(), ns), 30*time.Second)
	defer cancel()
	ctr, err := c.client.LoadContainer(ctx, id)
	if errdefs.IsNotFound(err) {
		return
	}
	if err != nil {
		t.Fatalf("removing %s/%s: %v", ns, id, err)
	}
	deleteContainer(ctx, ctr)
	if _, err := c.client.LoadContainer(ctx, id); !errdefs.IsNotFound(err) {
		t.Fatalf("%s/%s is still there: %v", ns, id, err)
	}
}

func deleteContainer(ctx context.Context, ctr client.Container) {
	if task, err := ctr.Task(ctx, nil); err == nil {
		_ = task.Resume(ctx)
		exited, err := task.Wait(ctx)
		_ = task.Kill(ctx, syscall.SIGKILL, client.WithKillAll)
		if err == nil {
			select {
			case <-exited:
			case <-time.After(5 * time.Second):
			}
		}
		_, _ = task.Delete(ctx, client.WithProcessKill)
	}
	_ = ctr.Delete(ctx, client.WithSnapshotCleanup)
}

// sweep takes down what tests left behind that were killed. Anybody may write
// to the directory for temporary files: only folders of our own are believed.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*"))
	for _, dir := range left {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
			continue
		}
		if k, err := readKubernetes(dir); err == nil {
			if k.Owner.PID != 0 && !k.Owner.alive() {
				_ = k.Down()
			}
			continue
		}
		c, err := Open(dir)
		if err == nil && c.Owner.PID != 0 && !c.Owner.alive() {
			_ = c.Down()
		}
	}
}
