package container

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"amber/container/procfs"
)

// StartTime is when a process of this host started, by the host's clock as it
// runs now: the same at each call, while procfs.ReadBoot follows each look at
// the clock. It may be early by up to a second, for the kernel gives the time of
// its boot in whole ones.
func StartTime(pid int) (time.Time, error) {
	stat, err := procfs.ReadStat(pid)
	if err != nil {
		return time.Time{}, err
	}
	boot, err := bootTime()
	if err != nil {
		return time.Time{}, err
	}
	return procfs.Boot{Time: boot}.Start(stat.Start), nil
}

func bootTime() (time.Time, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, err
	}
	for line := range strings.Lines(string(stat)) {
		if value, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return time.Unix(seconds, 0).UTC(), err
		}
	}
	return time.Time{}, fmt.Errorf("/proc/stat has no btime")
}
