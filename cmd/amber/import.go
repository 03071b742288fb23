package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/evidence/safetext"

	"github.com/urfave/cli/v2"
)

func evidenceImport(c *cli.Context, asJSON bool) error {
	in := os.Stdin
	if name := c.Args().First(); name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	dir, err := casedir.Find(c.String("case"))
	if errors.Is(err, casedir.ErrNoCase) {
		dir, err = "", nil
	}
	if err != nil {
		return err
	}
	cs, _, err := casedir.OpenOrCreate(dir, "", nil)
	if err != nil {
		return err
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	return importBundle(c, cs, in, asJSON)
}

// importBundle takes a bundle in, enters that, and says what it is.
func importBundle(c *cli.Context, cs *casedir.Case, in io.Reader, asJSON bool) error {
	got, err := receive(c.Context, cs, in)
	if err != nil {
		return got.refuse(cs, c.String("from"), err)
	}
	receipt, err := cs.Log(got.entry(c.String("from")))
	if err != nil {
		return err
	}
	if asJSON {
		err = emit(os.Stdout, map[string]any{"case": cs.Dir(), "report": got.report, "custody": receipt})
	} else {
		holds := fmt.Sprintf("%d members, %d misses", got.report.Members, got.report.Misses)
		if got.locked() {
			holds = "encrypted, and not looked into"
		}
		fmt.Printf("imported %s into %s: %s, %s\n", safetext.Line(got.id), safeLines(cs.Dir()), got.report.State, holds)
	}
	return errors.Join(err, got.wrong())
}

// received is a bundle that came as a stream.
type received struct {
	id, dir string
	report  *evidence.Report
	cut     error // why it is not whole
}

// receive takes a bundle in under a name of its own, and gives it its id once
// that is known.
func receive(ctx context.Context, cs *casedir.Case, in io.Reader) (received, error) {
	got := received{id: newID(importName)}
	var err error
	if got.dir, err = cs.EvidenceDir(got.id); err != nil {
		return got, err
	}
	if err = evidence.Import(in, got.dir); err != nil && !errors.Is(err, evidence.ErrCut) {
		return got, err
	}
	if got.cut = err; err != nil && got.none() {
		return got, fmt.Errorf("nothing of a bundle arrived: %w", err)
	}
	if got.report, err = evidence.Verify(ctx, got.dir, evidence.VerifyOptions{}); err != nil {
		return got, err
	}
	id := got.report.ID
	if id == "" || strings.ContainsAny(id, "/\x00") || id == "." || id == ".." {
		return got, nil
	}
	to, err := cs.EvidenceDir(id)
	if err != nil {
		return got, nil
	}
	if err := place(ctx, got.dir, to, got.report.Digest); err != nil {
		return got, err
	}
	got.id, got.dir = id, to
	return got, nil
}

// none reports that not one file of a bundle arrived.
func (got received) none() bool {
	entries, err := os.ReadDir(got.dir)
	return err == nil && len(entries) == 1 // INCOMPLETE
}

// refuse enters that what came was not taken in, and says where what there is of
// it was kept; of nothing, nothing is.
func (got received) refuse(cs *casedir.Case, from string, why error) error {
	if _, err := os.Lstat(got.dir); err != nil {
		return why
	}
	if got.none() {
		return errors.Join(why, os.RemoveAll(got.dir))
	}
	e := logEntry("import", got.id, "")
	e.Counterparty, e.Result, e.Errors = from, refused, []string{why.Error()}
	_, err := cs.Log(e)
	return errors.Join(fmt.Errorf("%w; what arrived until then is kept in %s", why, got.dir), err)
}

// locked reports whether it is encrypted, so that its members are not known.
func (got received) locked() bool {
	return got.report.Encryption != nil && !got.report.Encryption.Opened
}

// entry is what the custody log says of it.
func (got received) entry(from string) custody.Entry {
	e := logEntry("import", got.id, got.report.Digest)
	e.Counterparty, e.Result = from, string(got.report.State)
	if got.cut != nil {
		e.Errors = []string{got.cut.Error()}
	}
	return e
}

// wrong is what keeps it from being as it was sent.
func (got received) wrong() error {
	switch {
	case !got.report.Intact():
		return outcome{exitVerify, "what arrived does not verify: " + got.report.Problems[0].Name + " " + got.report.Problems[0].What}
	case got.cut != nil:
		return outcome{exitMisses, got.cut.Error()}
	}
	return nil
}

// importName stands in the name of a bundle that is arriving.
const importName = "import"

// unnamed reports whether a bundle's directory has the name that it gets until
// its import is done.
func unnamed(id string) bool { return strings.Contains(id, "-"+importName+"-") }

// place moves what arrived to a name that nothing has yet, or drops it where
// that very bundle is there already, because an import of it was cut off.
func place(ctx context.Context, from, to, digest string) error {
	if _, err := os.Lstat(to); err != nil {
		return durable.Rename(from, to)
	}
	there, err := evidence.Verify(ctx, to, evidence.VerifyOptions{})
	if err != nil {
		return err
	}
	arrived, err := evidence.Open(from)
	if err != nil {
		return err
	}
	defer arrived.Close()
	if !there.Intact() || there.Digest != digest || len(there.Signatures) < arrived.Attestations() {
		return fmt.Errorf("the case has a bundle %s already; what arrived is kept as %s", to, from)
	}
	return os.RemoveAll(from)
}
