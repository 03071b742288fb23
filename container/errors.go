package container

import "errors"

// ErrNotRunning says that a container is there and none of its processes is:
// there is nothing to pause, to resume or to kill.
var ErrNotRunning = errors.New("no process of it is running")
