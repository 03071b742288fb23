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
	"amber/evidence/casedir"
	"amber/evidence/keys"
	"amber/evidence/record"
	"amber/evidence/safetext"
)

func evidenceCommand() *cli.Command {
	common := func(more ...cli.Flag) []cli.Flag { return append([]cli.Flag{caseFlag(), outputFlag()}, more...) }
	return &cli.Command{
		Name:  "evidence",
		Usage: "read, verify and hand over what was collected",
		Subcommands: []*cli.Command{
			{Name: "ls", Usage: "list the case's bundles, or what a bundle holds", ArgsUsage: "[ID [PATH]]", Flags: common(), Action: evidenceLs},
			{Name: "cat", Usage: "write one member's content to standard output", ArgsUsage: "ID PATH", Flags: common(), Action: evidenceCat},
			{
				Name: "extract", Usage: "write members below a new directory, safely", ArgsUsage: "ID [PATH...]", Action: evidenceExtract,
				Flags: common(
					&cli.StringFlag{Name: "to", Usage: "the new `DIR`", Required: true},
					&cli.BoolFlag{Name: "special", Usage: "also setuid bits, device nodes and FIFOs"},
					&cli.BoolFlag{Name: "owners", Usage: "also owners and groups"},
					&cli.BoolFlag{Name: "links", Usage: "also symbolic links that lead outside"},
				),
			},
			{Name: "diff", Usage: "what the container changed against its image, or how two bundles differ", ArgsUsage: "ID [ID]", Flags: common(), Action: evidenceDiff},
			{
				Name: "verify", Usage: "check that nothing was changed, and who signed", ArgsUsage: "[ID...]", Action: evidenceVerify,
				Flags: common(
					&cli.StringFlag{Name: "signers", Usage: "whom to trust: an ssh allowed_signers `FILE` (default: the case's)"},
					&cli.StringFlag{Name: "receipt", Usage: "a custody receipt that was kept elsewhere, `FILE`"},
					&cli.BoolFlag{Name: "deep", Usage: "also decode and hash every member"},
				),
			},
			{
				Name: "custody", Usage: "show and check the custody log", Action: evidenceCustody,
				Flags: common(
					&cli.StringFlag{Name: "signers", Usage: "whom to trust: an ssh allowed_signers `FILE` (default: the case's)"},
					&cli.StringFlag{Name: "receipt", Usage: "a custody receipt that was kept elsewhere, `FILE`"},
					&cli.BoolFlag{Name: "head", Usage: "print a receipt of the log as it is now; keep it elsewhere"},
				),
			},
			{Name: "sign", Usage: "sign a bundle that is unsigned, or sign it as well", ArgsUsage: "[ID]", Flags: common(), Action: evidenceSign},
			{
				Name: "import", Usage: "take in a bundle that was streamed with --to -", ArgsUsage: "FILE|-", Action: evidenceImport,
				Flags: common(&cli.StringFlag{Name: "from", Usage: "whom it comes from, for the custody log"}),
			},
		},
	}
}

func evidenceLs(c *cli.Context) error {
	if err := exactly(c, 0, 2, "[ID [PATH]]"); err != nil {
		return err
	}
	asJSON, err := wantJSON(c)
	if err != nil {
		return err
	}
	cs, err := look(c)
	if err != nil {
		return err
	}
	defer cs.Close()
	if c.NArg() == 0 {
		return lsBundles(cs, asJSON)
	}
	id, b, err := openBundle(cs, c.Args().First())
	if err != nil {
		return err
	}
	defer b.Close()
	if _, err := cs.Log(logEntry("ls", id, b.Digest())); err != nil {
		return err
	}
	return lsMembers(b, c.Args().Get(1), asJSON)
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
}

func lsBundles(cs *casedir.Case, asJSON bool) error {
	ids, err := bundleIDs(cs)
	if err != nil {
		return err
	}
	rows := []bundleRow{}
	for _, id := range ids {
		rows = append(rows, lsBundle(cs, id))
	}
	if asJSON {
		return emit(os.Stdout, rows)
	}
	var cells [][]string
	for _, r := range rows {
		cells = append(cells, []string{r.ID, string(r.State), r.Target, fmt.Sprint(r.Members), fmt.Sprint(r.Misses), size(r.Bytes), r.Error})
	}
	return table(os.Stdout, []string{"ID", "STATE", "TARGET", "MEMBERS", "MISSES", "SIZE", ""}, cells)
}

func lsBundle(cs *casedir.Case, id string) bundleRow {
	r := bundleRow{ID: id}
	dir, err := cs.EvidenceDir(id)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	b, err := evidence.Open(dir)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	defer b.Close()
	r.State, r.Bytes = b.State(), b.StoredBytes()
	a, err := b.Acquisition()
	if err != nil {
		return r
	}
	r.Members, r.Misses, r.Target, r.Taken = a.Members, a.Misses, a.Name, a.Start.Format("2006-01-02T15:04:05Z")
	return r
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
			if _, err := os.Stdout.Write(append(escapeJSON(m.AppendJSON(nil)), '\n')); err != nil {
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

func evidenceCat(c *cli.Context) error {
	if err := exactly(c, 2, 2, "ID PATH"); err != nil {
		return err
	}
	cs, err := look(c)
	if err != nil {
		return err
	}
	defer cs.Close()
	id, b, err := openBundle(cs, c.Args().First())
	if err != nil {
		return err
	}
	defer b.Close()
	m, err := b.Lookup(c.Args().Get(1))
	if err != nil {
		return err
	}
	e := logEntry("cat", id, b.Digest())
	e.Reason = m.Path
	if _, err := cs.Log(e); err != nil {
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

func evidenceExtract(c *cli.Context) error {
	if err := exactly(c, 1, -1, "--to DIR ID [PATH...]"); err != nil {
		return err
	}
	asJSON, err := wantJSON(c)
	if err != nil {
		return err
	}
	cs, err := look(c)
	if err != nil {
		return err
	}
	defer cs.Close()
	id, b, err := openBundle(cs, c.Args().First())
	if err != nil {
		return err
	}
	defer b.Close()
	e := logEntry("extract", id, b.Digest())
	e.Reason = strings.Join(c.Args().Tail(), " ")
	if _, err := cs.Log(e); err != nil {
		return err
	}
	changes := []map[string]string{}
	x, err := b.Extract(c.Context, c.String("to"), evidence.ExtractOptions{
		Paths: c.Args().Tail(), Special: c.Bool("special"), Owners: c.Bool("owners"), Links: c.Bool("links"),
		Report: func(p, change string) {
			if asJSON {
				changes = append(changes, map[string]string{"path": strings.ToValidUTF8(p, "\ufffd"), "change": change})
				return
			}
			fmt.Printf("%s: %s\n", safetext.Line(p), safetext.Line(change))
		},
	})
	if err != nil {
		return err
	}
	if asJSON {
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

func evidenceSign(c *cli.Context) error {
	if err := exactly(c, 0, 1, "[ID]"); err != nil {
		return err
	}
	asJSON, err := wantJSON(c)
	if err != nil {
		return err
	}
	dir, err := findCase(c)
	if err != nil {
		return err
	}
	cs, err := casedir.Open(dir)
	if err != nil {
		return err
	}
	defer cs.Close()
	id, bdir, err := bundleDir(cs, c.Args().First())
	if err != nil {
		return err
	}
	signer, err := unlock()
	if err != nil {
		return err
	}
	cs.Tool, cs.Signer = tool(), signer
	if err := introduce(cs); err != nil {
		return err
	}
	report, err := evidence.Verify(c.Context, bdir, evidence.VerifyOptions{})
	if err != nil {
		return err
	}
	if !report.Intact() {
		return outcome{exitVerify, fmt.Sprintf("bundle %s is not as it was closed (%s: %s): it is not signed", id, report.Problems[0].Name, report.Problems[0].What)}
	}
	file, err := evidence.Sign(bdir, sealSigner(signer))
	if err != nil {
		return err
	}
	e := logEntry("sign", id, report.Digest)
	e.Result = file + " by " + keys.Fingerprint(signer.PublicKey())
	receipt, err := cs.Log(e)
	if err != nil {
		return err
	}
	if asJSON {
		return emit(os.Stdout, map[string]any{"id": id, "file": file, "fingerprint": keys.Fingerprint(signer.PublicKey()), "custody": receipt})
	}
	fmt.Printf("signed %s: %s\n", safetext.Line(id), file)
	return nil
}

func evidenceImport(c *cli.Context) error {
	if err := exactly(c, 1, 1, "FILE|-"); err != nil {
		return err
	}
	asJSON, err := wantJSON(c)
	if err != nil {
		return err
	}
	in := os.Stdin
	if name := c.Args().First(); name != "-" {
		if in, err = os.Open(name); err != nil {
			return err
		}
		defer in.Close()
	}
	dir, err := casedir.Find(c.String("case"))
	if errors.Is(err, casedir.ErrNoCase) {
		dir, err = "", nil
	}
	if err != nil {
		return err
	}
	cs, _, err := casedir.OpenOrCreate(dir, "")
	if err != nil {
		return err
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	return importBundle(c, cs, in, asJSON)
}

// importBundle takes the bundle in under a name of its own, and gives it its
// id once that is known.
func importBundle(c *cli.Context, cs *casedir.Case, in io.Reader, asJSON bool) error {
	id := newID("import")
	dir, err := cs.EvidenceDir(id)
	if err != nil {
		return err
	}
	importErr := evidence.Import(in, dir)
	if importErr != nil && !errors.Is(importErr, evidence.ErrCut) {
		return importErr
	}
	report, err := evidence.Verify(c.Context, dir, evidence.VerifyOptions{})
	if err != nil {
		return err
	}
	if report.ID != "" && !strings.ContainsAny(report.ID, "/\x00") && report.ID != "." && report.ID != ".." {
		if to, err := cs.EvidenceDir(report.ID); err == nil {
			if err := renameNew(dir, to); err != nil {
				return err
			}
			id = report.ID
		}
	}
	e := logEntry("import", id, report.Digest)
	e.Counterparty, e.Result = c.String("from"), string(report.State)
	if importErr != nil {
		e.Errors = []string{importErr.Error()}
	}
	receipt, err := cs.Log(e)
	if err != nil {
		return err
	}
	if asJSON {
		err = emit(os.Stdout, map[string]any{"case": cs.Dir(), "report": report, "custody": receipt})
	} else {
		fmt.Printf("imported %s into %s: %s, %d members, %d misses\n", safetext.Line(id), safeLines(cs.Dir()), report.State, report.Members, report.Misses)
	}
	switch {
	case err != nil:
		return err
	case !report.Intact():
		return outcome{exitVerify, "what arrived does not verify: " + report.Problems[0].Name + " " + report.Problems[0].What}
	case importErr != nil:
		return outcome{exitMisses, importErr.Error()}
	}
	return nil
}

// renameNew moves a directory to a name that nothing has yet.
func renameNew(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("the case has a bundle %s already; what arrived is kept as %s", to, from)
	}
	return os.Rename(from, to)
}
