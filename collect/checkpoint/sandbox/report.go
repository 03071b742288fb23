package sandbox

import (
	"encoding/json"
	"os"
	"time"
)

// Report is what was run, and what it did. Names in it are the target's.
type Report struct {
	Name          string    `json:"name"`
	Bundle        string    `json:"bundle"`
	Digest        string    `json:"bundle_digest"`
	Began         time.Time `json:"began"`
	Ended         time.Time `json:"ended"`
	Cut           string    `json:"cut,omitempty"` // why it was ended before it ended by itself
	Command       []string  `json:"command"`
	Restored      bool      `json:"restored"`
	UserNamespace bool      `json:"user_namespace"`
	Exit          int       `json:"exit"`
	Laid          Laid      `json:"laid_out"`
	Missing       []string  `json:"missing,omitempty"` // what the recorded file system or its start lacks
	Processes     []Process `json:"processes"`         // seen by looking again and again: a short one can be missed
	MoreProcesses int       `json:"more_processes,omitempty"`
	Changes       []Change  `json:"changes"` // of scratch
	MoreChanges   int       `json:"more_changes,omitempty"`
	Sunk          int       `json:"sinkhole_entries"`
	Error         string    `json:"error,omitempty"`
}

// Laid counts what was laid out.
type Laid struct {
	Layers  int      `json:"layers"`
	Files   int64    `json:"files"`
	Bytes   int64    `json:"bytes"`
	Others  int64    `json:"others"`
	Left    int64    `json:"left_out"` // device nodes, sockets, what cannot be had; the first of them are named
	Reasons []string `json:"reasons,omitempty"`
}

// mostNamed bounds each list of a report; what is more is counted.
const mostNamed = 10_000

func (l *Laid) leave(path, why string) {
	l.Left++
	if len(l.Reasons) < 1000 {
		l.Reasons = append(l.Reasons, path+": "+why)
	}
}

func readReport(name string) (r Report, err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(data, &r)
}

// takeOver adds what the helper has seen.
func (r *Report) takeOver(in Report) {
	r.Command, r.Restored, r.Exit, r.Error = in.Command, in.Restored, in.Exit, in.Error
	r.Processes, r.MoreProcesses, r.Changes, r.MoreChanges, r.Sunk = in.Processes, in.MoreProcesses, in.Changes, in.MoreChanges, in.Sunk
	r.Missing = append(r.Missing, in.Missing...)
}
