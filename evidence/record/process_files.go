package record

// OpenFile is one open file descriptor of a process.
type OpenFile struct {
	FD       int    `json:"fd"`
	Thread   int    `json:"thread,omitempty"`   // of a thread with a table of open files of its own; 0 for the process's
	Target   Text   `json:"target"`             // what /proc/PID/fd/N shows
	Type     string `json:"type,omitempty"`     // file, dir, char, block, fifo, socket, symlink, pipe, memfd, an anon_inode's name, or unknown
	Position *int64 `json:"position,omitempty"` // bytes from the start; absent where fdinfo could not be read
	Flags    string `json:"flags,omitempty"`    // octal open(2) flags, as fdinfo has them
	Mode     string `json:"mode,omitempty"`     // "r", "w", "rw" or "path", from Flags
	Inode    uint64 `json:"inode,omitempty"`    // of a socket or pipe: of its pseudo file system, the key of the socket records
	Device   string `json:"device,omitempty"`   // "MAJOR:MINOR" of the file system
	Mount    string `json:"mount,omitempty"`    // type of the file system that it lies on
	Deleted  bool   `json:"deleted,omitempty"`
	Member   string `json:"member,omitempty"` // path in the bundle of the copy of a deleted one
	Note     string `json:"note,omitempty"`
}

// MappedFile is a file mapped into a process's memory, all its mappings taken
// together.
type MappedFile struct {
	Path    Text   `json:"path"`
	Device  string `json:"device"` // "MAJOR:MINOR" in decimal
	Inode   uint64 `json:"inode"`
	Perms   string `json:"perms"` // union of its mappings: a subset of "rwxs"
	Bytes   uint64 `json:"bytes"` // address space that its mappings take
	Deleted bool   `json:"deleted,omitempty"`
	Member  string `json:"member,omitempty"` // path in the bundle of its copy
}

// Mapping is one range of a process's memory: addresses in hexadecimal, end
// exclusive.
type Mapping struct {
	Start string `json:"start"`
	End   string `json:"end"`
	Perms string `json:"perms"` // as /proc/PID/maps has them: "rwxp"
	Name  Text   `json:"name,omitempty"`
}
