package filesystem

import (
	"encoding/json"

	"amber/container"
	"amber/container/mountinfo"
)

// snapshot is filesystem/mounts/snapshot.json: the host's view of the root.
type snapshot struct {
	Image     container.Image  `json:"image"`
	Rootfs    container.Rootfs `json:"rootfs"`         // as the runtime, or else the mount table, has it
	RootMount *mount           `json:"root,omitempty"` // as the container's first process has it
	Upper     *mount           `json:"upper_lies_on,omitempty"`
	Notes     []string         `json:"notes,omitempty"`
}

type mount struct {
	ID      int    `json:"id"`
	Dev     string `json:"dev"`
	Type    string `json:"type"`
	Source  string `json:"source"`
	Options string `json:"options"`
	Super   string `json:"super_options"`
}

func mountOf(m *mountinfo.Mount) *mount {
	if m == nil {
		return nil
	}
	return &mount{m.ID, m.Dev.String(), m.FSType, m.Source, m.Options, m.Super}
}

// mounts keeps the host's view of the root file system.
func (j *job) mounts() error {
	r := j.layers()
	s := snapshot{Image: j.c.Image, Rootfs: r, RootMount: mountOf(j.root), Notes: j.notes}
	if r.Upper != "" {
		s.Upper = mountOf(j.host.Covering(r.Upper))
	}
	if j.own != nil && j.own.Bad > 0 || j.host.Bad > 0 {
		s.Notes = append(s.Notes, "lines of a mount table could not be read")
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return add(j.sink, "filesystem/mounts/snapshot.json", append(data, '\n'), "the runtime and /proc/self/mountinfo", nil)
}
