package analyse

import (
	"bytes"
	"errors"
	"fmt"

	"amber/evidence"
	"amber/evidence/record"
)

// viaCRIU is how records say that they come from a checkpoint.
const viaCRIU = "criu"

// Checkpoint is what CRIU's images tell of a container. Processes have the
// numbers that they have inside, and no time of start: the images have none.
type Checkpoint struct {
	Processes []*record.Process
	Sockets   []*record.NetSocket
	Mappings  []*record.MemoryMapping
	Bad       []error // what could not be understood

	im *images
}

// ReadCheckpoint reads the checkpoint of a bundle, ErrNoCheckpoint where it
// holds none. Of images that are damaged it gives what they tell still.
func ReadCheckpoint(b *evidence.Bundle) (*Checkpoint, error) {
	im, err := openImages(b)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{im: im, Bad: im.bad}
	c.read()
	return c, nil
}

func (c *Checkpoint) read() {
	files := c.files()
	c.note(c.im.messages("pstree.img", magicPstree, func(m message) error {
		p, err := treeEntry(m)
		if p.PID != 0 {
			c.Processes = append(c.Processes, p)
		}
		return err
	}))
	for _, p := range c.Processes {
		r := &criuReader{c: c, files: files, p: p, mappedAt: map[record.Text]int{}}
		r.read()
	}
	c.Sockets = files.sockets(c.Processes)
}

func (c *Checkpoint) note(err error) {
	const most = 100
	if err != nil && len(c.Bad) < most {
		c.Bad = append(c.Bad, err)
	}
}

// treeEntry reads a pstree_entry.
func treeEntry(m message) (*record.Process, error) {
	p := &record.Process{Via: viaCRIU}
	err := m.fields(func(num int, n uint64, b []byte) {
		switch num {
		case 1:
			p.PID = number(n)
		case 2:
			p.PPID = number(n)
		case 3:
			p.Group = number(n)
		case 4:
			p.Session = number(n)
		case 5:
			for _, t := range numbers(nil, n, b) {
				p.Threads = append(p.Threads, record.Thread{TID: number(t)})
			}
		}
	})
	return p, err
}

// criuReader reads one process.
type criuReader struct {
	c     *Checkpoint
	files *criuFiles
	p     *record.Process

	mappedAt map[record.Text]int // in p.Mapped
}

func (r *criuReader) read() {
	r.note(r.core())
	r.note(r.mm())
	r.note(r.descriptors())
	r.note(r.directories())
}

func (r *criuReader) note(err error) {
	if err != nil {
		r.c.note(fmt.Errorf("process %d: %w", r.p.PID, err))
	}
}

func (r *criuReader) name(kind string) string { return fmt.Sprintf("%s-%d.img", kind, r.p.PID) }

// states are CRIU's of a task (criu/include/pid.h), as proc(5) has them.
var states = map[uint64]string{1: "R", 2: "X", 3: "T", 4: "X", 6: "Z"}

// core reads the name, the state, the owner.
func (r *criuReader) core() error {
	return r.c.im.messages(r.name("core"), magicCore, func(m message) error {
		var inner error
		err := m.fields(func(num int, _ uint64, b []byte) {
			switch num {
			case 3:
				inner = errors.Join(inner, r.task(b))
			case 5:
				inner = errors.Join(inner, r.thread(b))
			}
		})
		return errors.Join(err, inner)
	})
}

func (r *criuReader) task(m message) error {
	return m.fields(func(num int, n uint64, b []byte) {
		switch num {
		case 1:
			r.p.State = states[n]
		case 6:
			r.p.Comm = record.Text(b)
		case 13:
			if id := uint32(n); id != 1<<32-1 {
				r.p.LoginUID = &id
			}
		}
	})
}

func (r *criuReader) thread(m message) (err error) {
	var inner error
	err = m.fields(func(num int, _ uint64, b []byte) {
		if num == 10 {
			inner = r.creds(b)
		}
	})
	return errors.Join(err, inner)
}

// creds reads a creds_entry. The numbers are those of the container's user
// namespace.
func (r *criuReader) creds(m message) error {
	uids, gids := &record.IDs{}, &record.IDs{}
	at := []*uint32{1: &uids.Real, 2: &gids.Real, 3: &uids.Effective, 4: &gids.Effective, 5: &uids.Saved, 6: &gids.Saved, 7: &uids.FS, 8: &gids.FS}
	err := m.fields(func(num int, n uint64, b []byte) {
		switch {
		case num < len(at):
			*at[num] = uint32(n)
		case num == 14:
			for _, g := range numbers(nil, n, b) {
				r.p.Groups = append(r.p.Groups, uint32(g))
			}
		}
	})
	r.p.UIDs, r.p.GIDs = uids, gids
	return err
}

// directories reads where the process works.
func (r *criuReader) directories() error {
	if r.p.State == "Z" || r.p.State == "X" {
		return nil
	}
	return r.c.im.messages(r.name("fs"), magicFS, func(m message) error {
		return m.fields(func(num int, n uint64, _ []byte) {
			f := r.files.byID[uint32(n)]
			switch {
			case num == 1 && f != nil:
				r.p.Cwd = f.name
			case num == 2 && f != nil:
				r.p.Root = f.name
			case num == 3:
				r.p.Umask = fmt.Sprintf("%04o", n&0o7777)
			}
		})
	})
}

// Environ is a process's environment, as it was started with.
func (c *Checkpoint) Environ(pid int) ([]record.Text, error) {
	r := &criuReader{c: c, p: &record.Process{PID: pid}}
	s, err := r.space(false)
	if err != nil {
		return nil, err
	}
	b, err := c.im.memory(pid, s.envStart, s.envEnd, maxEnviron)
	return texts(b), err
}

// texts are strings that end in NUL.
func texts(b []byte) (all []record.Text) {
	for v := range bytes.SplitSeq(bytes.TrimRight(b, "\x00"), []byte{0}) {
		if len(v) > 0 {
			all = append(all, record.Text(v))
		}
	}
	return all
}
