package memory

import (
	"bytes"
	"fmt"
	"strings"

	"amber/evidence/record"
	"amber/evidence/safetext"
)

// report is the payload for readers.
type report struct{ b bytes.Buffer }

func (r *report) add(p *record.MemoryProcess) {
	fmt.Fprintf(&r.b, "%d %s", p.PID, safetext.Line(string(p.Comm)))
	switch {
	case p.SharedWith != 0:
		fmt.Fprintf(&r.b, ": the memory of %d", p.SharedWith)
	case p.Core != "":
		fmt.Fprintf(&r.b, ": %d bytes kept of %d mapped in %d mappings; registers of %d of %d threads", p.Kept, p.Mapped, p.Mappings, p.Registers.Taken, p.Registers.Threads)
	}
	fmt.Fprintln(&r.b)
	if p.Unread > 0 {
		fmt.Fprintf(&r.b, "  ! %d bytes could not be read\n", p.Unread)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&r.b, "  %s\n", safetext.Line(n))
	}
	for i := range p.Injected {
		r.injected(&p.Injected[i])
	}
}

func (r *report) injected(j *record.Injected) {
	fmt.Fprintf(&r.b, "  ! %s-%s %s %s: %s\n", j.Start, j.End, j.Perms, safetext.Line(string(j.Name)), strings.Join(j.Why, ", "))
	fmt.Fprintf(&r.b, "    %d bytes, SHA-256 %s\n", j.Bytes, j.SHA256)
	if j.ELF {
		fmt.Fprintln(&r.b, "    begins as an ELF file")
	}
	if j.Pages > 0 {
		fmt.Fprintf(&r.b, "    %d pages differ, at %s\n", j.Pages, strings.Join(j.Differs, " "))
	}
	for _, s := range j.Strings {
		fmt.Fprintf(&r.b, "    %q\n", safetext.Line(string(s)))
	}
}

func (r *report) render() []byte { return r.b.Bytes() }

func (r *run) addText(path string, b []byte) error {
	return r.sink.Add(member(path, int64(len(b)), "amber"), bytes.NewReader(b))
}
