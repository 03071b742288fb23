package casedir

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"amber/evidence/custody"
)

// ActionGiveUp says, signed and with its reason, that files of a bundle's seal
// are gone and are not to be missed any more.
const ActionGiveUp = "give-up-seal"

// SealLoss is a file of a bundle's seal that is not there as the custody log has
// it.
type SealLoss struct {
	custody.File
	Entry int64  // that says so first
	What  string // what is wrong with it
}

// LostSeals gives what is missing of a bundle's seal. Files of a seal are added
// to, and never taken away or changed.
func (c *Case) LostSeals(id string) (lost []SealLoss) {
	known := c.KnownFiles()
	for _, name := range slices.Sorted(maps.Keys(known.Files)) {
		if !strings.HasPrefix(name, sealOf(id)) {
			continue
		}
		if err := c.CheckFile(known.Files[name]); err != nil {
			lost = append(lost, SealLoss{known.Files[name], known.Entry[name], err.Error()})
		}
	}
	return lost
}

// GiveUp enters that lost files of a bundle's seal are given up. It is to be
// signed: what nobody signed gives up nothing.
func (c *Case) GiveUp(e custody.Entry, lost []SealLoss) error {
	if c.Signer == nil {
		return fmt.Errorf("giving up files of a seal: nobody signs that")
	}
	e.Action, e.Result, e.Files = ActionGiveUp, "given up", nil
	for _, l := range lost {
		e.GivenUp = append(e.GivenUp, l.Path)
		e.Errors = append(e.Errors, fmt.Sprintf("%s %s, as entry %d has it", l.Path, l.What, l.Entry))
	}
	_, err := c.Log(e)
	return err
}

// isSeal reports a file of a bundle's seal.
func isSeal(name string) bool {
	dir, _, found := strings.Cut(name, "/seal/")
	return found && strings.HasPrefix(dir, "evidence/") && fs.ValidPath(name)
}

// takeSeal takes a file of a seal as the first entry had it: a later one that
// says otherwise is no excuse for a change.
func (k *Known) takeSeal(f custody.File, entry int64) {
	if _, known := k.Files[f.Path]; !known {
		k.Files[f.Path], k.Entry[f.Path] = f, entry
	}
}

// giveUp forgets what somebody gave up by his signature.
func (k *Known) giveUp(e custody.Entry) {
	if e.Action != ActionGiveUp || e.Signature == custody.Awaiting || e.Evidence == nil {
		return
	}
	for _, name := range e.GivenUp {
		if strings.HasPrefix(name, sealOf(e.Evidence.ID)) {
			delete(k.Files, name)
			delete(k.Entry, name)
		}
	}
}
