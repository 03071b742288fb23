package record

import "time"

// Process is one process as it was while the target stood still: a line of
// process/processes.jsonl. Numbers of processes, users and groups are the
// host's (its initial namespaces) unless said otherwise. What is zero is left
// out.
type Process struct {
	PID        int       `json:"pid"`
	NSPIDs     []int     `json:"ns_pids,omitempty"` // its number in each pid namespace from the host's inwards, the host's included
	PPID       int       `json:"ppid,omitempty"`
	Group      int       `json:"process_group,omitempty"`
	Session    int       `json:"session,omitempty"`
	TTY        string    `json:"tty,omitempty"` // controlling terminal, "MAJOR:MINOR"
	State      string    `json:"state"`         // R, S, D, Z, T, t, X, I as in proc(5)
	Start      time.Time `json:"start"`         // UTC, computed from StartTicks and the boot time: good to 10 ms and the wall clock's steps
	StartTicks uint64    `json:"start_ticks"`   // since boot, in units of 1/100 s (USER_HZ)
	BootID     string    `json:"boot_id,omitempty"`

	Comm Text        `json:"comm"`
	Args []Text      `json:"args,omitempty"` // one per NUL-ended argument
	Exe  *Executable `json:"exe,omitempty"`  // nil for a kernel thread, a zombie, or where it cannot be read
	Cwd  Text        `json:"cwd,omitempty"`
	Root Text        `json:"root,omitempty"`

	UIDs         *IDs            `json:"uids,omitempty"`
	GIDs         *IDs            `json:"gids,omitempty"`
	Groups       []uint32        `json:"groups,omitempty"`
	Capabilities *CapabilitySets `json:"capabilities,omitempty"`
	Seccomp      string          `json:"seccomp,omitempty"` // disabled, strict, filter
	Filters      int             `json:"seccomp_filters,omitempty"`
	NoNewPrivs   bool            `json:"no_new_privs,omitempty"`
	LoginUID     *uint32         `json:"login_uid,omitempty"`     // absent where it was never set
	AuditSession *uint32         `json:"audit_session,omitempty"` // absent where it was never set
	LSM          Text            `json:"lsm_label,omitempty"`     // SELinux context or AppArmor profile
	Tracer       int             `json:"tracer_pid,omitempty"`    // who ptraces it
	Umask        string          `json:"umask,omitempty"`         // octal

	Namespaces map[string]uint64 `json:"namespaces,omitempty"` // kind → inode number
	Cgroups    []Cgroup          `json:"cgroups,omitempty"`
	Threads    []Thread          `json:"threads,omitempty"`

	Files      []OpenFile   `json:"files,omitempty"`
	FilesTotal int          `json:"files_total,omitempty"` // how many are open; Files may hold fewer, the raw members hold all
	Mapped     []MappedFile `json:"mapped,omitempty"`
	AnonExec   []Mapping    `json:"anonymous_executable,omitempty"` // executable memory that no file backs, at most 1024

	Lies  []string  `json:"lies,omitempty"`     // names and places that are not what they seem, each a sentence (safe to print)
	Found []string  `json:"found_by,omitempty"` // "cgroup", "pid namespace", "parent": how it was known to be the container's
	Notes []string  `json:"notes,omitempty"`
	Read  time.Time `json:"read_at"`
	Via   string    `json:"via"` // "procfs"
}

// IDs are the four user or group numbers of a process.
type IDs struct {
	Real      uint32 `json:"real"`
	Effective uint32 `json:"effective"`
	Saved     uint32 `json:"saved"`
	FS        uint32 `json:"fs"`
}

// CapabilitySets are named as in capabilities(7); one that has no name yet is
// "CAP_" and its number.
type CapabilitySets struct {
	Inheritable []string `json:"inheritable,omitempty"`
	Permitted   []string `json:"permitted,omitempty"`
	Effective   []string `json:"effective,omitempty"`
	Bounding    []string `json:"bounding,omitempty"`
	Ambient     []string `json:"ambient,omitempty"`
}

// Cgroup is a line of /proc/PID/cgroup. Hierarchy 0 is cgroup v2.
type Cgroup struct {
	Hierarchy   int    `json:"hierarchy"`
	Controllers string `json:"controllers,omitempty"` // comma-separated, as the kernel has it
	Path        Text   `json:"path"`
}

// Thread is one task of a process.
type Thread struct {
	TID   int    `json:"tid"`
	Comm  Text   `json:"comm"`
	State string `json:"state"`
}

// Executable is the file that a process runs.
type Executable struct {
	Link     Text      `json:"link"` // what /proc/PID/exe shows
	Device   string    `json:"device,omitempty"`
	Inode    uint64    `json:"inode,omitempty"`
	Mode     uint32    `json:"mode,omitempty"` // permission bits with setuid 04000, setgid 02000, sticky 01000
	Size     int64     `json:"size,omitempty"` // bytes
	Mtime    time.Time `json:"mtime,omitzero"`
	Ctime    time.Time `json:"ctime,omitzero"`
	SHA256   string    `json:"sha256,omitempty"` // of the running file, which may not be the one that its path now names
	Deleted  bool      `json:"deleted,omitempty"`
	Replaced bool      `json:"replaced,omitempty"` // its path now names another file, or none
	Memfd    bool      `json:"memfd,omitempty"`
	Outside  string    `json:"outside_image,omitempty"` // where it lies when it is not the image's, or that this is unknown
	Member   string    `json:"member,omitempty"`        // path in the bundle of its copy
}
