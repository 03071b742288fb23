package record

import (
	"encoding/json"
	"time"

	"amber/evidence/custody"
)

// Acquisition is the account of how a bundle came to be: who took it, with
// what, from where, when each step ran, and what taking it altered.
type Acquisition struct {
	Format     string          `json:"format"` // "1"
	Evidence   string          `json:"evidence"`
	Case       string          `json:"case,omitempty"`
	Tool       custody.Tool    `json:"tool"`
	Argv       []string        `json:"argv"`
	Actor      custody.Actor   `json:"actor"`
	Host       Host            `json:"host"`
	Name       string          `json:"name"`               // the target, as container.Container.Ref has it
	Target     json.RawMessage `json:"target"`             // container.Container
	Runtimes   []string        `json:"runtimes,omitempty"` // "containerd 2.1.9 at /run/…"
	Start      time.Time       `json:"start"`
	End        time.Time       `json:"end"`
	Frozen     *Frozen         `json:"frozen,omitempty"`
	Steps      []Step          `json:"steps"`
	Alters     []string        `json:"alterations"` // one sentence for each thing that taking the evidence changed
	Members    int64           `json:"members"`     // objects kept
	Misses     int64           `json:"misses"`      // wanted and not had
	Plain      int64           `json:"plain_bytes"`
	Stored     int64           `json:"stored_bytes"`
	MerkleRoot string          `json:"members_root"` // hex
}

// Host is the machine that the evidence was taken on.
type Host struct {
	Name   string        `json:"name"`
	Kernel string        `json:"kernel"`
	BootID string        `json:"boot_id"`
	Clock  custody.Clock `json:"clock"`
}

// Frozen is how long the target stood still for this acquisition.
type Frozen struct {
	From   time.Time `json:"from"`
	Until  time.Time `json:"until,omitzero"` // zero: still frozen when the bundle was sealed
	How    string    `json:"how"`
	Before string    `json:"before"` // its state before: "running", "paused"
	Millis int64     `json:"stood_still_ms"`
}

// Step is one collector's run.
type Step struct {
	Name    string    `json:"name"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Members int64     `json:"members"`
	Misses  int64     `json:"misses"`
	Bytes   int64     `json:"bytes"`
	Error   string    `json:"error,omitempty"`
}
