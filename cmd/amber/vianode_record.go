package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"amber/container/procfs"
	"amber/evidence/casedir"
	"amber/evidence/durable"
	"amber/isolate"
)

// nodeRecord is what a case knows of a pod of amber's on a node, and of what
// the node keeps: one file of the case's nodes/. It is written before the pod
// is made.
type nodeRecord struct {
	Namespace  string    `json:"namespace"`
	Name       string    `json:"pod"`
	UID        string    `json:"uid,omitempty"`
	Node       string    `json:"node"`
	Image      string    `json:"image"`                    // as it was asked for, pinned
	ImageID    string    `json:"image_id,omitempty"`       // as the runtime has it
	Dir        string    `json:"dir"`                      // of amber on the node
	Case       string    `json:"case,omitempty"`           // of the node's own case
	Private    bool      `json:"private_mounts,omitempty"` // the node's root mount is not shared
	Verb       string    `json:"verb"`
	Target     string    `json:"target,omitempty"`
	Containers []string  `json:"containers,omitempty"` // their runtime's ids
	Holds      bool      `json:"holds"`                // the node may hold the target still
	Made       time.Time `json:"made"`
	Removed    time.Time `json:"removed,omitzero"` // zero: the pod may be there still
}

// Agent is the pod, as NAMESPACE/NAME.
func (r nodeRecord) Agent() string { return r.Namespace + "/" + r.Name }

const nodesDir = "nodes"

// save writes the record into the case.
func (r nodeRecord) save(cs *casedir.Case) error {
	if cs == nil {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Join(cs.Dir(), nodesDir)
	if err := durable.MkdirAll(dir); err != nil {
		return fmt.Errorf("recording the pod on the node: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(dir, r.Name+".json"), append(data, '\n')); err != nil {
		return fmt.Errorf("recording the pod on the node: %w", err)
	}
	return nil
}

// nodeRecords reads those of a case, oldest first.
func nodeRecords(caseDir string) (list []nodeRecord, err error) {
	dir := filepath.Join(caseDir, nodesDir)
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if !f.Type().IsRegular() || !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		data, err := readSmall(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		var r nodeRecord
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.Name(), err)
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b nodeRecord) int { return a.Made.Compare(b.Made) })
	return list, nil
}

// holder is this process, as an agent's annotation names it.
func holder() string {
	pid := procfs.Self()
	st, _ := procfs.ReadStat(pid)
	data, _ := json.Marshal(isolate.Process{PID: pid, Start: st.Start, Boot: procfs.BootID()}) // numbers and a string
	return string(data)
}

// orphaned reports whether the holder of an annotation was a process of this
// boot of this host, and is no more.
func orphaned(annotation string) bool {
	var p isolate.Process
	return json.Unmarshal([]byte(annotation), &p) == nil && p.Boot == procfs.BootID() && !p.Alive()
}
