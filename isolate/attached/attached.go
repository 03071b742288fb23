// Package attached finds again the eBPF programs that amber leaves in the kernel:
// they are attached without a bpf link, which would end with amber, and known by
// their number, name and tag.
package attached

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"amber/evidence/safetext"
)

// Prefix begins the names of amber's programs. The kernel keeps MaxName
// characters of a name (BPF_OBJ_NAME_LEN).
const (
	Prefix  = "amber_"
	MaxName = 15
)

// tries is how often the programs are asked for until none comes meanwhile.
const tries = 10

// Program is one that is in the kernel. Name is any text.
type Program struct {
	ID   ebpf.ProgramID `json:"id,omitempty"` // of this boot alone; used again when the numbers run out
	Name string         `json:"name"`
	Tag  string         `json:"tag,omitempty"` // the kernel's hash of its instructions
}

func (p Program) String() string { return fmt.Sprintf("%s (id %d)", safetext.Line(p.Name), p.ID) }

// Describe asks the kernel about a program.
func Describe(prog *ebpf.Program) (Program, error) {
	info, err := prog.Info()
	if err != nil {
		return Program{}, fmt.Errorf("asking about a program: %w", err)
	}
	id, _ := info.ID()
	return Program{ID: id, Name: info.Name, Tag: info.Tag}, nil
}

// To lists what is attached to a target itself, in the order in which it runs.
// target is a descriptor, or the index of a device in the network namespace of
// the calling thread.
func To(target int, at ebpf.AttachType) ([]Program, error) {
	ask := link.QueryOptions{Target: target, Attach: at}
	res, err := link.QueryPrograms(ask)
	for range tries { // another one came between the two calls that this is
		if !errors.Is(err, unix.ENOSPC) {
			break
		}
		res, err = link.QueryPrograms(ask)
	}
	if err != nil {
		return nil, err
	}
	var all []Program
	for _, p := range res.Programs {
		a, err := ByID(p.ID)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone meanwhile
		}
		if err != nil {
			return all, err
		}
		all = append(all, a)
	}
	return all, nil
}

// ByID asks the kernel about the program of a number. Where there is none the
// error wraps fs.ErrNotExist.
func ByID(id ebpf.ProgramID) (Program, error) {
	prog, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return Program{}, fmt.Errorf("opening program %d: %w", id, err)
	}
	defer prog.Close()
	return Describe(prog)
}
