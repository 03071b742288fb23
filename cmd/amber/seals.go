package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/evidence/casedir"
	"amber/evidence/custody"
)

// sealFlags are of the verbs that add to a seal.
func sealFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "give-up", Usage: "a `FILE` of the bundle's seal that is gone and is not to be missed any more (seal/003-rfc3161.tsr); needs --reason, and your signature"},
		reasonFlag(),
	}
}

// checkSeals refuses to add to a seal of which files that the custody log knows
// are gone, or others: what is signed on top of it would be taken for all that
// there was. Those that are given up are entered as that.
func checkSeals(c *cli.Context, cs *casedir.Case, id string) error {
	given, err := givenUp(c, id)
	if err != nil {
		return err
	}
	var gone []casedir.SealLoss
	for _, l := range cs.LostSeals(id) {
		if i := slices.Index(given, l.Path); i >= 0 {
			gone, given = append(gone, l), slices.Delete(given, i, i+1)
			continue
		}
		return outcome{exitVerify, fmt.Sprintf("%s %s, and entry %d of the custody log has it: nothing is added to this seal (--give-up %s --reason WHY, if it is lost for good)",
			l.Path, l.What, l.Entry, strings.TrimPrefix(l.Path, "evidence/"+id+"/"))}
	}
	if len(given) > 0 {
		return usagef("--give-up %s: the custody log does not miss it", given[0])
	}
	if len(gone) == 0 {
		return nil
	}
	if err := signAsOne(cs); err != nil {
		return err
	}
	return cs.GiveUp(custody.Entry{Evidence: &custody.Evidence{ID: id}, Reason: c.String("reason")}, gone)
}

func givenUp(c *cli.Context, id string) (names []string, err error) {
	for _, name := range c.StringSlice("give-up") {
		if path.Dir(name) == "." {
			name = "seal/" + name
		}
		names = append(names, "evidence/"+id+"/"+name)
	}
	if len(names) > 0 && c.String("reason") == "" {
		return nil, usagef("--give-up needs a --reason: it is entered in the custody log")
	}
	return names, nil
}

// checkAllSeals refuses what is signed about a case of which files of seals are
// gone.
func checkAllSeals(cs *casedir.Case) error {
	ids, err := bundleIDs(cs)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if lost := cs.LostSeals(id); len(lost) > 0 {
			return outcome{exitVerify, fmt.Sprintf("%s %s, and entry %d of the custody log has it: nothing is countersigned (amber evidence sign --give-up, if it is lost for good)", lost[0].Path, lost[0].What, lost[0].Entry)}
		}
	}
	return nil
}
