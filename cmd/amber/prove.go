package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"amber/evidence"
	"amber/evidence/keys"
	"amber/evidence/proof"
	"amber/evidence/record"
	"amber/evidence/safetext"
)

// contentSuffix ends the name of the file with a member's bytes, beside its
// proof.
const contentSuffix = ".content"

func proveCommands(common func(...cli.Flag) []cli.Flag) []*cli.Command {
	return []*cli.Command{
		{
			Name: "prove", Usage: "disclose one member with a proof that the bundle holds it, and nothing else", ArgsUsage: "ID PATH", Action: viewing(2, 2, "ID PATH", evidenceProve),
			Flags: common(
				&cli.StringFlag{Name: "to", Usage: "write the proof to a new `FILE` (default: standard output)"},
				&cli.BoolFlag{Name: "with-content", Usage: "and the member's bytes to FILE" + contentSuffix},
			),
		},
		{
			Name: "check-proof", Usage: "check a proof, without the bundle and without a case", ArgsUsage: "FILE", Action: action(1, 1, "FILE", evidenceCheckProof),
			Flags: []cli.Flag{
				outputFlag(),
				&cli.StringFlag{Name: "signers", Usage: "whom to trust: an ssh allowed_signers `FILE`"},
				&cli.StringFlag{Name: "content", Usage: "the member's bytes, `FILE` (default: that beside the proof, if there is one)"},
			},
		},
	}
}

func evidenceProve(v view) error {
	id, path, to := v.c.Args().First(), v.c.Args().Get(1), v.c.String("to")
	if v.c.Bool("with-content") && to == "" {
		return usagef("name a file: amber evidence prove --to FILE --with-content %s %s", id, path)
	}
	b, err := v.bundle(id, "prove", path)
	if err != nil {
		return err
	}
	defer b.Close()
	p, err := proof.New(b, path)
	if err != nil {
		return err
	}
	data, err := p.Marshal()
	if err != nil {
		return err
	}
	if to == "" {
		_, err = writeOut(os.Stdout, data)
		return err
	}
	if v.c.Bool("with-content") {
		if err := disclose(b, path, to+contentSuffix); err != nil {
			return err
		}
	}
	if err := writeNew(to, func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
		return err
	}
	if v.json {
		return emit(os.Stdout, map[string]any{"proof": to, "evidence": p.Evidence, "leaf_index": p.Index, "tree_size": p.Size, "root": p.Root})
	}
	fmt.Printf("line %d of %d proved, in %s\n", p.Index, p.Size, safetext.Line(to))
	return nil
}

// disclose writes a file's logical bytes.
func disclose(b *evidence.Bundle, path, to string) error {
	m, err := b.Lookup(path)
	if err != nil {
		return err
	}
	if m.Type == record.Hardlink {
		return fmt.Errorf("%q has its bytes from %q, to which it is a hard link: prove that one with its content", m.Path, m.Link)
	}
	r, err := b.Content(m)
	if err != nil {
		return err
	}
	return writeNew(to, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// writeNew makes a file that must not exist, and takes away one that it could
// not write whole.
func writeNew(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// proved is what check-proof prints.
type proved struct {
	*proof.Report
	Path    string `json:"path"`
	Content string `json:"content,omitempty"` // the file whose bytes are those of the member
	Verdict string `json:"verdict"`
	Exit    int    `json:"exit"`
}

func evidenceCheckProof(c *cli.Context, asJSON bool) error {
	var signers *keys.Signers
	var err error
	if file := c.String("signers"); file != "" {
		if signers, err = keys.ReadSigners(file); err != nil {
			return err
		}
	}
	r, err := checkProof(c.Args().First(), c.String("content"), signers)
	if err != nil {
		return err
	}
	if asJSON {
		err = emit(os.Stdout, r)
	} else {
		r.print()
	}
	if err != nil || r.Exit == exitDone {
		return err
	}
	return outcome{r.Exit, r.Verdict}
}

// checkProof checks the proof in a file, and the content that goes with it.
func checkProof(name, content string, signers *keys.Signers) (*proved, error) {
	data, err := readUpTo(name, proof.MaxSize)
	if err != nil {
		return nil, err
	}
	p, err := proof.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	report, err := p.Check(signers)
	if err != nil {
		return nil, outcome{exitVerify, fmt.Sprintf("VERIFICATION FAILED: %s: %v", name, err)}
	}
	r := &proved{Report: report, Path: safetext.Line(report.Member.Path)}
	if r.Content, err = checkContent(report.Member, name, content); err != nil {
		return nil, err
	}
	r.conclude(signers != nil)
	return r, nil
}

// checkContent compares the content, which is beside the proof where it is not
// named, and gives the file's name.
func checkContent(m *record.Member, proof, content string) (string, error) {
	named := content != ""
	if !named {
		content = proof + contentSuffix
	}
	f, err := os.Open(content)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := evidence.CheckContent(m, f); err != nil {
		return "", outcome{exitVerify, fmt.Sprintf("VERIFICATION FAILED: %s: %v", content, err)}
	}
	return content, nil
}

func readUpTo(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return data, err
}

func (r *proved) conclude(demanded bool) {
	switch first := r.Signatures[0].Fingerprint; {
	case r.KnownSigner():
		r.Verdict = "proved, signed by a known signer"
	case demanded:
		r.Verdict, r.Exit = "VERIFICATION FAILED: none of the allowed signers vouches for it; it is signed by "+first, exitVerify
	default:
		r.Verdict, r.Exit = "proved; signer UNKNOWN, fingerprint "+first, exitMisses
	}
}

func (r *proved) print() {
	fmt.Printf("%s\n  line %d of %d of bundle %s\n", memberText(r.Member), r.Index, r.Size, safetext.Line(r.Evidence))
	if r.Content != "" {
		fmt.Printf("  %s is its content\n", safetext.Line(r.Content))
	}
	for _, s := range r.Signatures {
		who := "UNKNOWN"
		if s.Known {
			who = s.Principal
		}
		fmt.Printf("  %s: signer %s, fingerprint %s\n", s.Kind, safetext.Line(who), s.Fingerprint)
	}
	if r.Exit == exitDone {
		fmt.Println(r.Verdict)
	}
}
