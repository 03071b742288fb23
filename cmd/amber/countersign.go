package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/keys"
	"amber/evidence/safetext"
)

func countersignCommand(common func(...cli.Flag) []cli.Flag) *cli.Command {
	return &cli.Command{
		Name: "countersign", Usage: "say that you have looked at entries of the custody log that nobody signed, and vouch for them",
		Description: "Without --entries it lists them, and signs nothing. An entry that nobody signed may be of a\n" +
			"colleague without a key, or of anybody who could write the case: what is signed after it keeps it\n" +
			"as it is, and vouches for nothing in it.",
		Flags: common(
			&cli.StringFlag{Name: "entries", Usage: "which you vouch for, such as `4,7-9`, or all"},
			&cli.StringFlag{Name: "reason", Usage: "how you know of them"},
		),
		Action: action(0, 0, "[--entries 4,7-9|all]", countersign),
	}
}

func countersign(c *cli.Context, asJSON bool) error {
	cs, report, err := openUnsigned(c)
	if err != nil {
		return err
	}
	defer cs.Close()
	unseen := report.Unseen()
	if c.String("entries") == "" || len(unseen) == 0 {
		return tellUnsigned(cs, report, unseen, asJSON)
	}
	chosen, err := chosenEntries(c.String("entries"), unseen)
	if err != nil {
		return err
	}
	if err := checkAllSeals(cs); err != nil {
		return err
	}
	head, err := custody.Head(cs.CustodyPath())
	if err != nil {
		return err
	}
	if head.Sequence != report.Complete {
		return custody.ErrGrown
	}
	if err := signAsOne(cs); err != nil {
		return err
	}
	e := custody.Entry{
		Action: custody.ActionCountersign, Previous: head.Hash, Seen: custody.Runs(chosen), Reason: c.String("reason"),
		Result: "looked at " + countText(len(chosen), "unsigned entry"),
	}
	if len(chosen) != 1 {
		e.Result = fmt.Sprintf("looked at %d unsigned entries", len(chosen))
	}
	receipt, err := cs.Log(e)
	if err != nil {
		return err
	}
	if asJSON {
		return emit(os.Stdout, map[string]any{"entries": chosen, "custody": receipt})
	}
	if err := printUnsigned(cs, chosen); err != nil {
		return err
	}
	fmt.Printf("countersigned: entries %s, by entry %d\n", custody.RunsText(chosen), receipt.Sequence)
	return nil
}

// openUnsigned opens a case for signing, with what its custody log is.
func openUnsigned(c *cli.Context) (*casedir.Case, *custody.Report, error) {
	dir, err := findCase(c)
	if err != nil {
		return nil, nil, err
	}
	cs, err := casedir.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	signers, err := cs.Signers()
	if err == nil {
		cs.Tool = tool()
		var r custody.Report
		if r, err = custody.Verify(cs.CustodyPath(), signers, nil); err == nil && r.Tampered() {
			err = outcome{exitVerify, "the custody log is not countersigned: " + r.Problems[0].String()}
		}
		if err == nil {
			return cs, &r, nil
		}
	}
	_ = cs.Close() // what went wrong before says more
	return nil, nil, err
}

// signAsOne unlocks the key, which must be one of the case's signers'.
func signAsOne(cs *casedir.Case) error {
	signers, err := cs.Signers()
	if err != nil {
		return err
	}
	signer, err := unlock()
	if err != nil {
		return err
	}
	if _, known := signers.Lookup(signer.PublicKey(), keys.NamespaceCustody, time.Now()); !known {
		return outcome{exitRefused, fmt.Sprintf("the key %s is none of this case's signers' (amber case signers list): nothing is signed", keys.Fingerprint(signer.PublicKey()))}
	}
	cs.Signer = signer
	return nil
}

// chosenEntries reads "4,7-9" or "all".
func chosenEntries(text string, unseen []int64) ([]int64, error) {
	if text == "all" {
		return unseen, nil
	}
	var chosen []int64
	for part := range strings.SplitSeq(text, ",") {
		a, b, isRun := strings.Cut(strings.TrimSpace(part), "-")
		if !isRun {
			b = a
		}
		from, err1 := strconv.ParseInt(a, 10, 52)
		to, err2 := strconv.ParseInt(b, 10, 52)
		if err1 != nil || err2 != nil || from < 1 || to < from {
			return nil, usagef("--entries %q: want numbers of entries such as 4,7-9, or all", text)
		}
		begin, _ := slices.BinarySearch(unseen, from)
		end, found := slices.BinarySearch(unseen, to)
		if found {
			end++
		}
		if int64(end-begin) != to-from+1 {
			return nil, usagef("--entries %s: not all of these wait for a countersignature; entries %s do", part, custody.RunsText(unseen))
		}
		chosen = append(chosen, unseen[begin:end]...)
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), nil
}

// tellUnsigned lists what waits for a countersignature.
func tellUnsigned(cs *casedir.Case, report *custody.Report, unseen []int64, asJSON bool) error {
	if asJSON {
		list := []custody.Unsigned{}
		for _, n := range unseen {
			u, _ := report.Of(n)
			list = append(list, u)
		}
		return emit(os.Stdout, map[string]any{"unsigned": list})
	}
	if len(unseen) == 0 {
		fmt.Println("no entry of the custody log waits for a countersignature")
		return nil
	}
	if err := printUnsigned(cs, unseen); err != nil {
		return err
	}
	fmt.Printf("vouch for those that you know of: amber evidence countersign --case %s --entries %s\n", safeLines(cs.Dir()), custody.RunsText(unseen))
	return nil
}

func printUnsigned(cs *casedir.Case, which []int64) error {
	var rows [][]string
	for e, err := range custody.Entries(cs.CustodyPath()) {
		if err != nil {
			return err
		}
		if _, ok := slices.BinarySearch(which, e.Sequence); ok {
			rows = append(rows, custodyRow(e))
		}
	}
	return table(os.Stdout, custodyHead, rows)
}

// sayUnsigned says on standard error what a signature is about to cover and does
// not vouch for.
func sayUnsigned(cs *casedir.Case) {
	signers, err := cs.Signers()
	if err != nil {
		return // the verb itself says so
	}
	report, err := custody.Verify(cs.CustodyPath(), signers, nil)
	if err != nil {
		return
	}
	for _, u := range report.Unsigned {
		if u.Seen == 0 && u.Covered == 0 {
			fmt.Fprintf(os.Stderr, "amber: note: nobody signed entry %d of the custody log: %s by %s at %s; amber evidence countersign vouches for it\n",
				u.Sequence, safetext.Line(u.Action), safetext.Line(u.By()), u.Time.UTC().Format(time.RFC3339))
		}
	}
}
