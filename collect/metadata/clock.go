package metadata

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clock is metadata/clock.json: what the kernel and the programs that keep time
// say of the clock. Nobody is asked over the network, so the distance from true
// time is what this host believes, no more.
type clock struct {
	Synchronised bool      `json:"synchronised"`          // the kernel says that something keeps it in step
	Source       string    `json:"clocksource,omitempty"` // what it counts: "tsc", "kvm-clock"
	Measured     time.Time `json:"measured"`
	MonotonicNS  int64     `json:"monotonic_ns"`
	BoottimeNS   int64     `json:"boottime_ns"`
	Adjtimex     *adjtimex `json:"adjtimex,omitempty"`
	RTC          *rtc      `json:"rtc,omitempty"`
	Keepers      []keeper  `json:"keepers,omitempty"`
	Zone         string    `json:"zone"` // of this process: name and seconds east of UTC
	ZoneOffset   int       `json:"zone_offset_s"`
	Notes        []string  `json:"notes,omitempty"`
}

// adjtimex is what adjtimex(2) answers; see there.
type adjtimex struct {
	State      int   `json:"state"`
	Status     int32 `json:"status"`
	OffsetNS   int64 `json:"offset_ns"`
	MaxErrorUS int64 `json:"max_error_us"`
	EstErrorUS int64 `json:"est_error_us"`
	Frequency  int64 `json:"frequency"` // parts per million, shifted left by 16
	TAI        int32 `json:"tai_offset_s"`
}

// rtc compares the hardware clock with the system's; exact to a second.
type rtc struct {
	Epoch       int64 `json:"epoch_s"`
	DifferenceS int64 `json:"system_ahead_s"`
}

// keeper is a file that a program which keeps the time leaves behind.
type keeper struct {
	Path     string    `json:"path"`
	Modified time.Time `json:"modified"`
	Content  string    `json:"content,omitempty"`
}

// kernelClock asks adjtimex(2), reading only.
func kernelClock() (a *adjtimex, synchronised bool, err error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return nil, false, err
	}
	a = &adjtimex{
		State: state, Status: t.Status, OffsetNS: int64(t.Offset), MaxErrorUS: int64(t.Maxerror), EstErrorUS: int64(t.Esterror),
		Frequency: int64(t.Freq), TAI: t.Tai,
	}
	if t.Status&unix.STA_NANO == 0 {
		a.OffsetNS *= 1000
	}
	return a, t.Status&unix.STA_UNSYNC == 0 && state != unix.TIME_ERROR, nil
}

func readClock() clock {
	c := clock{}
	var err error
	if c.Adjtimex, c.Synchronised, err = kernelClock(); err != nil {
		c.Notes = append(c.Notes, "adjtimex: "+err.Error())
	}
	if data, err := readFile("/sys/devices/system/clocksource/clocksource0/current_clocksource", 256); err == nil {
		c.Source = strings.TrimSpace(string(data))
	}
	c.Measured = time.Now().UTC()
	c.MonotonicNS, c.BoottimeNS = clockNow(unix.CLOCK_MONOTONIC), clockNow(unix.CLOCK_BOOTTIME)
	c.Zone, c.ZoneOffset = time.Now().Zone()
	if epoch, err := readNumber("/sys/class/rtc/rtc0/since_epoch"); err != nil {
		c.Notes = append(c.Notes, "hardware clock: "+err.Error())
	} else {
		c.RTC = &rtc{epoch, time.Now().Unix() - epoch}
	}
	for _, p := range keepers {
		if k, ok := readKeeper(p); ok {
			c.Keepers = append(c.Keepers, k)
		}
	}
	return c
}

func clockNow(id int32) int64 {
	var ts unix.Timespec
	if unix.ClockGettime(id, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

// keepers are the traces of systemd-timesyncd, chrony and ntpd. The time of
// the first two is that of the last synchronisation.
var keepers = []string{
	"/run/systemd/timesync/synchronized", "/var/lib/systemd/timesync/clock",
	"/var/lib/chrony/drift", "/var/lib/chrony/chrony.drift", "/run/chrony/chronyd.pid",
	"/var/lib/ntp/ntp.drift", "/var/lib/ntp/drift", "/var/lib/ntpsec/ntp.drift",
}

func readKeeper(path string) (keeper, bool) {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return keeper{}, false
	}
	k := keeper{Path: path, Modified: st.ModTime().UTC()}
	if data, err := readFile(path, 4<<10); err == nil {
		k.Content = strings.ToValidUTF8(string(data), "\uFFFD")
	}
	return k, true
}

func readNumber(path string) (int64, error) {
	data, err := readFile(path, 64)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}
