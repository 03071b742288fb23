package main

import (
	"os"
	"time"

	"amber/container"
)

// sinceStart is how many milliseconds before t this process was started; -1
// where that cannot be known.
func sinceStart(t time.Time) int64 {
	started, err := container.StartTime(os.Getpid())
	if err != nil {
		return -1
	}
	return t.Sub(started).Milliseconds()
}
