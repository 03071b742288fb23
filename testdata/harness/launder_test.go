package harness

import (
	"bytes"
	"os"
	"path/filepath"

	"amber/evidence/casedir"
	"amber/evidence/custody"
)

// launder changes what an entry has the digest of, enters the new digest as
// somebody without a key can, and has the keyholder go on: what he signs is
// signed on top of that.
func (a *attack) launder() string {
	did := ""
	var e custody.Entry
	if a.IntN(2) == 0 {
		did, e = a.otherJournal()
	} else {
		did, e = a.fewerSeals()
	}
	cs, err := casedir.OpenRead(a.dir)
	must(a.t, err)
	defer cs.Close()
	if e.Evidence == nil {
		e.Files, err = cs.Files(casedir.Journals...)
		must(a.t, err)
	}
	_, err = cs.Log(e)
	must(a.t, err)
	a.f.amber(a.t, "evidence", "ls", "--case", a.dir).want(a.t, "a look that is signed", 0)
	a.f.amber(a.t, "evidence", "cat", "--case", a.dir, a.f.bundles[0], "process/upper/tmp/loot.txt").want(a.t, "a look that is signed", 0)
	return did
}

func (a *attack) otherJournal() (string, custody.Entry) {
	names, err := filepath.Glob(filepath.Join(a.dir, "journal", "*.jsonl"))
	must(a.t, err)
	name := names[a.IntN(len(names))]
	a.rewrite(name, bytes.Replace(read(a.t, name), []byte("has the runtime pause it"), []byte("has the runtime PAUSE it"), 1))
	return "launder the journal " + name, custody.Entry{Action: "isolate-verify", Result: "done"}
}

func (a *attack) fewerSeals() (string, custody.Entry) {
	id := a.f.bundles[a.IntN(len(a.f.bundles))]
	names, err := filepath.Glob(filepath.Join(a.dir, "evidence", id, "seal", "003-rfc3161.*"))
	must(a.t, err)
	for _, name := range names {
		must(a.t, os.Remove(name))
	}
	return "launder the seal of " + id, custody.Entry{Action: "stamp", Result: "seal/003-rfc3161.tsr", Evidence: &custody.Evidence{ID: id}}
}
