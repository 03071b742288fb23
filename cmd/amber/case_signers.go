package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/keys"
	"amber/evidence/safetext"
)

func caseSignersCommand() *cli.Command {
	return &cli.Command{
		Name: "signers", Usage: "who may sign in a case",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list who may sign, and who let them",
				Flags: []cli.Flag{caseFlag(), outputFlag(), logDirFlag()}, Action: viewing(0, 0, "without arguments", signersList),
			},
			{
				Name: "add", Usage: "let somebody else sign in a case, by your own signature", ArgsUsage: "FILE|-",
				Description: "FILE has lines of an ssh allowed_signers file, such as amber keys show prints. Compare the\n" +
					"fingerprints with their holder before. What is added is an entry of the custody log that\n" +
					"somebody has to sign who may sign already; it allows what the lines do, and no more.",
				Flags: []cli.Flag{
					caseFlag(), outputFlag(), reasonFlag(), authorityFlag(),
					&cli.BoolFlag{Name: "plan", Usage: "print what would be added, and change nothing"},
				},
				Action: action(1, 1, "FILE|-", signersAdd),
			},
		},
	}
}

// signerRow is somebody who may sign, as list prints it.
type signerRow struct {
	keys.Signer
	Entry int64  `json:"entry,omitempty"` // of the custody log, that let them; 0: none
	By    string `json:"by,omitempty"`    // who signed that
}

func signersList(v view) error {
	signers, err := v.cs.Signers()
	if err != nil {
		return err
	}
	report, err := checkCustody(v.cs, trust{signers: signers})
	if err != nil {
		return err
	}
	rows := []signerRow{}
	for _, s := range signers.All() {
		rows = append(rows, signerRow{Signer: s})
	}
	if report != nil {
		for i := range rows {
			rows[i].entered(report.Additions)
		}
	}
	if v.json {
		return emit(os.Stdout, rows)
	}
	var cells [][]string
	for _, r := range rows {
		cells = append(cells, r.cells())
	}
	return table(os.Stdout, []string{"WHO", "FINGERPRINT", "KEY", "MAY SIGN", "ENTRY", "LET BY"}, cells)
}

// entered finds the entry that let somebody sign.
func (r *signerRow) entered(additions []custody.Addition) {
	for _, a := range additions {
		list, err := keys.ParseSigners([]byte(strings.Join(a.Lines, "\n")))
		if err != nil {
			continue
		}
		for _, s := range list.All() {
			if s == r.Signer {
				r.Entry, r.By = a.Entry, a.By
				return
			}
		}
	}
}

func (r signerRow) cells() []string {
	what, entry, by := r.Namespaces, "none", "nobody who signed it"
	if what == "" {
		what = "all"
	}
	for name, at := range map[string]time.Time{" from ": r.After, " until ": r.Before} {
		if !at.IsZero() {
			what += name + at.UTC().Format("2006-01-02")
		}
	}
	if r.Entry > 0 {
		entry = fmt.Sprint(r.Entry)
	}
	if r.By != "" {
		by = r.By
	}
	return []string{r.Principals, r.Fingerprint, r.Type, what, entry, by}
}

func signersAdd(c *cli.Context, asJSON bool) error {
	lines, err := readLines(c.Args().First())
	if err != nil {
		return err
	}
	cs, _, err := openUnsigned(c)
	if err != nil {
		return err
	}
	defer cs.Close()
	added, err := cs.NewSigners(lines...)
	if err != nil {
		return err
	}
	if len(added) > 0 && !c.Bool("plan") {
		sayUnsigned(cs)
		if err := enterSigners(c, cs, added); err != nil {
			return err
		}
	}
	return printAdded(c, added, asJSON)
}

// enterSigners adds them by the signature of somebody who may sign.
func enterSigners(c *cli.Context, cs *casedir.Case, added []string) error {
	signers, err := cs.Signers()
	if err != nil {
		return err
	}
	if !signers.Allow(keys.NamespaceCustody) {
		return outcome{exitRefused, "nobody may sign in this case yet: the first who signs (amber evidence sign) is entered by that"}
	}
	if err := signAsOne(cs); err != nil {
		return err
	}
	return cs.AddSigners(custody.Entry{Reason: c.String("reason"), Authority: c.String("authority")}, added...)
}

func printAdded(c *cli.Context, added []string, asJSON bool) error {
	list, err := keys.ParseSigners([]byte(strings.Join(added, "\n")))
	if err != nil {
		return err
	}
	all := list.All()
	if asJSON {
		if all == nil {
			all = []keys.Signer{}
		}
		return emit(os.Stdout, map[string]any{"added": all, "plan": c.Bool("plan")})
	}
	word := "added"
	if c.Bool("plan") {
		word = "would be added"
	}
	if len(all) == 0 {
		fmt.Println("they may sign already: nothing is added")
	}
	for _, s := range all {
		fmt.Printf("%s: %s, %s\n", word, safetext.Line(s.Principals), s.Fingerprint)
	}
	return nil
}

// readLines reads the lines of an allowed_signers file, or of standard input.
func readLines(name string) ([]string, error) {
	var data []byte
	var err error
	if name == "-" {
		data, err = io.ReadAll(io.LimitReader(os.Stdin, maxSigners+1))
	} else {
		data, err = readUpTo(name, maxSigners)
	}
	if err == nil && len(data) > maxSigners {
		err = fmt.Errorf("more than %d bytes of signers", maxSigners)
	}
	var lines []string
	for line := range strings.SplitSeq(string(data), "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	if err == nil && len(lines) == 0 {
		err = fmt.Errorf("%s has no lines of an allowed_signers file", name)
	}
	return lines, err
}

const maxSigners = 64 << 10
