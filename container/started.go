package container

import (
	"time"

	"amber/container/procfs"
)

// StartTime is when a process of this host started, to a hundredth of a
// second, by the host's clock as it runs now.
func StartTime(pid int) (time.Time, error) {
	stat, err := procfs.ReadStat(pid)
	if err != nil {
		return time.Time{}, err
	}
	boot, err := procfs.ReadBoot()
	if err != nil {
		return time.Time{}, err
	}
	return boot.Start(stat.Start), nil
}
