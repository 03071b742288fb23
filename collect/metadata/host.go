package metadata

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"amber/container/mountinfo"
)

// host is metadata/host.json. Strings are as the files have them; what cannot
// be read is left out and noted.
type host struct {
	Name      string            `json:"name"`
	Kernel    kernel            `json:"kernel"`
	OS        map[string]string `json:"os,omitempty"` // ID, VERSION_ID, PRETTY_NAME
	BootID    string            `json:"boot_id"`
	MachineID string            `json:"machine_id,omitempty"`
	Cmdline   string            `json:"cmdline"`
	UptimeS   float64           `json:"uptime_s"`
	Booted    time.Time         `json:"booted,omitzero"`
	Cgroup    string            `json:"cgroup"` // v1, v2, hybrid, none
	LSM       []string          `json:"lsm,omitempty"`
	Tainted   int64             `json:"tainted"`
	TimeZone  string            `json:"time_zone,omitempty"` // /etc/timezone, or what /etc/localtime links to
	CPUs      int               `json:"cpus"`
	CPUModel  string            `json:"cpu_model,omitempty"`
	MemoryKiB map[string]int64  `json:"memory_kib,omitempty"` // MemTotal, MemAvailable, SwapTotal, SwapFree
	Absent    []string          `json:"absent,omitempty"`     // files of the list that this host does not have
	Notes     []string          `json:"notes,omitempty"`
}

type kernel struct {
	System  string `json:"system"`
	Release string `json:"release"`
	Version string `json:"version"`
	Machine string `json:"machine"`
}

// files of the host that are kept as they are.
var files = []string{
	"/etc/os-release", "/etc/machine-id", "/etc/timezone", "/proc/cmdline", "/proc/version", "/proc/modules", "/proc/self/mountinfo",
	"/proc/meminfo", "/proc/cpuinfo", "/proc/uptime", "/proc/loadavg", "/proc/cgroups", "/proc/sys/kernel/tainted",
	"/proc/sys/kernel/random/boot_id", "/sys/kernel/security/lsm",
}

// maxFile bounds what is read of one file, in bytes.
const maxFile = 64 << 20

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return data[:limit], fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, err
}

// files keeps the host's files byte for byte.
func (j *job) files() error {
	for _, p := range files {
		name := "host" + p
		data, err := readFile(p, maxFile)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // host.json says so
		case err != nil:
			err = j.sink.Miss("metadata/"+name, err)
		default:
			err = j.add(name, p, data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *job) host() error { return j.json("host.json", "uname, /proc, /etc", readHost()) }

func readHost() host {
	var h host
	h.Name, _ = os.Hostname()
	h.Kernel = readKernel()
	h.BootID = h.text("/proc/sys/kernel/random/boot_id")
	h.MachineID = h.text("/etc/machine-id")
	h.Cmdline = h.text("/proc/cmdline")
	h.OS = fields(h.text("/etc/os-release"), "=", "ID", "VERSION_ID", "PRETTY_NAME")
	if up, _, _ := strings.Cut(h.text("/proc/uptime"), " "); up != "" {
		h.UptimeS, _ = strconv.ParseFloat(up, 64)
		h.Booted = time.Now().UTC().Add(-time.Duration(h.UptimeS * float64(time.Second))).Truncate(time.Second)
	}
	h.Cgroup = cgroupMode(mountinfo.Parse([]byte(h.text("/proc/self/mountinfo"))))
	if lsm := h.text("/sys/kernel/security/lsm"); lsm != "" {
		h.LSM = strings.Split(lsm, ",")
	}
	h.Tainted, _ = strconv.ParseInt(h.text("/proc/sys/kernel/tainted"), 10, 64)
	h.TimeZone = timeZone()
	h.cpu()
	h.memory()
	for _, p := range files {
		if _, err := os.Stat(p); errors.Is(err, os.ErrNotExist) {
			h.Absent = append(h.Absent, p)
		}
	}
	return h
}

// text is a file without its last newline, made fit for JSON; empty and noted
// where it cannot be read.
func (h *host) text(path string) string {
	data, err := readFile(path, maxFile)
	if err != nil {
		h.Notes = append(h.Notes, err.Error())
		return ""
	}
	return strings.ToValidUTF8(strings.TrimRight(string(data), "\n"), "\uFFFD")
}

func readKernel() kernel {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return kernel{}
	}
	return kernel{
		System: unix.ByteSliceToString(u.Sysname[:]), Release: unix.ByteSliceToString(u.Release[:]),
		Version: unix.ByteSliceToString(u.Version[:]), Machine: unix.ByteSliceToString(u.Machine[:]),
	}
}

// fields reads lines of KEY sep VALUE and keeps the keys that are wanted.
func fields(text, sep string, want ...string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, sep)
		key = strings.TrimSpace(key)
		for _, w := range want {
			if ok && key == w && out[key] == "" {
				out[key] = strings.Trim(strings.TrimSpace(value), `"'`)
			}
		}
	}
	return out
}

// cgroupMode tells which hierarchies are mounted.
func cgroupMode(t *mountinfo.Table) string {
	v1, v2 := false, false
	for _, m := range t.Mounts {
		v1 = v1 || m.FSType == "cgroup"
		v2 = v2 || m.FSType == "cgroup2"
	}
	switch {
	case v1 && v2:
		return "hybrid"
	case v2:
		return "v2"
	case v1:
		return "v1"
	}
	return "none"
}

func timeZone() string {
	if data, err := readFile("/etc/timezone", 256); err == nil {
		return strings.ToValidUTF8(strings.TrimSpace(string(data)), "\uFFFD")
	}
	to, _ := os.Readlink("/etc/localtime")
	if _, zone, ok := strings.Cut(to, "zoneinfo/"); ok {
		return zone
	}
	return to
}

func (h *host) cpu() {
	text := h.text("/proc/cpuinfo")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "processor") {
			h.CPUs++
		}
	}
	h.CPUModel = fields(text, ":", "model name")["model name"]
}

func (h *host) memory() {
	h.MemoryKiB = map[string]int64{}
	for k, v := range fields(h.text("/proc/meminfo"), ":", "MemTotal", "MemAvailable", "SwapTotal", "SwapFree") {
		if n, err := strconv.ParseInt(strings.TrimSuffix(v, " kB"), 10, 64); err == nil {
			h.MemoryKiB[k] = n
		}
	}
}
