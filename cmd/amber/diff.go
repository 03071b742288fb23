package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"amber/evidence"
	"amber/evidence/record"
	"amber/evidence/safetext"
)

// driftPath is the member that holds what a container changed.
const driftPath = "filesystem/drift.jsonl"

func evidenceDiff(v view) error {
	b, err := v.bundle(v.c.Args().First(), "diff", "")
	if err != nil {
		return err
	}
	defer b.Close()
	if v.c.NArg() == 1 {
		return diffImage(b, v.json)
	}
	other, err := v.bundle(v.c.Args().Get(1), "diff", "")
	if err != nil {
		return err
	}
	defer other.Close()
	return diffBundles(b, other, v.json)
}

// diffImage prints the drift list.
func diffImage(b *evidence.Bundle, asJSON bool) error {
	m, err := b.Lookup(driftPath)
	if errors.Is(err, evidence.ErrNotFound) || err == nil && m.Type == record.Miss {
		return outcome{exitMisses, "the bundle holds no drift list; what was missed: amber evidence ls ID filesystem"}
	}
	if err != nil {
		return err
	}
	r, err := b.Content(m)
	if err != nil {
		return err
	}
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", driftPath, err)
		}
		if err := printDrift(line[:len(line)-1], asJSON); err != nil {
			return err
		}
	}
}

func printDrift(line []byte, asJSON bool) error {
	if asJSON {
		_, err := writeOut(os.Stdout, append(escapeJSON(line), '\n'))
		return err
	}
	d, err := record.ParseDrift(line)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%-8s %-8s %05o %d:%d %10d %s", d.Change, d.Type, d.Mode, d.UID, d.GID, d.Size, safetext.Line(d.Path))
	if d.Was != nil {
		text += fmt.Sprintf("  (was %s %05o %d:%d %d)", d.Was.Type, d.Was.Mode, d.Was.UID, d.Was.GID, d.Was.Size)
	}
	_, err = fmt.Println(text)
	return err
}

// bundleChange is one path in which two bundles differ.
type bundleChange struct {
	Change string `json:"change"`
	Path   string `json:"path"`
}

// diffBundles compares two bundles member by member: what each holds, and its
// digest. It looks each path of one up in the other, so neither is held in
// memory.
func diffBundles(a, b *evidence.Bundle, asJSON bool) error {
	show := func(change, path string) error {
		if asJSON {
			return emitLine(os.Stdout, bundleChange{change, path})
		}
		_, err := fmt.Printf("%-8s %s\n", change, safetext.Line(path))
		return err
	}
	for m, err := range b.Members() {
		if err != nil {
			return err
		}
		old, err := a.Lookup(m.Path)
		switch {
		case errors.Is(err, evidence.ErrNotFound):
			err = show("added", m.Path)
		case err == nil && differ(old, m):
			err = show("changed", m.Path)
		}
		if err != nil {
			return err
		}
	}
	for m, err := range a.Members() {
		if err != nil {
			return err
		}
		if _, err = b.Lookup(m.Path); errors.Is(err, evidence.ErrNotFound) {
			err = show("deleted", m.Path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func differ(a, b *record.Member) bool {
	return a.Type != b.Type || a.Size != b.Size || a.SHA256 != b.SHA256 || a.Link != b.Link ||
		a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID || a.Reason != b.Reason
}
