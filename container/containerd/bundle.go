package containerd

import (
	"path/filepath"
	"time"

	"amber/container"
)

const defaultState = "/run/containerd"

// merged is where the whole root is mounted on the host.
func (r *Runtime) merged(c container.Container) string {
	bundle := container.Bundle(c.PID, c.Namespace, c.ID, r.stateDir, defaultState)
	if bundle == "" {
		return ""
	}
	root := filepath.Join(bundle, "rootfs")
	if !container.Mounted(root) {
		return ""
	}
	return root
}

func started(c container.Container) time.Time {
	if c.PID == 0 {
		return time.Time{}
	}
	t, err := container.StartTime(c.PID)
	if err != nil {
		return time.Time{}
	}
	return t
}
