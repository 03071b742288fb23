package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"amber/evidence"
	"amber/evidence/casedir"
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

// importBundle takes the bundle in under a name of its own, and gives it its
// id once that is known.
func importBundle(c *cli.Context, cs *casedir.Case, in io.Reader, asJSON bool) error {
	id := newID(importName)
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
			if err := place(c.Context, dir, to, report.Digest); err != nil {
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
	arrived, err := os.ReadDir(filepath.Join(from, "seal"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !there.Intact() || there.Digest != digest || len(there.Signatures) < len(arrived) {
		return fmt.Errorf("the case has a bundle %s already; what arrived is kept as %s", to, from)
	}
	return os.RemoveAll(from)
}
