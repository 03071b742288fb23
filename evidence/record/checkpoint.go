package record

import "time"

// Checkpoint is how a checkpoint was made, or was tried. It is the member
// checkpoint/checkpoint.json.
type Checkpoint struct {
	Via         string    `json:"via"`            // by whose call
	CRIU        string    `json:"criu,omitempty"` // its version, as its log has it
	Allowed     []string  `json:"allowed"`        // what CRIU was told that it may dump
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	FrozenUsec  int64     `json:"frozen_usec,omitempty"` // how long CRIU held the processes itself, as it counted
	Frozen      bool      `json:"frozen"`                // the target stood still before
	FrozenAfter bool      `json:"frozen_after"`
	// Thawed says that the target, which was frozen, was not afterwards, and was
	// frozen again: it may have run from Start at the earliest to End.
	Thawed    string              `json:"thawed,omitempty"`
	Ended     []int               `json:"ended,omitempty"`  // processes, as numbered here, of a frozen target that ended meanwhile
	Error     string              `json:"error,omitempty"`  // of the runtime
	Reason    []Text              `json:"reason,omitempty"` // CRIU's own: the last errors of its log
	Advice    []string            `json:"advice,omitempty"`
	Images    int                 `json:"images"` // files of CRIU's
	Bytes     int64               `json:"bytes"`
	Archive   string              `json:"archive,omitempty"`    // the member that is the runtime's own archive
	ArchiveAt string              `json:"archive_at,omitempty"` // where it was on the host
	Left      []string            `json:"left,omitempty"`       // what is left in the runtime's folders
	Removed   []string            `json:"removed,omitempty"`    // what was taken away there
	Processes []CheckpointProcess `json:"processes,omitempty"`
}

// CheckpointProcess tells a process's number in the images from that on the
// host.
type CheckpointProcess struct {
	PID     int `json:"pid"` // in the images
	HostPID int `json:"host_pid"`
}
