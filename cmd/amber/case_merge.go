package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/evidence/keys"
)

func caseMergeCommand() *cli.Command {
	return &cli.Command{
		Name: "merge", Usage: "join cases from several nodes in a new one", ArgsUsage: "--to DIR CASE CASE...",
		Description: "Each case is checked, and then copied: its bundles to the new case's own, its custody\n" +
			"log, journals and case.json as they are to cases/ID. The new case's log names each by\n" +
			"the head of its log; nothing of a chain is rewritten. Their signers are believed about\n" +
			"the bundles they signed, and not in the new log. Timelines are not copied: build one of\n" +
			"all of it with amber timeline build.",
		Flags: []cli.Flag{
			outputFlag(), reasonFlag(), authorityFlag(),
			&cli.StringFlag{Name: "to", Usage: "the new case's `DIR`"}, &cli.StringFlag{Name: "title", Usage: "what the incident is"},
		},
		Action: action(2, -1, "--to DIR CASE CASE...", caseMerge),
	}
}

// merged is what merge prints.
type merged struct {
	Case    string       `json:"case"`
	ID      string       `json:"id"`
	Joined  []mergedCase `json:"joined"`
	Verdict string       `json:"verdict"`
	Exit    int          `json:"exit"`
}

// mergedCase is a case that was taken in.
type mergedCase struct {
	custody.Joined
	From    string   `json:"from"`
	Bundles []string `json:"bundles"`
	Again   []string `json:"held_already,omitempty"` // of these, those that another case held as well
}

func caseMerge(c *cli.Context, asJSON bool) error {
	to := c.String("to")
	if to == "" {
		return usagef("name the new case: amber case merge --to DIR CASE CASE...")
	}
	if _, err := os.Lstat(to); err == nil {
		return usagef("%s is there already: a merge makes a new case", to)
	}
	m, err := newMerger(c, to)
	if err != nil {
		return err
	}
	if err := m.all(c.Args().Slice()); err != nil {
		return errors.Join(err, m.cs.Abandon())
	}
	if err := m.finish(to); err != nil {
		return err
	}
	return m.tell(c.Context, to, asJSON)
}

// merger makes a case of several. It works in a directory beside the new one,
// which is renamed when all is there: a merge that is cut off leaves no case.
type merger struct {
	c      *cli.Context
	cs     *casedir.Case
	work   string
	result merged
	from   map[string]string // bundle → digest of its SHA256SUMS
}

func newMerger(c *cli.Context, to string) (*merger, error) {
	work := filepath.Clean(to) + ".merging"
	if _, err := os.Lstat(work); err == nil {
		return nil, fmt.Errorf("%s is what a merge that was cut off has left: remove it", work)
	}
	cs, err := casedir.Create(work, c.String("title"), nil)
	if err != nil {
		return nil, err
	}
	cs.Tool, cs.Signer = tool(), quietSigner()
	if err := introduce(cs); err != nil && !errors.Is(err, keys.ErrNoKey) {
		return nil, errors.Join(err, cs.Abandon())
	}
	return &merger{c: c, cs: cs, work: work, from: map[string]string{}}, nil
}

func (m *merger) all(dirs []string) error {
	for _, dir := range dirs {
		if err := m.take(dir); err != nil {
			return fmt.Errorf("merging %s: %w", dir, err)
		}
	}
	return nil
}

// take checks a case and copies it. One in which something was changed is not
// taken.
func (m *merger) take(dir string) error {
	part, err := casedir.OpenRead(dir)
	if err != nil {
		return err
	}
	defer part.Close()
	signers, err := part.Signers()
	if err != nil {
		return err
	}
	v, err := checkCase(m.c.Context, part, checkOptions{trust: trust{signers: signers}})
	if err != nil {
		return err
	}
	if v.Exit == exitVerify {
		return outcome{exitVerify, dir + " is not merged: " + v.Verdict}
	}
	got := mergedCase{From: dir, Bundles: []string{}}
	if err := m.bundles(part, v, &got); err != nil {
		return err
	}
	if err := m.signers(part); err != nil {
		return err
	}
	for _, sub := range v.Joined { // a case that was merged itself brings those that it holds
		if err := m.records(filepath.Join(part.Dir(), joinedDir, sub.Case), sub.Joined); err != nil {
			return err
		}
	}
	if got.Joined, err = headOf(part); err != nil {
		return err
	}
	if err := m.records(part.Dir(), got.Joined); err != nil {
		return err
	}
	m.result.Joined = append(m.result.Joined, got)
	return nil
}

// headOf names a case by the head of its log.
func headOf(cs *casedir.Case) (custody.Joined, error) {
	head, err := custody.Head(cs.CustodyPath())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, custody.ErrEmpty) {
		return custody.Joined{Case: cs.Info().ID}, nil
	}
	return custody.Joined{Case: cs.Info().ID, Sequence: head.Sequence, Hash: head.Hash}, err
}

func (m *merger) bundles(part *casedir.Case, v *checked, got *mergedCase) error {
	for _, r := range v.Bundles {
		if had, ok := m.from[r.ID]; ok {
			if had != r.Digest {
				return outcome{exitVerify, fmt.Sprintf("two cases hold a bundle %s, and these are not the same", r.ID)}
			}
			got.Again = append(got.Again, r.ID)
			continue
		}
		if err := m.bundle(part, r); err != nil {
			return err
		}
		m.from[r.ID] = r.Digest
		got.Bundles = append(got.Bundles, r.ID)
	}
	return nil
}

func (m *merger) bundle(part *casedir.Case, r *evidence.Report) error {
	from, err := part.EvidenceDir(r.ID)
	if err != nil {
		return err
	}
	to, err := m.cs.EvidenceDir(r.ID)
	if err != nil {
		return err
	}
	if err := copyTree(from, to); err != nil {
		return err
	}
	e := logEntry("import", r.ID, r.Digest)
	if r.State == evidence.Incomplete {
		e = logEntry("import", r.ID, "")
	}
	e.Result, e.Counterparty = string(r.State), "case "+part.Info().ID
	if e.Files, err = m.cs.Files("evidence/" + r.ID + "/seal/*"); err != nil {
		return err
	}
	_, err = m.cs.Log(e)
	return err
}

// signers lets the signers of a case vouch for its bundles, and for no more.
func (m *merger) signers(part *casedir.Case) error {
	var lines []string
	for _, line := range part.Info().Signers {
		only, err := keys.OnlyFor(line, keys.NamespaceBundle)
		if err != nil {
			return err
		}
		if only != "" && !slices.Contains(m.cs.Info().Signers, line) {
			lines = append(lines, only)
		}
	}
	return m.cs.AddSigner(lines...)
}

// finish puts the case where it is to be.
func (m *merger) finish(to string) error {
	dir, err := os.Open(m.work)
	if err != nil {
		return err
	}
	err = unix.Syncfs(int(dir.Fd()))
	if err := errors.Join(err, dir.Close(), m.cs.Close()); err != nil {
		return fmt.Errorf("putting the merged case on the disk: %w", err)
	}
	return durable.Rename(m.work, filepath.Clean(to))
}

// tell checks the new case and prints what came of it.
func (m *merger) tell(ctx context.Context, to string, asJSON bool) error {
	cs, err := casedir.OpenRead(to)
	if err != nil {
		return err
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	signers, err := cs.Signers()
	if err != nil {
		return err
	}
	v, err := checkCase(ctx, cs, checkOptions{trust: trust{signers: signers}})
	if err != nil {
		return err
	}
	m.result.Case, m.result.ID, m.result.Verdict, m.result.Exit = cs.Dir(), cs.Info().ID, v.Verdict, v.Exit
	if asJSON {
		err = emit(os.Stdout, m.result)
	} else {
		m.print()
	}
	if err != nil || v.Exit == exitDone {
		return err
	}
	return outcome{v.Exit, v.Verdict}
}

func (m *merger) print() {
	fmt.Printf("merged into %s, case %s\n", safeLines(m.result.Case), m.result.ID)
	for _, j := range m.result.Joined {
		fmt.Printf("  case %s: %s, its log up to entry %d %.16s\n", j.Case, countText(len(j.Bundles), "bundle"), j.Sequence, j.Hash)
		for _, id := range j.Again {
			fmt.Printf("    held already: %s\n", safeLines(id))
		}
	}
	fmt.Printf("  one timeline of all of it: amber timeline build --case %s\n", safeLines(m.result.Case))
}
