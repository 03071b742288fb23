package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/encrypt"
	"amber/isolate"
	"amber/timeline/audit"
)

func caseVerifyCommand() *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "check the whole case: bundles, custody log, journals, timeline, findings",
		Description: "Every bundle's files against its seal, every signature, statement and time-stamp,\n" +
			"the custody log from its first entry, the isolation journals and the timeline against\n" +
			"what the log says of them, each row of the timeline against the raw records that it\n" +
			"names, each finding against its rows; of a merged case, each case in it.\n\n" +
			"Exit codes: 0 all is as it was and vouched for by a known signer; 3 nothing was\n" +
			"changed, but not all could be checked or is vouched for; 4 something was changed.",
		Flags: append([]cli.Flag{
			caseFlag(), outputFlag(), logDirFlag(), identityFlag(),
			&cli.StringFlag{Name: "signers", Usage: "whom to trust: an ssh allowed_signers `FILE` (default: the case's)"},
			&cli.StringFlag{Name: "receipt", Usage: "a custody receipt that was kept elsewhere, `FILE`"},
			&cli.BoolFlag{Name: "deep", Usage: "also decode and hash every member"},
			&cli.StringFlag{Name: "read-data", Usage: "hash this `SHARE` of the payloads and raw files, such as 10%; all else is always read"},
			&cli.StringFlag{Name: "seed", Usage: "with --read-data: read what a run with this `TEXT` read (default: another choice each time)"},
		}, timeFlags()...),
		Action: viewing(0, 0, "without arguments", caseVerify),
	}
}

func caseVerify(l view) error {
	t, err := trustOf(l.c, l.cs)
	if err != nil {
		return err
	}
	o := checkOptions{trust: t, deep: l.c.Bool("deep")}
	if o.trust.sample, err = sampleOf(l.c); err != nil {
		return err
	}
	v, err := checkCase(l.c.Context, l.cs, o)
	if err != nil {
		return err
	}
	if err := v.log(l.cs); err != nil {
		return err
	}
	if l.json {
		err = emit(os.Stdout, v)
	} else {
		err = v.print(os.Stdout)
	}
	if err != nil || v.Exit == exitDone {
		return err
	}
	return outcome{v.Exit, v.Verdict}
}

// sampleOf reads --read-data and --seed.
func sampleOf(c *cli.Context) (*evidence.Sample, error) {
	text := c.String("read-data")
	if text == "" {
		if c.String("seed") != "" {
			return nil, usagef("--seed is of use with --read-data SHARE")
		}
		return nil, nil
	}
	if c.Bool("deep") {
		return nil, usagef("--deep reads every member: give it or --read-data")
	}
	share, err := evidence.ParseShare(text)
	if err != nil {
		return nil, usagef("--read-data: %w", err)
	}
	s := &evidence.Sample{Share: share, Seed: c.String("seed")}
	if s.Seed == "" {
		s.Seed = rand.Text()
	}
	return s, nil
}

// checkOptions say whom a check believes and how far it goes.
type checkOptions struct {
	trust
	deep bool
}

// checked is what is known of a case after a check.
type checked struct {
	verified
	ID          string          `json:"id"`
	Title       string          `json:"title,omitempty"`
	Journals    []journalCheck  `json:"journals"`
	Timeline    *audit.Report   `json:"timeline,omitempty"`
	Files       []fileCheck     `json:"files"`                  // what the custody log says of files outside of bundles
	Beside      *custody.Report `json:"beside,omitempty"`       // the log of looks at a case that could not be written
	BesideDoubt string          `json:"beside_doubt,omitempty"` // why that log is none of this case as it is
	Joined      []joinedCheck   `json:"joined,omitempty"`       // of a merged case: the cases in it
	Strays      []string        `json:"strays,omitempty"`       // what lies among bundles and merged cases and is neither
	Unlisted    []string        `json:"unlisted,omitempty"`     // what lies in the case's directory and is no part of a case
	// OwnSigners is that the case itself said who may sign, and nobody else.
	OwnSigners bool   `json:"own_signers"`
	Areas      []area `json:"areas"` // the same in a table

	keys      *encrypt.Keyring
	noReceipt bool // there was none to tell whether the log's end was cut off
}

// journalCheck is an isolation measure.
type journalCheck struct {
	isolate.Entry
	Vouched bool  `json:"vouched"`               // an entry of the custody log that is vouched for has its digest
	Beyond  int64 `json:"bytes_after,omitempty"` // of the journal, after what that entry has
}

// fileCheck is a file that the custody log has a digest of.
type fileCheck struct {
	custody.File
	Entry   int64  `json:"entry"`
	Problem string `json:"problem,omitempty"`
	Doubt   string `json:"doubt,omitempty"` // it is other than it was, and an act that was cut off may be why
}

// checkCase checks all of a case.
func checkCase(ctx context.Context, cs *casedir.Case, o checkOptions) (*checked, error) {
	v := &checked{ID: cs.Info().ID, Title: cs.Info().Title, Journals: []journalCheck{}, Files: []fileCheck{}}
	v.Case, v.Bundles, v.opening = cs.Dir(), []*evidence.Report{}, o.trust.keys != nil
	v.keys, v.OwnSigners, v.noReceipt = o.trust.keys, !o.trust.demand, o.trust.receipt == nil
	var err error
	if v.Custody, err = checkCustody(cs, o.trust); err != nil {
		return nil, err
	}
	if err := v.checkBundles(ctx, cs, o); err != nil {
		return nil, err
	}
	known := cs.KnownFiles()
	v.checkFiles(cs, known)
	if err := v.checkJournals(cs, known); err != nil {
		return nil, err
	}
	if err := v.checkTimeline(ctx, cs, o); err != nil {
		return nil, err
	}
	v.checkJoined(cs)
	if err := v.checkStrays(cs); err != nil {
		return nil, err
	}
	v.checkBeside(cs, o.trust)
	v.judge()
	return v, nil
}

func (v *checked) checkBundles(ctx context.Context, cs *casedir.Case, o checkOptions) error {
	sealed := sealedAs(cs)
	ids, err := bundleIDs(cs)
	if err != nil {
		return err
	}
	for _, id := range ids {
		r, err := verifyBundle(ctx, cs, o.trust, id, o.deep, sealed)
		if err != nil {
			return err
		}
		v.Bundles = append(v.Bundles, r)
	}
	v.Bundles = append(v.Bundles, missing(sealed, ids)...)
	return nil
}

// checkFiles holds the files that the custody log knows against what it says.
func (v *checked) checkFiles(cs *casedir.Case, known casedir.Known) {
	for _, name := range slices.Sorted(maps.Keys(known.Files)) {
		f := fileCheck{File: known.Files[name], Entry: known.Entry[name]}
		if err := cs.CheckFile(f.File); err != nil {
			if begun := cs.CutOffSigners(); begun > 0 && name == "case.json" {
				f.Doubt = fmt.Sprintf("is as it was before entry %d let somebody sign: that was cut off (amber case signers add ends it)", begun)
			} else if begun := known.Begun(name); begun > 0 && !casedir.Grows(name) {
				f.Doubt = fmt.Sprintf("%v; the act of entry %d, which was to write it, has no end in the log", err, begun)
			} else {
				f.Problem = err.Error()
			}
		}
		v.Files = append(v.Files, f)
	}
}

// vouched tells whether somebody known vouches for an entry of the log: has
// signed it, or countersigned what he has looked at.
func (v *checked) vouched(entry int64) bool { return v.Custody != nil && v.Custody.Vouches(entry) }

func (v *checked) checkJournals(cs *casedir.Case, known casedir.Known) error {
	entries, err := isolate.Load(cs.Dir())
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := "journal/" + e.ID + ".jsonl"
		j := journalCheck{Entry: e, Vouched: v.vouched(known.Entry[name])}
		if info, err := os.Lstat(e.File); err == nil {
			j.Beyond = info.Size() - known.Files[name].Size
		}
		v.Journals = append(v.Journals, j)
	}
	return nil
}

func (v *checked) checkTimeline(ctx context.Context, cs *casedir.Case, o checkOptions) error {
	r, err := audit.Check(ctx, audit.Options{Case: cs.Dir(), Keys: o.trust.keys, Sample: o.sample})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	v.Timeline = r
	return err
}

// checkBeside checks the log that looks at this case went to, where there is one.
func (v *checked) checkBeside(cs *casedir.Case, t trust) {
	path := cs.Elsewhere()
	if path == "" {
		path = cs.Dir() + ".custody.jsonl"
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
	r, err := custody.Verify(path, t.signers, nil)
	if err != nil {
		v.BesideDoubt = err.Error()
		return
	}
	r.Belongs(cs.Info().ID)
	v.Beside = &r
	v.BesideDoubt = besideDoubt(cs, path)
}

// besideDoubt holds the last entry of a log that was kept beside the case
// against the case's own: it names the head of that as it was then.
func besideDoubt(cs *casedir.Case, path string) string {
	var last custody.Entry
	for e, err := range custody.Entries(path) {
		if err == nil && e.Beside != nil && e.Beside.Sequence > 0 {
			last = e
		}
	}
	if last.Beside == nil {
		if _, err := custody.Head(cs.CustodyPath()); err != nil {
			return "" // it was written beside a case without a log
		}
		return "none of its entries names the case's own log: it was not written beside this case"
	}
	if has, err := custody.Has(cs.CustodyPath(), *last.Beside); err == nil && has {
		return ""
	}
	return fmt.Sprintf("its entry %d says that the case's own log had another entry %d then: that log was cut or written anew, or this is of another copy", last.Sequence, last.Beside.Sequence)
}

func (v *checked) log(cs *casedir.Case) error {
	if err := v.verified.log(cs); err != nil {
		return err
	}
	e := custody.Entry{Action: "verify", Result: v.Verdict}
	for _, a := range v.Areas {
		if a.Code == exitVerify && len(e.Errors) < 20 {
			e.Errors = append(e.Errors, a.Part+" "+a.Name+": "+a.Result)
		}
	}
	_, err := cs.Log(e)
	return err
}
