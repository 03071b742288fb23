package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"amber/evidence/analyse"
	"amber/evidence/record"
	"amber/evidence/safetext"
)

// processRow is a process as ps prints it.
type processRow struct {
	*record.Process
	Depth    int               `json:"depth"`
	Injected []record.Injected `json:"injected,omitempty"`
}

func evidencePs(v view) error {
	b, all, err := v.processes("ps")
	if err != nil {
		return err
	}
	defer b.Close()
	memories, bad := analyse.Memories(b)
	warnAll(bad)
	injected := map[int][]record.Injected{}
	for _, m := range memories {
		injected[m.PID] = m.Injected
	}
	rows := []processRow{}
	for _, n := range analyse.Tree(all) {
		rows = append(rows, processRow{n.Process, n.Depth, injected[n.PID]})
	}
	if v.json {
		return emit(os.Stdout, rows)
	}
	var cells [][]string
	for _, r := range rows {
		cells = append(cells, r.cells())
	}
	if err := table(os.Stdout, []string{"PID", "INSIDE", "UID", "STARTED", "STATE", "COMMAND", ""}, cells); err != nil {
		return err
	}
	for _, r := range rows {
		r.marks()
	}
	return nil
}

func (r processRow) cells() []string {
	inside, uid := "", "?"
	if n := len(r.NSPIDs); n > 1 {
		inside = strconv.Itoa(r.NSPIDs[n-1])
	}
	if r.UIDs != nil {
		uid = fmt.Sprint(r.UIDs.Effective)
	}
	return []string{
		strconv.Itoa(r.PID), inside, uid, beganAt(r.Start), r.State,
		strings.Repeat("  ", min(r.Depth, 40)) + r.command(), r.mark(),
	}
}

// beganAt is when a process began; a checkpoint does not tell.
func beganAt(at time.Time) string {
	if at.IsZero() {
		return "?"
	}
	return at.UTC().Format(time.RFC3339)
}

// maxCommand is how many bytes of a command line ps shows.
const maxCommand = 256

// command is the command line, or the name where there is none.
func (r processRow) command() string {
	var b strings.Builder
	for i, a := range r.Args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if left := maxCommand - b.Len(); len(a) > left {
			b.WriteString(string(a[:max(left, 0)]) + "…")
			break
		}
		b.WriteString(string(a))
	}
	return cmp.Or(b.String(), "["+string(r.Comm)+"]")
}

// mark is what of a process's executable and memory is not as it should be.
func (r processRow) mark() string {
	var marks []string
	if e := r.Exe; e != nil {
		for _, m := range []struct {
			is   bool
			what string
		}{{e.Memfd, "memfd"}, {e.Deleted && !e.Memfd, "DELETED executable"}, {e.Replaced, "REPLACED executable"}, {e.Outside != "" && !e.Memfd, "not the image's"}} {
			if m.is {
				marks = append(marks, m.what)
			}
		}
	}
	if n := len(r.Injected); n > 0 {
		marks = append(marks, countText(n, "injected mapping"))
	}
	return strings.Join(marks, ", ")
}

// marks prints what needs more words than a cell has.
func (r processRow) marks() {
	if e := r.Exe; e != nil && (e.Deleted || e.Replaced || e.Outside != "") {
		fmt.Printf("%d  %s  SHA-256 %s  kept as %s\n", r.PID, safetext.Line(string(e.Link)), cmp.Or(e.SHA256, "unknown"), safetext.Line(cmp.Or(e.Member, "nothing")))
	}
	for _, l := range r.Lies {
		fmt.Printf("%d  %s\n", r.PID, escapedOnce(l))
	}
	for _, j := range r.Injected {
		fmt.Printf("%d  0x%s-0x%s %s %s: %s  SHA-256 %s\n", r.PID, safetext.Line(j.Start), safetext.Line(j.End), safetext.Line(j.Perms), safetext.Line(string(j.Name)),
			safetext.Line(strings.Join(j.Why, ", ")), safetext.Line(j.SHA256))
	}
}

// escapedOnce is a sentence as a record has it, whose names were made safe when
// it was written: nothing but their backslashes would be escaped again.
func escapedOnce(s string) string {
	safe := safetext.Line(s)
	if strings.ReplaceAll(safe, `\\`, `\`) == s {
		return s
	}
	return safe
}

// filesRow is a process with what it has open and mapped.
type filesRow struct {
	PID    int                 `json:"pid"`
	Comm   record.Text         `json:"comm"`
	Files  []record.OpenFile   `json:"files"`
	Total  int                 `json:"files_total"`
	Mapped []record.MappedFile `json:"mapped"`
}

func evidenceFiles(v view) error {
	b, all, err := v.processes("files")
	if err != nil {
		return err
	}
	defer b.Close()
	rows, cells := []filesRow{}, [][]string{}
	for _, p := range all {
		rows = append(rows, filesRow{p.PID, p.Comm, p.Files, p.FilesTotal, p.Mapped})
		cells = append(cells, fileCells(p)...)
	}
	if v.json {
		return emit(os.Stdout, rows)
	}
	if err := table(os.Stdout, []string{"PID", "COMMAND", "FD", "TYPE", "MODE", "PLACE", "FILE", ""}, cells); err != nil {
		return err
	}
	for _, p := range all {
		if p.FilesTotal > len(p.Files) {
			fmt.Fprintf(os.Stderr, "amber: note: %d of %d open files of %d; process/%d/fd has all\n", len(p.Files), p.FilesTotal, p.PID, p.PID)
		}
	}
	return nil
}

func fileCells(p *record.Process) (cells [][]string) {
	pid, comm := strconv.Itoa(p.PID), string(p.Comm)
	for _, f := range p.Files {
		place := ""
		if f.Position != nil {
			place = strconv.FormatInt(*f.Position, 10)
		}
		cells = append(cells, []string{pid, comm, descriptor(f.FD, f.Thread), f.Type, f.Mode, place, string(f.Target), deletedMark(f.Deleted, f.Member)})
	}
	for _, m := range p.Mapped {
		if p.Exe != nil && m.Member == "" && m.Path == p.Exe.Link {
			m.Member = p.Exe.Member
		}
		cells = append(cells, []string{pid, comm, "mem", "mapped", m.Perms, size(int64(m.Bytes)), string(m.Path), deletedMark(m.Deleted, m.Member)})
	}
	return cells
}

// descriptor is a number in the process's table of open files, or in that which
// a thread has of its own.
func descriptor(fd, thread int) string {
	if thread != 0 {
		return fmt.Sprintf("%d of thread %d", fd, thread)
	}
	return strconv.Itoa(fd)
}

func deletedMark(deleted bool, member string) string {
	switch {
	case deleted && member != "":
		return "DELETED, kept as " + member
	case deleted:
		return "DELETED"
	}
	return ""
}

// envRow is a process with its environment.
type envRow struct {
	PID   int           `json:"pid"`
	Comm  record.Text   `json:"comm"`
	Env   []record.Text `json:"env"`
	Error string        `json:"error,omitempty"`
}

func evidenceEnv(v view) error {
	b, all, err := v.processes("env")
	if err != nil {
		return err
	}
	defer b.Close()
	from, err := v.from()
	if err != nil {
		return err
	}
	rows, missed := []envRow{}, 0
	for _, p := range all {
		r := envRow{PID: p.PID, Comm: p.Comm}
		if r.Env, err = analyse.Environ(b, from, p.PID); err != nil {
			r.Error = err.Error()
			missed++
		}
		rows = append(rows, r)
	}
	if v.json {
		err = emit(os.Stdout, rows)
	} else {
		printEnv(rows)
		err = nil
	}
	if err == nil && missed > 0 {
		return outcome{exitMisses, ""}
	}
	return err
}

func printEnv(rows []envRow) {
	for _, r := range rows {
		fmt.Printf("%d %s\n", r.PID, safetext.Line(string(r.Comm)))
		if r.Error != "" {
			fmt.Printf("  (%s)\n", safetext.Line(r.Error))
		}
		for _, e := range r.Env {
			fmt.Printf("  %s\n", safetext.Line(string(e)))
		}
	}
}

func evidenceSockets(v view) error {
	from, err := v.from()
	if err != nil {
		return err
	}
	b, err := v.bundle(v.c.Args().First(), "sockets", "")
	if err != nil {
		return err
	}
	defer b.Close()
	all, bad := analyse.Processes(b, from)
	owners, comms := analyse.Owners(all), map[int]*record.Process{}
	for _, p := range all {
		comms[p.PID] = p
	}
	list := []*record.NetSocket{}
	for s, err := range analyse.Sockets(b, from) {
		if err != nil {
			bad = append(bad, err)
			continue
		}
		if len(s.Owners) == 0 && s.Inode != 0 {
			s.Owners = owners[s.Inode]
		}
		list = append(list, s)
	}
	warnAll(bad)
	if v.json {
		return emit(os.Stdout, list)
	}
	var cells [][]string
	for _, s := range list {
		local, remote := ends(s)
		cells = append(cells, []string{protocol(s), s.State, local, remote, fmt.Sprint(s.RecvQueue), fmt.Sprint(s.SendQueue), holders(s.Owners, comms)})
	}
	return table(os.Stdout, []string{"PROTOCOL", "STATE", "LOCAL", "REMOTE", "RECV", "SEND", "HELD BY"}, cells)
}

// protocol is what a socket speaks, with its family where that alone says what
// it is: a packet socket hears what passes.
func protocol(s *record.NetSocket) string {
	if s.Family == "packet" || s.Family == "netlink" {
		return strings.TrimSpace(s.Family + " " + s.Protocol)
	}
	return cmp.Or(s.Protocol, s.Family)
}

// ends are the two ends of a socket.
func ends(s *record.NetSocket) (local, remote string) {
	if s.Family != "unix" {
		return end(s.Local, s.LocalPort), end(s.Remote, s.RemotePort)
	}
	if s.Peer != 0 {
		remote = fmt.Sprintf("inode %d", s.Peer)
	}
	return cmp.Or(string(s.Path), fmt.Sprintf("inode %d", s.Inode)), remote
}

func end(address string, port uint32) string {
	if address == "" && port == 0 {
		return ""
	}
	return net.JoinHostPort(address, strconv.FormatUint(uint64(port), 10))
}

// holders names the processes that hold a socket, and marks those whose
// executable is deleted.
func holders(owners []record.Owner, processes map[int]*record.Process) string {
	var names []string
	for i, o := range owners {
		if i == 8 {
			names = append(names, fmt.Sprintf("and %d more", len(owners)-i))
			break
		}
		name := fmt.Sprintf("%d %s fd %s", o.PID, o.Comm, descriptor(o.FD, o.Thread))
		if p := processes[o.PID]; p != nil && p.Exe != nil && p.Exe.Deleted {
			name += " (DELETED executable)"
		}
		names = append(names, name)
	}
	return strings.Join(names, "; ")
}

// stringRow is a string as strings -o json prints it, a line each.
type stringRow struct {
	PID     int    `json:"pid"`
	Address string `json:"address"`
	Text    string `json:"text"`
	Wide    bool   `json:"wide,omitempty"`
}

func evidenceStrings(v view) error {
	pid, err := pidArg(v)
	if err != nil {
		return err
	}
	from, err := v.from()
	if err != nil {
		return err
	}
	if v.c.Int("min") < 1 {
		return usagef("--min takes a number from 1 on")
	}
	b, err := v.bundle(v.c.Args().First(), "strings", v.c.Args().Get(1))
	if err != nil {
		return err
	}
	defer b.Close()
	out := bufio.NewWriterSize(rows{os.Stdout}, 64<<10)
	err = analyse.Strings(v.c.Context, b, from, pid, v.c.Int("min"), func(s analyse.String) error {
		if v.json {
			return emitLine(out, stringRow{s.PID, fmt.Sprintf("0x%x", s.Address), string(s.Text), s.Wide})
		}
		wide := ""
		if s.Wide {
			wide = "  (UTF-16)"
		}
		_, err := fmt.Fprintf(out, "%d  0x%x  %s%s\n", s.PID, s.Address, safetext.Line(string(s.Text)), wide)
		return err
	})
	return errors.Join(err, out.Flush())
}
