package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/durable"
)

// joinedDir is where a merged case keeps what belongs to the cases in it.
const joinedDir = "cases"

// recordsOf are the files of a case that are kept as they are: all but its
// bundles, which become the merged case's own, and its timeline, which can be
// built again.
var recordsOf = []string{"case.json", "custody.jsonl", "notes.jsonl", "journal"}

// records copies the records of a case, and enters that by the head of its log.
func (m *merger) records(from string, head custody.Joined) error {
	below := path.Join(joinedDir, head.Case)
	to := filepath.Join(m.work, filepath.FromSlash(below))
	if _, err := os.Lstat(to); err == nil {
		return m.sameRecords(from, to, head.Case)
	}
	for _, name := range recordsOf {
		err := copyTree(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	files, err := m.cs.Files(below+"/*.json", below+"/*.jsonl", below+"/journal/*.jsonl")
	if err != nil {
		return err
	}
	_, err = m.cs.Log(custody.Entry{
		Action: custody.ActionMerge, Counterparty: "case " + head.Case, Joined: &head, Files: files,
		Reason: m.c.String("reason"), Authority: m.c.String("authority"), Result: "taken in as it was",
	})
	return err
}

// sameRecords lets a case come twice if its log is the same.
func (m *merger) sameRecords(from, to, id string) error {
	a, aerr := custody.Head(filepath.Join(from, "custody.jsonl"))
	b, berr := custody.Head(filepath.Join(to, "custody.jsonl"))
	if aerr != nil || berr != nil || a.Hash != b.Hash || a.Sequence != b.Sequence {
		return fmt.Errorf("the case %s comes twice, with other logs (entry %d and entry %d): merge the newer one alone", id, b.Sequence, a.Sequence)
	}
	return nil
}

// copyTree copies a file or a directory that holds nothing but these.
func copyTree(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(filepath.Dir(to)); err != nil {
		return err
	}
	if !info.IsDir() {
		return copyFile(from, to)
	}
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		}
		return copyFile(name, filepath.Join(to, rel))
	})
}

func copyFile(from, to string) (err error) {
	in, err := os.OpenFile(from, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(fmt.Errorf("copying: %s is no regular file", from), err)
	}
	out, err := durable.Create(to)
	if err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out.File, in); err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	return nil
}

// joinedCheck is a case that was merged into this one.
type joinedCheck struct {
	custody.Joined
	Custody *custody.Report `json:"custody,omitempty"`
	Problem string          `json:"problem,omitempty"`
}

// checkJoined checks the logs of the cases that this one was made of, each by
// its own signers and against the head that the merge names.
func (v *checked) checkJoined(cs *casedir.Case) {
	for e, err := range custody.Entries(cs.CustodyPath()) {
		if err != nil || e.Action != custody.ActionMerge || e.Joined == nil {
			continue
		}
		v.Joined = append(v.Joined, checkPart(cs, *e.Joined, e.Time))
	}
}

// checkStrays finds what lies where bundles and merged cases lie, and is none
// that is known: somebody would take it for one.
func (v *checked) checkStrays(cs *casedir.Case) (err error) {
	for _, dir := range []string{"evidence", joinedDir} {
		entries, err := os.ReadDir(filepath.Join(cs.Dir(), dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			known := e.IsDir()
			if dir == joinedDir {
				known = slices.ContainsFunc(v.Joined, func(j joinedCheck) bool { return j.Case == e.Name() })
			}
			if !known {
				v.Strays = append(v.Strays, dir+"/"+e.Name())
			}
		}
	}
	v.Unlisted, err = cs.Unlisted()
	return err
}

func checkPart(cs *casedir.Case, head custody.Joined, at time.Time) joinedCheck {
	j := joinedCheck{Joined: head}
	if !fs.ValidPath(head.Case) || path.Base(head.Case) != head.Case {
		j.Problem = fmt.Sprintf("%q is no case's id", head.Case)
		return j
	}
	part, err := casedir.OpenRead(filepath.Join(cs.Dir(), joinedDir, head.Case))
	if err != nil {
		j.Problem = err.Error()
		return j
	}
	defer part.Close()
	signers, err := part.Signers()
	if err != nil {
		j.Problem = err.Error()
		return j
	}
	if head.Sequence == 0 {
		return j
	}
	receipt := &custody.Receipt{Case: head.Case, Sequence: head.Sequence, Hash: head.Hash, Time: at}
	r, err := custody.Verify(part.CustodyPath(), signers, receipt)
	switch {
	case err != nil:
		j.Problem = err.Error()
	case part.Info().ID != head.Case:
		j.Problem = fmt.Sprintf("is the case %s", part.Info().ID)
	case !r.Tampered() && r.Complete != head.Sequence:
		j.Problem = fmt.Sprintf("its log has %d entries, and had %d when it was merged", r.Complete, head.Sequence)
	}
	j.Custody = &r
	return j
}
