package process

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"amber/collect/process/proc"
	"amber/evidence/record"
)

// maxAnonExec is how many anonymous executable mappings one record names.
const maxAnonExec = 1024

// mostShared is the size in bytes up to which shared memory that nothing
// executes is copied as if it were a deleted file; what is larger is memory.
const mostShared = 64 << 20

// mapping is a file with all its mappings.
type mapping struct {
	record.MappedFile
	first proc.Mapping
}

// mappedFiles lists the mapped files, and copies those that are deleted.
func (s *subject) mappedFiles(ctx context.Context, maps []proc.Mapping) error {
	for _, m := range group(maps) {
		if m.Deleted && string(m.Path) != string(s.raw["exe"]) {
			member, err := s.takeMapped(ctx, m)
			if err != nil {
				return err
			}
			m.Member = member
		}
		s.rec.Mapped = append(s.rec.Mapped, m.MappedFile)
	}
	for _, m := range maps {
		if !m.Backed() && strings.Contains(m.Perms, "x") && m.Name != "[vdso]" && m.Name != "[vsyscall]" &&
			m.Name != "[uprobes]" && len(s.rec.AnonExec) < maxAnonExec {
			s.rec.AnonExec = append(s.rec.AnonExec, record.Mapping{
				Start: fmt.Sprintf("%x", m.Start), End: fmt.Sprintf("%x", m.End),
				Perms: m.Perms, Name: record.Text(m.Name),
			})
		}
	}
	return nil
}

// group takes the mappings of one file together, in the order of addresses.
func group(maps []proc.Mapping) []*mapping {
	type key struct {
		fileKey
		name string
	}
	var all []*mapping
	known := map[key]*mapping{}
	for _, m := range maps {
		if !m.Backed() {
			continue
		}
		k := key{fileKey{device: m.Device, inode: m.Inode}, m.Name}
		f, ok := known[k]
		if !ok {
			f = &mapping{first: m, MappedFile: record.MappedFile{
				Path: record.Text(m.Name), Device: m.Device.String(), Inode: m.Inode, Deleted: m.Deleted(),
			}}
			known[k] = f
			all = append(all, f)
		}
		f.Perms = union(f.Perms, m.Perms)
		f.Bytes += m.End - m.Start
	}
	return all
}

// takeMapped copies one deleted file and gives its member.
func (s *subject) takeMapped(ctx context.Context, m *mapping) (string, error) {
	key := fileKey{device: m.first.Device, inode: m.first.Inode}
	if member, ok := s.mapped[key]; ok && !m.first.SystemV() {
		return member, nil
	}
	name := fmt.Sprintf("%d-%x", s.h.PID, m.first.Start)
	missed := "process/mapped/" + name
	if !m.first.SystemV() {
		s.mapped[key] = ""
	}
	if err := s.mounts.SafeDevice(m.first.Device); err != nil {
		return "", s.miss(ctx, missed, err)
	}
	link := fmt.Sprintf("map_files/%x-%x", m.first.Start, m.first.End)
	f, err := s.live.OpenLink(ctx, s.mounts, link)
	if err != nil {
		return "", s.miss(ctx, missed, err)
	}
	defer f.Close()
	key = keyOf(f, m.first.SystemV())
	if member, ok := s.mapped[key]; ok && m.first.SystemV() {
		return member, nil
	}
	if s.mounts.Memfd(f.Device()) && !strings.Contains(m.Perms, "x") && f.Stat.Blocks*512 > mostShared {
		return "", s.miss(ctx, missed, errors.New("shared memory, not a file that was loaded: left to the memory payload"))
	}
	c, err := s.copyFile(ctx, "process/mapped", name, f, "map_files")
	if err != nil {
		return "", err
	}
	if c.failed != nil {
		return "", s.miss(ctx, missed, c.failed)
	}
	s.mapped[key] = c.member
	return c.member, nil
}
