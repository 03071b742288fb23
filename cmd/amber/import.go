package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"amber/evidence"
	"amber/evidence/casedir"
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
