package cgroupnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"amber/container/procfs"
)

// hostUserNamespace is the inode of the first user namespace
// (PROC_USER_INIT_INO, include/linux/proc_ns.h).
const hostUserNamespace = "user:[4026531837]"

// lifts are the capabilities over the host's network with which a process goes
// around the programs or takes them away, and how.
var lifts = []struct{ name, how string }{
	{"CAP_NET_RAW", "open packet sockets (AF_PACKET), which no cgroup program sees"},
	{"CAP_NET_ADMIN", "change the host's network, and with CAP_BPF detach the programs"},
	{"CAP_SYS_ADMIN", "detach the programs, move to another cgroup, or enter the host's namespaces"},
	{"CAP_SYS_PTRACE", "have a process of the host send in its place, where it sees the host's processes"},
	{"CAP_SYS_MODULE", "load a kernel module"},
}

// warnings say what the programs on one container cannot do.
func (b before) warnings() []string {
	if b.PID <= 0 {
		return nil
	}
	name := b.container().Ref()
	var w []string
	status, err := os.ReadFile("/proc/" + strconv.Itoa(b.PID) + "/status")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w = append(w, fmt.Sprintf("%s: not known what it may do: %v", name, err))
	}
	user, err := procfs.Namespace(b.PID, "user")
	if err != nil || user == hostUserNamespace {
		w = append(w, mayLift(name, procfs.ParseStatus(status).Capabilities("CapBnd"))...)
	}
	if ns, err := procfs.Namespace(b.PID, "pid"); err == nil && procfs.IsHostPID(ns) {
		w = append(w, name+" shares the host's pid namespace: it cannot be told which processes are its own but those in its cgroup")
	}
	w = append(w, fmt.Sprintf("%s: a process of it that moves to another cgroup is not held; verify looks for such", name))
	out, err := b.unseen(nil)
	if err != nil {
		w = append(w, fmt.Sprintf("%s: not known whether it has sockets that were made elsewhere: %v", name, err))
	}
	for _, h := range out {
		w = append(w, fmt.Sprintf("%s: %s: it is not cut off", name, h))
	}
	for _, o := range b.Others {
		w = append(w, fmt.Sprintf("%s: another program is on its cgroup and stays: %s", name, o))
	}
	return w
}

func mayLift(name string, caps []string) []string {
	var w []string
	for _, l := range lifts {
		if slices.Contains(caps, l.name) {
			w = append(w, fmt.Sprintf("with %s it can %s", l.name, l.how))
		}
	}
	if len(w) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: this holds only while it is frozen: %s", name, strings.Join(w, "; "))}
}

func statInode(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Ino
}
