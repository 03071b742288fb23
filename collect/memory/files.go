package memory

import "amber/collect/process/proc"

// files are the files behind a process's mappings, each open once.
type files struct {
	byKey map[fileKey]*proc.File
	hung  bool // a read of one was abandoned
}

// put takes f over.
func (o *files) put(m *mapping, f *proc.File) {
	k := m.key()
	if o.byKey == nil {
		o.byKey = map[fileKey]*proc.File{}
	}
	if o.byKey[k] != nil {
		_ = f.Close()
		return
	}
	o.byKey[k] = f
}

func (o *files) of(m *mapping) *proc.File { return o.byKey[m.key()] }

func (o *files) close() {
	if o.hung {
		return
	}
	for _, f := range o.byKey {
		_ = f.Close()
	}
}
