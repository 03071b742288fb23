package container

import "context"

// CheckpointOptions say where a checkpoint goes and what CRIU is allowed.
type CheckpointOptions struct {
	// Dir is a directory of the caller's on this host, with nothing in it but a
	// file of the caller's that begins with "amber". CRIU's images and its log are
	// written below it, where the runtime can do that.
	Dir   string
	Allow CheckpointAllow
}

// CheckpointAllow is what CRIU refuses to dump unless it is told that it may. A
// runtime that cannot tell it leaves it at that.
type CheckpointAllow struct {
	TCPEstablished bool `json:"tcp_established,omitempty"` // open TCP connections: CRIU locks the network meanwhile
	ExternalUnix   bool `json:"ext_unix_sk,omitempty"`     // UNIX sockets whose other end is outside
	FileLocks      bool `json:"file_locks,omitempty"`
	ShellJob       bool `json:"shell_job,omitempty"` // terminals from outside
}

// Checkpointed is what a checkpoint left.
type Checkpointed struct {
	Via     string   // by whose call: "containerd's task API"
	Images  string   // the directory of CRIU's images, or
	Archive string   // the archive that the runtime made
	Log     string   // CRIU's dump.log, where it is not in the archive; also beside an error
	Left    []string // what stays in the runtime's own folders
	// Clear, where it is not nil, takes away what the runtime made in its own
	// folders, and gives what stays; late says that the call was cut off, so that
	// the runtime may still be about to make it.
	Clear func(late bool) (left []string)
}

// Checkpointer is the power to have CRIU write down what a container's
// processes are. It never ends them; whether they run or stand still afterwards
// is for the caller to see, for CRIU thaws what it dumps.
//
// The result tells what there is of log and leftovers also beside an error.
type Checkpointer interface {
	Checkpoint(ctx context.Context, c Container, o CheckpointOptions) (Checkpointed, error)
}
