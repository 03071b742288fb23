package memory

import (
	"os"
	"strconv"
	"strings"

	"amber/container"
	"amber/container/procfs"
)

// Estimate is about how many bytes a mode will keep of a container that runs,
// before compression, by what the kernel counts of each process. Pages that
// processes share count for each. It touches no memory.
func Estimate(c container.Container, mode Mode) (n int64) {
	if mode == None || c.PID == 0 {
		return 0
	}
	found, _ := container.PIDs(c) // none: the collector says why
	for _, p := range found {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(procfs.Living(p.PID)) + "/status")
		if err != nil {
			continue
		}
		n += resident(procfs.ParseStatus(b), mode)
	}
	return n
}

func resident(s procfs.Status, mode Mode) (n int64) {
	keys := []string{"RssAnon", "RssShmem", "VmSwap"}
	if mode == All {
		keys = append(keys, "RssFile")
	}
	for _, k := range keys {
		kib, _ := strconv.ParseInt(strings.TrimSuffix(s[k], " kB"), 10, 64) // 0: a kernel thread has none
		n += kib << 10
	}
	return n
}
