package mountinfo

import (
	"cmp"
	"os"
	"path"
	"strings"
)

// MarkServed has Served hold as well for what stands on a served mount: a file
// system on a loop device, by its file, and an overlay, by its directories.
// host is the host's table, nil where t is that itself.
//
// A path counts in the table of whoever mounted it: what t shares with the host
// was mounted there, so that nothing which a container mounts over such a path
// hides it. The host's own overlays stand on what the host serves to itself
// (lazily pulled layers), not on the target.
//
// Not seen through are symbolic links and relative paths in options, the device
// mapper, and btrfs, which does not name its devices.
func (t *Table) MarkServed(host *Table) { t.mark(host, loopFile) }

func (t *Table) mark(host *Table, loopFile func(Device) string) {
	shared := host.standing()
	above := map[*Mount][]*Mount{}
	files := map[Device]string{}
	var served []*Mount
	for i := range t.Mounts {
		m := &t.Mounts[i]
		on, ok := shared[m.Dev]
		if m.on = on; !ok {
			for _, p := range m.backing(host == nil, files, loopFile) {
				if below := t.Covering(path.Clean(p)); below != nil {
					above[below] = append(above[below], m)
				}
			}
		}
		if m.Served() {
			served = append(served, m)
		}
	}
	for len(served) > 0 {
		below := served[0]
		served = served[1:]
		for _, m := range above[below] {
			if !m.Served() {
				m.on = cmp.Or(below.on, below.FSType)
				served = append(served, m)
			}
		}
	}
}

// standing gives for the device of each mount what it was found to stand on.
func (t *Table) standing() map[Device]string {
	devs := map[Device]string{}
	if t == nil {
		return devs
	}
	for i := range t.Mounts {
		devs[t.Mounts[i].Dev] = t.Mounts[i].on
	}
	return devs
}

// backing are the paths that a file system takes its data from.
func (m *Mount) backing(host bool, files map[Device]string, loopFile func(Device) string) []string {
	switch {
	case m.FSType == "overlay" && !host:
		o := ParseOverlay(m.Super)
		return append(o.Lower, o.Upper)
	case m.Dev.Major == 0:
		return nil
	}
	file, asked := files[m.Dev]
	if !asked {
		file = loopFile(m.Dev)
		files[m.Dev] = file
	}
	return []string{file}
}

// loopFile is the path of the file behind a loop device or a partition of one;
// empty for any other device.
func loopFile(d Device) string {
	for _, up := range []string{"", "/.."} {
		data, err := os.ReadFile("/sys/dev/block/" + d.String() + up + "/loop/backing_file")
		if err == nil {
			return strings.TrimSuffix(string(data), "\n")
		}
	}
	return ""
}
