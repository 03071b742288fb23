package record

import "time"

// MemoryProcess is what became of one process's memory: a line of
// memory/processes.jsonl. Sizes are bytes.
type MemoryProcess struct {
	PID        int        `json:"pid"` // as the host numbers it
	StartTicks uint64     `json:"start_ticks"`
	Comm       Text       `json:"comm"`
	Core       string     `json:"core,omitempty"`   // member: an ELF core file
	SharedWith int        `json:"shares,omitempty"` // pid of a process that has the same memory (CLONE_VM), whose core it is
	Mode       string     `json:"mode"`             // "some", "all"
	Mappings   int        `json:"mappings"`
	Mapped     uint64     `json:"mapped"`           // address space
	Own        uint64     `json:"own"`              // resident or swapped pages that no file has
	Kept       uint64     `json:"kept"`             // in the core, short gaps between pages included
	Unread     uint64     `json:"unread,omitempty"` // in the core as zeros because they could not be read
	Injected   []Injected `json:"injected,omitempty"`
	Registers  Registers  `json:"registers"`
	Notes      []string   `json:"notes,omitempty"`
	Read       time.Time  `json:"read_at"`
	Via        string     `json:"via"` // "procfs"
}

// Registers says of how many threads the core has registers, and how they were
// had.
type Registers struct {
	Threads int    `json:"threads"`
	Taken   int    `json:"taken"`
	How     string `json:"how,omitempty"` // how the threads came to stop, or why none was asked
}

// MemoryMapping is one mapping of a process: a line of memory/mappings.jsonl.
// Addresses are hexadecimal, the end exclusive; sizes are bytes.
type MemoryMapping struct {
	PID int `json:"pid"`
	Mapping
	Offset uint64 `json:"offset,omitempty"` // into the file
	Device string `json:"device,omitempty"`
	Inode  uint64 `json:"inode,omitempty"`
	Own    uint64 `json:"own,omitempty"`    // pages that no file has
	Kept   uint64 `json:"kept,omitempty"`   // in the core
	Unread uint64 `json:"unread,omitempty"` // kept as zeros: they could not be read
	In     string `json:"in,omitempty"`     // the member that has the rest of its pages, taken from another mapping of the same file
	Left   string `json:"left,omitempty"`   // why pages were left out
}

// Injected is a mapping that may hold code that no file brought there.
type Injected struct {
	Mapping
	Why     []string `json:"why"`    // "writable and executable", "executable and no file's", "executable memfd", "differs from its file"
	Bytes   uint64   `json:"bytes"`  // that SHA256 covers, from Start; absent pages count as zeros
	SHA256  string   `json:"sha256"` // hex
	ELF     bool     `json:"elf,omitempty"`
	Differs []string `json:"differs,omitempty"` // addresses of pages whose bytes are not their file's, at most 64
	Pages   int      `json:"pages_differ,omitempty"`
	Strings []Text   `json:"strings,omitempty"` // the first of them, six characters or more
}
