package custody

import (
	"maps"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Stamp fills in what this host knows: who acts, where, when, by which clock.
// What e.Actor.Claimed holds already is kept.
func Stamp(e *Entry) {
	e.Actor = actor(e.Actor.Claimed)
	e.Host, _ = os.Hostname()
	e.BootID = firstLine("/proc/sys/kernel/random/boot_id")
	e.Time, e.Monotonic = now()
	e.Clock = clock()
}

func now() (time.Time, int64) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Now().UTC(), 0
	}
	return time.Now().UTC(), ts.Nano()
}

func actor(claimed map[string]string) Actor {
	a := Actor{UID: os.Getuid(), Claimed: map[string]string{}}
	maps.Copy(a.Claimed, claimed)
	if name := os.Getenv("SUDO_USER"); name != "" {
		a.Claimed["sudo_user"] = name
	}
	a.User = userName(int64(a.UID))
	const unset = 1<<32 - 1
	if id, err := strconv.ParseInt(firstLine("/proc/self/loginuid"), 10, 64); err == nil && id != unset {
		a.LoginUID, a.Login = &id, userName(id)
	}
	return a
}

func userName(uid int64) string {
	u, err := user.LookupId(strconv.FormatInt(uid, 10))
	if err != nil {
		return ""
	}
	return u.Username
}

// clock asks the kernel what it knows of its own clock (adjtimex(2)).
func clock() Clock {
	c := Clock{Source: firstLine("/sys/devices/system/clocksource/clocksource0/current_clocksource"), Method: "adjtimex"}
	const timeError = 5 // TIME_ERROR: the clock is not synchronised
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		c.Method = "none: " + err.Error()
		return c
	}
	c.Synchronised = state != timeError && tx.Status&unix.STA_UNSYNC == 0
	c.OffsetNS = int64(tx.Offset)
	if tx.Status&unix.STA_NANO == 0 {
		c.OffsetNS *= 1000
	}
	c.MaxErrorUS = int64(tx.Maxerror)
	return c
}

func firstLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}
