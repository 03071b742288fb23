package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Down ends the cluster and removes all it made: processes, mounts, network
// namespaces, links, routes, cgroups, and the folder. It works from the record
// in the folder alone, whatever is dead already or stands frozen. Pods are not
// asked to end.
func (k *Kubernetes) Down() error {
	if err := k.killDaemons(); err != nil {
		return err
	}
	if k.Containerd == nil {
		if c, err := Open(k.Dir); err == nil {
			k.Containerd = c
		}
	}
	if k.Made == kubeletFixed {
		_ = os.Remove(k.Made)
	}
	// While the folder is there its record is, and this can be done again.
	err := errors.Join(k.removeNetwork(), k.removeCache())
	if err != nil {
		return err
	}
	if k.Containerd != nil {
		return k.Containerd.Down()
	}
	for _, p := range withArgument(k.path("config.toml")) { // a containerd that has no record yet
		if err := p.kill(); err != nil {
			return err
		}
	}
	unmountAll(k.Dir)
	return os.RemoveAll(k.Dir)
}

func (k *Kubernetes) killDaemons() error {
	var wg sync.WaitGroup
	errs := make(chan error, len(k.Daemons))
	for name, d := range k.Daemons {
		wg.Go(func() {
			if err := k.end(d); err != nil {
				errs <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	wg.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}

// end kills a daemon, also one whose starter was killed before he could note
// its pid.
func (k *Kubernetes) end(d daemon) error {
	err := d.Process.kill()
	if d.Process.PID != 0 {
		return err
	}
	for _, arg := range d.Argv {
		if strings.HasPrefix(arg, "--") && strings.Contains(arg, k.Dir+"/") {
			for _, p := range withArgument(arg) {
				err = errors.Join(err, p.kill())
			}
		}
	}
	return err
}

// removeCache removes what CNI's library keeps of our network in the one place
// that it has for all.
func (k *Kubernetes) removeCache() error {
	const cache = "/var/lib/cni/results"
	if k.Bridge == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(cache, k.cniName()+"-*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	for _, dir := range []string{cache, filepath.Dir(cache)} {
		_ = os.Remove(dir) // where nobody else's is in it
	}
	return nil
}
