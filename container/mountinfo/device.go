package mountinfo

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Device is a device number.
type Device struct{ Major, Minor uint32 }

// DeviceOf splits the device number of a stat.
func DeviceOf(dev uint64) Device { return Device{unix.Major(dev), unix.Minor(dev)} }

// String is "MAJOR:MINOR" in decimal.
func (d Device) String() string { return fmt.Sprintf("%d:%d", d.Major, d.Minor) }

func parseDevice(s string) (Device, error) {
	major, minor, _ := strings.Cut(s, ":")
	a, err := strconv.ParseUint(major, 10, 32)
	if err != nil {
		return Device{}, fmt.Errorf("device %q: %w", s, err)
	}
	b, err := strconv.ParseUint(minor, 10, 32)
	if err != nil {
		return Device{}, fmt.Errorf("device %q: %w", s, err)
	}
	return Device{uint32(a), uint32(b)}, nil
}
