package checkpoint

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"amber/container"
	"amber/evidence/record"
	"amber/evidence/safetext"
)

// Kind is something that CRIU dumps only where it is told that it may.
type Kind struct {
	Name string // as CRIU's option has it, and --checkpoint-allow
	What string
	in   func(*container.CheckpointAllow) *bool
}

// Kinds are all of them.
var Kinds = []Kind{
	{"tcp-established", "open TCP connections; CRIU puts rules into the container's network namespace while it dumps them", func(a *container.CheckpointAllow) *bool { return &a.TCPEstablished }},
	{"ext-unix-sk", "UNIX sockets whose other end is outside the container", func(a *container.CheckpointAllow) *bool { return &a.ExternalUnix }},
	{"file-locks", "locks on files", func(a *container.CheckpointAllow) *bool { return &a.FileLocks }},
	{"shell-job", "terminals that were opened outside", func(a *container.CheckpointAllow) *bool { return &a.ShellJob }},
}

// ParseAllow reads the names of kinds.
func ParseAllow(names []string) (a container.CheckpointAllow, err error) {
	for _, name := range names {
		i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name })
		if i < 0 {
			return a, fmt.Errorf("%q is nothing that CRIU can be allowed", name)
		}
		*Kinds[i].in(&a) = true
	}
	return a, nil
}

// Advice is what can be done about an error of CRIU or runc.
type Advice struct {
	Says string // part of the error
	Do   string
}

// Advices is docs/checkpoint.md's table. The first that fits is given.
var Advices = []Advice{
	{"Connected TCP socket", "--checkpoint-allow tcp-established"},
	{"tcp-established", "--checkpoint-allow tcp-established"},
	{"External socket is used", "--checkpoint-allow ext-unix-sk"},
	{"ext-unix-sk", "--checkpoint-allow ext-unix-sk"},
	{"file locks", "--checkpoint-allow file-locks"},
	{"file-locks", "--checkpoint-allow file-locks"},
	{"shell-job", "--checkpoint-allow shell-job"},
	{"ghost file", "`ghost-limit 256M` in the node's /etc/criu/runc.conf: CRIU keeps deleted files of up to 1 MiB otherwise"},
	{"Can't lookup mount", "a file is open that lies outside the container's mounts, most often its standard output: nothing can be done while it runs so"},
	{"executable file not found", "install CRIU where the runtime's PATH finds it; a shim keeps the PATH it was started with, so this container cannot be dumped any more"},
	{"CRIU binary not found", "install CRIU where the runtime's PATH finds it"},
	{"CRIU version", "install a newer CRIU (amber is tested with 4.1.1)"},
	{"vdso", "install a newer CRIU: this one does not know the kernel's vDSO"},
	{"No space left on device", "give a --case on another disk: CRIU's images are spooled beside it"},
	{"multipathtcp", "a socket by Multipath TCP, as Go's programs listen where they are not told otherwise (GODEBUG=multipathtcp=0): CRIU dumps none, and nothing can be done while it runs so"},
	{"inet_diag", "this CRIU does not get on with this kernel's socket diagnostics: a newer CRIU"},
	{"sockets_diag", "this CRIU does not get on with this kernel's socket diagnostics: a newer CRIU"},
	{"sockets: Can't get", "this CRIU and this kernel do not agree on a socket's options: a newer CRIU"},
	{"Can't dump nested", "namespaces within the container: CRIU does not dump all of them"},
	{"seccomp", "a kernel and a CRIU that know seccomp filters of several threads"},
	{"nvidia", "a GPU: CRIU's cuda plug-in"},
	{"/dev/", "a device is open or mapped that CRIU does not know"},
	{"experimental", "start dockerd with --experimental"},
	{"ContainerCheckpoint", "the kubelet's feature gate ContainerCheckpoint is off, or its runtime has no such call"},
	{"did not end within", "--checkpoint-timeout gives CRIU longer"},
}

func advise(failed string, reason []record.Text) (list []string) {
	for _, line := range append(slices.Clone(reason), record.Text(failed)) {
		for _, a := range Advices {
			if strings.Contains(strings.ToLower(string(line)), strings.ToLower(a.Says)) {
				if !slices.Contains(list, a.Do) {
					list = append(list, a.Do)
				}
				break
			}
		}
	}
	return list
}

const (
	maxLog    = 8 << 20 // of a log, its end is kept
	maxReason = 3       // errors
	maxLine   = 512
)

// harmless are errors that CRIU goes on after.
var harmless = []string{"Can't setup RLIMIT_NOFILE"}

// reasons are the last errors of a log.
func reasons(log []byte) (list []record.Text) {
	for line := range bytes.Lines(log) {
		text := strings.TrimSpace(string(line[:min(len(line), maxLine)]))
		if !strings.Contains(text, "Error (") || slices.ContainsFunc(harmless, func(h string) bool { return strings.Contains(text, h) }) {
			continue
		}
		list = append(list, record.Text(text))
	}
	return list[max(0, len(list)-maxReason):]
}

func explain(r *record.Checkpoint) string {
	var said []string
	for _, line := range r.Reason {
		said = append(said, safetext.Line(string(line)))
	}
	text := cmp.Or(strings.Join(said, "; "), r.Error)
	if len(r.Advice) > 0 {
		text += ". What can be done: " + strings.Join(r.Advice, "; ")
	}
	return text
}

// versionOf is CRIU's version as its log has it.
func versionOf(log []byte) string {
	for line := range bytes.Lines(log[:min(len(log), 64<<10)]) {
		if _, v, ok := strings.Cut(string(line), "Version: "); ok {
			v, _, _ = strings.Cut(strings.TrimSpace(v), " ")
			return safetext.Line(v)
		}
	}
	return ""
}
