package analyse

import (
	"errors"
	"fmt"

	"amber/evidence/record"
)

// criuFile is one open file of a checkpoint, by whomever.
type criuFile struct {
	id      uint32
	kind    string // as record.OpenFile has it
	name    record.Text
	flags   uint64
	pos     uint64
	hasPos  bool
	size    uint64
	mode    uint32
	inode   uint64
	deleted bool
	remap   uint32 // of a deleted file: the number of its ghost
	regular uint32 // of a FIFO or terminal: the number of the file that it is opened by
	socket  *record.NetSocket
	ends    [2][]byte // of an inet socket: its two addresses, which come word by word
}

// criuFiles are all files of a checkpoint.
type criuFiles struct {
	c    *Checkpoint
	byID map[uint32]*criuFile
}

// criuKinds are the fields of a file_entry: what it is, and where in its
// message flags, position and inode are; 0 for none.
var criuKinds = map[int]struct {
	kind              string
	flags, pos, inode int
}{
	3: {"file", 2, 3, 0}, 4: {"socket", 9, 0, 2}, 5: {"ns", 0, 0, 0}, 6: {"socket", 0, 0, 0}, 7: {"socket", 0, 0, 2}, 8: {"eventfd", 2, 0, 0},
	9: {"eventpoll", 2, 0, 0}, 10: {"signalfd", 2, 0, 0}, 11: {"char", 0, 0, 0}, 12: {"timerfd", 2, 0, 0}, 13: {"inotify", 2, 0, 0},
	14: {"fanotify", 0, 0, 0}, 15: {"unknown", 0, 0, 0}, 16: {"socket", 5, 0, 2}, 17: {"fifo", 0, 0, 2}, 18: {"pipe", 3, 0, 2}, 19: {"char", 3, 0, 0},
	20: {"memfd", 2, 3, 0}, 21: {"bpf-map", 0, 0, 0},
}

// files reads files.img, and which of them are deleted.
func (c *Checkpoint) files() *criuFiles {
	f := &criuFiles{c: c, byID: map[uint32]*criuFile{}}
	c.note(c.im.messages("files.img", magicFiles, func(m message) error {
		file, err := fileEntry(m)
		if file != nil {
			f.byID[file.id] = file
		}
		return err
	}))
	if _, ok := c.im.files["remap-fpath.img"]; ok {
		c.note(c.im.messages("remap-fpath.img", magicRemap, f.remap))
	}
	for _, file := range f.byID {
		if by := f.byID[file.regular]; by != nil && by != file {
			file.name, file.flags, file.deleted, file.remap = by.name, by.flags, by.deleted, by.remap
		}
	}
	return f
}

// remap reads a remap_file_path_entry: a file that has no name any more.
func (f *criuFiles) remap(m message) error {
	var orig, remap uint32
	err := m.fields(func(num int, n uint64, _ []byte) {
		switch num {
		case 1:
			orig = uint32(n)
		case 2:
			remap = uint32(n)
		}
	})
	if file := f.byID[orig]; file != nil {
		file.deleted, file.remap = true, remap
	}
	return err
}

// ghost is the member that has the bytes of a deleted file, after an entry of
// CRIU's.
func (f *criuFiles) ghost(file *criuFile) string {
	name := fmt.Sprintf("ghost-file-%x.img", file.remap)
	if p, ok := f.c.im.files[name]; ok && file.deleted {
		if p.Member.Path == checkpointArchive {
			return checkpointArchive + ": " + name
		}
		return p.Member.Path
	}
	return ""
}

func fileEntry(m message) (*criuFile, error) {
	f := &criuFile{kind: "unknown"}
	var inner error
	err := m.fields(func(num int, n uint64, b []byte) {
		if num == 2 {
			f.id = uint32(n)
		}
		if k, ok := criuKinds[num]; ok && b != nil {
			f.kind = k.kind
			inner = errors.Join(inner, f.read(num, b))
		}
	})
	if f.id == 0 {
		return nil, errors.Join(err, inner)
	}
	f.finish()
	return f, errors.Join(err, inner)
}

func (f *criuFile) read(kind int, m message) error {
	k := criuKinds[kind]
	switch kind {
	case 4:
		f.socket = &record.NetSocket{Family: "inet", Via: viaCRIU}
	case 16:
		f.socket = &record.NetSocket{Family: "unix", Via: viaCRIU}
	}
	return m.fields(func(num int, n uint64, b []byte) {
		switch num {
		case k.flags:
			f.flags = n
		case k.pos:
			f.pos, f.hasPos = n, true
		case k.inode:
			f.inode = n
		}
		switch kind {
		case 3:
			f.reg(num, n, b)
		case 17, 19:
			if num == regular[kind] {
				f.regular = uint32(n)
			}
		case 4:
			f.inet(num, n, b)
		case 16:
			local(f.socket, num, n, b)
		}
	})
}

// regular is the field of a fifo_entry and of a tty_file_entry that names
// another entry, which has the path.
var regular = map[int]int{17: 3, 19: 6}

// reg reads what only a reg_file_entry has.
func (f *criuFile) reg(num int, n uint64, b []byte) {
	switch num {
	case 6:
		f.name = record.Text(b)
	case 8:
		f.size = n
	case 10:
		f.mode = uint32(n)
	}
}

// Bits of stat(2)'s mode.
const (
	modeType = 0o170000
	modeDir  = 0o040000
	modeChar = 0o020000
	modeBlk  = 0o060000
)

func (f *criuFile) finish() {
	switch f.mode & modeType {
	case modeDir:
		f.kind = "dir"
	case modeChar:
		f.kind = "char"
	case modeBlk:
		f.kind = "block"
	}
	if f.name == "" {
		f.name = record.Text(f.kind)
		if f.inode != 0 {
			f.name = record.Text(fmt.Sprintf("%s:[%d]", f.kind, f.inode))
		}
	}
	if f.socket != nil {
		f.socket.Inode = f.inode
		f.socket.Local, f.socket.Remote = address(f.ends[0]), address(f.ends[1])
	}
}

// descriptors reads what a process has open.
func (r *criuReader) descriptors() error {
	id, err := r.table()
	if err != nil || id == 0 {
		return err
	}
	return r.c.im.messages(fmt.Sprintf("fdinfo-%d.img", id), magicFDInfo, func(m message) error {
		var file, fd uint64
		err := m.fields(func(num int, n uint64, _ []byte) {
			switch num {
			case 1:
				file = n
			case 4:
				fd = n
			}
		})
		r.p.FilesTotal++
		r.p.Files = append(r.p.Files, r.files.open(uint32(file), number(fd)))
		return err
	})
}

// table is the number of the process's table of descriptors.
func (r *criuReader) table() (id uint64, err error) {
	if r.p.State == "Z" || r.p.State == "X" {
		return 0, nil
	}
	err = r.c.im.messages(r.name("ids"), magicIDs, func(m message) error {
		return m.fields(func(num int, n uint64, _ []byte) {
			if num == 2 {
				id = n
			}
		})
	})
	return id, err
}

// open is a descriptor as the process's record has it.
func (f *criuFiles) open(id uint32, fd int) record.OpenFile {
	file := f.byID[id]
	if file == nil {
		return record.OpenFile{FD: fd, Type: "unknown", Note: fmt.Sprintf("the checkpoint does not tell of file %d", id)}
	}
	o := record.OpenFile{
		FD: fd, Target: file.name, Type: file.kind, Flags: fmt.Sprintf("0%o", file.flags), Inode: file.inode, Deleted: file.deleted,
		Mode: []string{"r", "w", "rw", "rw"}[file.flags&3],
	}
	if file.hasPos {
		pos := int64(min(file.pos, 1<<62))
		o.Position = &pos
	}
	return o
}
