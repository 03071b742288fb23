package main

import (
	"fmt"
	"os"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/keys"
	"amber/evidence/safetext"

	"github.com/urfave/cli/v2"
)

func evidenceSign(c *cli.Context, asJSON bool) error {
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
	sayUnsigned(cs)
	if err := checkSeals(c, cs, id); err != nil {
		return err
	}
	report, err := evidence.Verify(c.Context, bdir, evidence.VerifyOptions{})
	if err != nil {
		return err
	}
	if !report.Intact() {
		return outcome{exitVerify, fmt.Sprintf("bundle %s is not as it was closed (%s: %s): it is not signed", id, report.Problems[0].Name, report.Problems[0].What)}
	}
	file, err := evidence.Sign(bdir, evidence.SignWith(signer))
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
