package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/keys"
	"amber/evidence/safetext"
)

func caseFlag() cli.Flag {
	return &cli.StringFlag{Name: "case", Usage: "the case's `DIR` (default: $" + casedir.Variable + ", or the case that one stands in)"}
}

func caseCommand() *cli.Command {
	return &cli.Command{
		Name:  "case",
		Usage: "make and show a case: the directory of one incident",
		Subcommands: []*cli.Command{
			{Name: "new", Usage: "make a case", ArgsUsage: "[DIR]", Flags: []cli.Flag{outputFlag(), &cli.StringFlag{Name: "title", Usage: "what the incident is"}}, Action: action(0, 1, "[DIR]", caseNew)},
			{Name: "show", Usage: "show a case: its signers, bundles and custody", Flags: []cli.Flag{caseFlag(), outputFlag(), logDirFlag()}, Action: viewing(0, 0, "without arguments", caseShow)},
			caseVerifyCommand(), caseMergeCommand(), caseSignersCommand(),
		},
	}
}

func caseNew(c *cli.Context, asJSON bool) error {
	cs, err := casedir.Create(c.Args().First(), c.String("title"), nil)
	if err != nil {
		return err
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	if err := introduce(cs); err != nil && !errors.Is(err, keys.ErrNoKey) {
		return err
	}
	if asJSON {
		return emit(os.Stdout, map[string]any{"case": cs.Dir(), "info": cs.Info()})
	}
	fmt.Println(safeLines(cs.Dir()))
	return nil
}

// introduce enters this user's public key as a signer of a case that has none
// who might sign its log.
func introduce(cs *casedir.Case) error {
	signers, err := cs.Signers()
	if err != nil || signers.Allow(keys.NamespaceCustody) {
		return err
	}
	path, err := keys.DefaultPath()
	if err != nil {
		return err
	}
	lines, err := signerLines(path)
	if err != nil {
		return err
	}
	return cs.AddSigner(lines...)
}

func caseShow(v view) error {
	cs := v.cs
	ids, err := bundleIDs(cs)
	if err != nil {
		return err
	}
	signers, err := cs.Signers()
	if err != nil {
		return err
	}
	report, err := custody.Verify(cs.CustodyPath(), signers, nil)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if v.json {
		return emit(os.Stdout, map[string]any{"case": cs.Dir(), "info": cs.Info(), "evidence": ids, "custody": report})
	}
	fmt.Printf("case     %s\nid       %s\ncreated  %s\n", safeLines(cs.Dir()), cs.Info().ID, cs.Info().Created.Format("2006-01-02 15:04:05Z"))
	if t := cs.Info().Title; t != "" {
		fmt.Printf("title    %s\n", safetext.Line(t))
	}
	for _, s := range cs.Info().Signers {
		fmt.Printf("signer   %s\n", safetext.Line(s))
	}
	for _, id := range ids {
		fmt.Printf("bundle   %s\n", safetext.Line(id))
	}
	fmt.Printf("custody  %s\n", safeLines(report.String()))
	return nil
}

// findCase gives the directory of the case that a command is about.
func findCase(c *cli.Context) (string, error) {
	dir, err := casedir.Find(c.String("case"))
	if errors.Is(err, casedir.ErrNoCase) {
		return "", usagef("no case is named: use --case DIR or %s, or stand in one", casedir.Variable)
	}
	return dir, err
}

// view is one look into a case.
type view struct {
	c    *cli.Context
	json bool
	cs   *casedir.Case
}

// look opens the case for reading. What is logged is signed, if the key is at
// hand without asking.
func look(c *cli.Context) (*casedir.Case, error) {
	dir, err := findCase(c)
	if err != nil {
		return nil, err
	}
	cs, err := casedir.OpenRead(dir)
	if err != nil {
		return nil, err
	}
	cs.Tool = tool()
	cs.Signer, cs.Looking = quietSigner(), true
	cs.LogDir = c.String("log-dir")
	return cs, nil
}

// quietSigner unlocks the key if its passphrase is in the environment: a look
// into evidence is not worth a question. Without it the entry awaits a
// countersignature.
func quietSigner() ssh.Signer {
	path, err := keys.DefaultPath()
	if err != nil {
		return nil
	}
	if _, ok := os.LookupEnv(keys.PassphraseVariable); !ok && !keys.Unasked(path) {
		return nil
	}
	s, err := keys.Unlock(path, keys.Ask(path))
	if err != nil {
		return nil
	}
	return s
}

// bundleIDs lists a case's bundles, oldest first.
func bundleIDs(cs *casedir.Case) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(cs.Dir(), "evidence"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, e.Name())
		}
	}
	sort.Strings(ids)
	return ids, err
}

// bundleDir finds a bundle by its id, or by the beginning of one, or the only
// one there is where id is empty.
func bundleDir(cs *casedir.Case, id string) (string, string, error) {
	ids, err := bundleIDs(cs)
	if err != nil {
		return "", "", err
	}
	var found []string
	for _, i := range ids {
		if i == id {
			found = []string{i}
			break
		}
		if len(i) >= len(id) && i[:len(id)] == id {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		dir, err := cs.EvidenceDir(found[0])
		return found[0], dir, err
	case 0:
		return "", "", usagef("the case has no bundle %q; it has %q", id, ids)
	}
	return "", "", usagef("%q means %d bundles: %q", id, len(found), found)
}

// logEntry is an entry about a bundle.
func logEntry(action, id, digest string) custody.Entry {
	e := custody.Entry{Action: action, Evidence: &custody.Evidence{ID: id}}
	if digest != "" {
		e.Evidence.Digest = "sha256:" + digest
	}
	return e
}

// bundle opens a bundle of the case, and enters that it is looked into: what
// was done, and to which part.
func (v view) bundle(id, act, part string) (*evidence.Bundle, error) {
	id, dir, err := bundleDir(v.cs, id)
	if err != nil {
		return nil, err
	}
	b, err := openBundle(v.c, dir)
	if err != nil {
		return nil, err
	}
	e := logEntry(act, id, b.Digest())
	e.Reason = part
	if _, err := v.cs.Log(e); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}
