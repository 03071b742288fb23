package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/evidence"
	"amber/evidence/record"
	"amber/evidence/safetext"
)

func evidenceCommand() *cli.Command {
	common := func(more ...cli.Flag) []cli.Flag {
		return append([]cli.Flag{caseFlag(), outputFlag(), logDirFlag()}, more...)
	}
	reading := func(more ...cli.Flag) []cli.Flag { return common(append(more, identityFlag())...) }
	return &cli.Command{
		Name:  "evidence",
		Usage: "read, verify and hand over what was collected",
		Subcommands: append([]*cli.Command{
			{Name: "ls", Usage: "list the case's bundles, or what a bundle holds", ArgsUsage: "[ID [PATH]]", Flags: reading(), Action: viewing(0, 2, "[ID [PATH]]", evidenceLs)},
			{Name: "cat", Usage: "write one member's content to standard output", ArgsUsage: "ID PATH", Flags: reading(), Action: viewing(2, 2, "ID PATH", evidenceCat)},
			{
				Name: "extract", Usage: "write members below a new directory, safely", ArgsUsage: "ID [PATH...]", Action: viewing(1, -1, "--to DIR ID [PATH...]", evidenceExtract),
				Flags: reading(
					&cli.StringFlag{Name: "to", Usage: "the new `DIR`"},
					&cli.BoolFlag{Name: "special", Usage: "also setuid bits, device nodes and FIFOs"},
					&cli.BoolFlag{Name: "owners", Usage: "also owners and groups"},
					&cli.BoolFlag{Name: "links", Usage: "also symbolic links that lead outside"},
				),
			},
			{Name: "diff", Usage: "what the container changed against its image, or how two bundles differ", ArgsUsage: "ID [ID]", Flags: reading(), Action: viewing(1, 2, "ID [ID]", evidenceDiff)},
			{
				Name: "verify", Usage: "check that nothing was changed, who signed, and when", ArgsUsage: "[ID...]", Action: viewing(0, -1, "[ID...]", evidenceVerify),
				Flags: reading(append(timeFlags(),
					&cli.StringFlag{Name: "signers", Usage: "whom to trust: an ssh allowed_signers `FILE` (default: the case's)"},
					&cli.StringFlag{Name: "receipt", Usage: "a custody receipt that was kept elsewhere, `FILE`"},
					&cli.BoolFlag{Name: "deep", Usage: "also decode and hash every member"},
				)...),
			},
			{
				Name: "custody", Usage: "show and check the custody log", Action: viewing(0, 0, "without arguments", evidenceCustody),
				Flags: common(
					&cli.StringFlag{Name: "signers", Usage: "whom to trust: an ssh allowed_signers `FILE` (default: the case's)"},
					&cli.StringFlag{Name: "receipt", Usage: "a custody receipt that was kept elsewhere, `FILE`"},
					&cli.BoolFlag{Name: "head", Usage: "print a receipt of the log as it is now; keep it elsewhere"},
				),
			},
			stampCommand(common), certificateCommand(common), countersignCommand(common),
			{Name: "sign", Usage: "sign a bundle that is unsigned, or sign it as well", ArgsUsage: "[ID]", Flags: common(sealFlags()...), Action: action(0, 1, "[ID]", evidenceSign)},
			{
				Name: "import", Usage: "take in a bundle that was streamed with --to -", ArgsUsage: "FILE|-", Action: action(1, 1, "FILE|-", evidenceImport),
				Flags: common(&cli.StringFlag{Name: "from", Usage: "whom it comes from, for the custody log"}),
			},
		}, append(append(analyseCommands(reading), proveCommands(reading)...), append(pushCommands(common), transferCommands(common)...)...)...),
	}
}

func evidenceLs(v view) error {
	if v.c.NArg() == 0 {
		return lsBundles(v)
	}
	b, err := v.bundle(v.c.Args().First(), "ls", v.c.Args().Get(1))
	if err != nil {
		return err
	}
	defer b.Close()
	return lsMembers(b, v.c.Args().Get(1), v.json)
}

// bundleRow is a bundle as ls prints it.
type bundleRow struct {
	ID      string         `json:"id"`
	State   evidence.State `json:"state"`
	Target  string         `json:"target,omitempty"`
	Taken   string         `json:"taken,omitempty"`
	Members int64          `json:"members"`
	Misses  int64          `json:"misses"`
	Bytes   int64          `json:"stored_bytes"`
	Error   string         `json:"error,omitempty"`

	Encryption *evidence.Encryption `json:"encryption,omitempty"`
}

func lsBundles(v view) error {
	ids, err := bundleIDs(v.cs)
	if err != nil {
		return err
	}
	rows := []bundleRow{}
	for _, id := range ids {
		rows = append(rows, lsBundle(v, id))
	}
	if v.json {
		return emit(os.Stdout, rows)
	}
	var cells [][]string
	for _, r := range rows {
		cells = append(cells, []string{r.ID, string(r.State), r.Target, fmt.Sprint(r.Members), fmt.Sprint(r.Misses), size(r.Bytes), r.Error})
	}
	return table(os.Stdout, []string{"ID", "STATE", "TARGET", "MEMBERS", "MISSES", "SIZE", ""}, cells)
}

func lsBundle(v view, id string) bundleRow {
	r := bundleRow{ID: id}
	ring, err := keyring(v.c)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	dir, err := v.cs.EvidenceDir(id)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	b, err := evidence.Open(dir, ring)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	defer b.Close()
	r.State, r.Bytes, r.Encryption = b.State(), b.StoredBytes(), b.Encryption()
	if err := b.Locked(); err != nil {
		r.Error = err.Error()
		return r
	}
	a, err := b.Acquisition()
	if err != nil {
		r.count(b) // an incomplete one has no record of it
		return r
	}
	r.Members, r.Misses, r.Target, r.Taken = a.Members, a.Misses, a.Name, a.Start.Format("2006-01-02T15:04:05Z")
	return r
}

func (r *bundleRow) count(b *evidence.Bundle) {
	for m, err := range b.Members() {
		switch {
		case err != nil:
			r.Error = err.Error()
			return
		case m.Type == record.Miss:
			r.Misses++
		default:
			r.Members++
		}
	}
}

func lsMembers(b *evidence.Bundle, under string, asJSON bool) error {
	for m, err := range b.Members() {
		if err != nil {
			return err
		}
		if under != "" && m.Path != under && !strings.HasPrefix(m.Path, strings.TrimSuffix(under, "/")+"/") {
			continue
		}
		if asJSON {
			if _, err := writeOut(os.Stdout, append(escapeJSON(m.AppendJSON(nil)), '\n')); err != nil {
				return err
			}
			continue
		}
		fmt.Println(memberText(m))
	}
	return nil
}

func memberText(m *record.Member) string {
	if m.Type == record.Miss {
		return fmt.Sprintf("%-8s %5s %6s %6s %12s %-20s %s  (%s)", m.Type, "", "", "", "", "", safetext.Line(m.Path), safetext.Line(m.Reason))
	}
	mtime := ""
	if !m.Mtime.IsZero() {
		mtime = m.Mtime.UTC().Format("2006-01-02T15:04:05Z")
	}
	s := fmt.Sprintf("%-8s %05o %6d %6d %12d %-20s %s", m.Type, m.Mode, m.UID, m.GID, m.Size, mtime, safetext.Line(m.Path))
	if m.Link != "" {
		s += " -> " + safetext.Line(m.Link)
	}
	for _, n := range m.Notes {
		s += "  [" + safetext.Line(n) + "]"
	}
	return s
}

func evidenceCat(v view) error {
	path := v.c.Args().Get(1)
	b, err := v.bundle(v.c.Args().First(), "cat", path)
	if err != nil {
		return err
	}
	defer b.Close()
	m, err := b.Lookup(path)
	if err != nil {
		return err
	}
	if m.Type == record.Miss {
		return outcome{exitMisses, fmt.Sprintf("%q was never had: %s", m.Path, m.Reason)}
	}
	return catMember(b, m)
}

// catMember writes raw bytes to a file or a pipe, and safe text to a terminal.
func catMember(b *evidence.Bundle, m *record.Member) error {
	r, err := b.Content(m)
	if err != nil {
		return err
	}
	for _, n := range m.Notes {
		fmt.Fprintln(os.Stderr, "amber: note: "+safetext.Line(n))
	}
	if isTerminal(os.Stdout) {
		return catSafely(r)
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(os.Stdout, h), r); err != nil {
		return err
	}
	if m.Type == record.File && !m.HashExtents && [32]byte(h.Sum(nil)) != m.SHA256 {
		return outcome{exitVerify, fmt.Sprintf("the content of %q was changed: it does not match its SHA-256", m.Path)}
	}
	return nil
}

func catSafely(r io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if _, werr := io.WriteString(os.Stdout, safeLines(string(buf[:n]))); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			fmt.Println()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func evidenceExtract(v view) error {
	c := v.c
	if c.String("to") == "" {
		return usagef("name a new directory: amber evidence extract --to DIR %s", strings.Join(c.Args().Slice(), " "))
	}
	b, err := v.bundle(c.Args().First(), "extract", strings.Join(c.Args().Tail(), " "))
	if err != nil {
		return err
	}
	defer b.Close()
	changes := []map[string]string{}
	x, err := b.Extract(c.Context, c.String("to"), evidence.ExtractOptions{
		Paths: c.Args().Tail(), Special: c.Bool("special"), Owners: c.Bool("owners"), Links: c.Bool("links"),
		Report: func(p, change string) {
			if v.json {
				changes = append(changes, map[string]string{"path": strings.ToValidUTF8(p, "\ufffd"), "change": change})
				return
			}
			fmt.Printf("%s: %s\n", safetext.Line(p), safetext.Line(change))
		},
	})
	if err != nil {
		return err
	}
	if v.json {
		err = emit(os.Stdout, map[string]any{"to": c.String("to"), "counts": x, "changes": changes})
	} else {
		fmt.Printf("%d files (%s), %d directories and links; %d changed, %d left out, %d were never had\n", x.Files, size(x.Bytes), x.Others, x.Changed, x.Left, x.Misses)
	}
	switch {
	case err != nil:
		return err
	case x.Damaged > 0:
		return outcome{exitVerify, fmt.Sprintf("%d files do not match their digests", x.Damaged)}
	case x.Changed+x.Left+x.Misses > 0:
		return outcome{exitMisses, ""}
	}
	return nil
}
