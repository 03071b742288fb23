package procfs

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is USER_HZ, which is 100 on every architecture that Go has.
const ticksPerSecond = 100

// Boot is what start times are reckoned from.
type Boot struct {
	ID   string    // /proc/sys/kernel/random/boot_id
	Time time.Time // UTC: the wall clock now, less the time since boot
}

// ReadBoot asks the kernel. The start times of processes count from the boot
// time in the initial time namespace, and so does this, if amber is in it.
func ReadBoot() (Boot, error) {
	id, err := bootID()
	if err != nil {
		return Boot{}, err
	}
	var since, wall unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &since); err != nil {
		return Boot{}, fmt.Errorf("reading the time since boot: %w", err)
	}
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &wall); err != nil {
		return Boot{}, fmt.Errorf("reading the clock: %w", err)
	}
	return Boot{
		ID:   id,
		Time: time.Unix(0, wall.Nano()-since.Nano()).UTC(),
	}, nil
}

// BootID names the present boot of the host; empty where it cannot be read.
func BootID() string {
	id, _ := bootID()
	return id
}

func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading the boot id: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// Start is the time of a number of ticks since boot; a number too great for
// any clock gives the zero time.
func (b Boot) Start(ticks uint64) time.Time {
	const most = 1 << 62 / uint64(time.Second/ticksPerSecond)
	if ticks > most {
		return time.Time{}
	}
	return b.Time.Add(time.Duration(ticks) * (time.Second / ticksPerSecond))
}
