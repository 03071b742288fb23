package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/evidence/keys"
	"amber/evidence/remote"
	"amber/evidence/safetext"
	"amber/evidence/transfer"
)

// incomingDir is where a bundle arrives in a case, until it is whole; the papers
// that it came with stay in receivedDir.
const (
	incomingDir = "incoming"
	receivedDir = "received"
)

// pulling is one pull.
type pulling struct {
	c       *cli.Context
	from    remote.Address
	trust   trust
	options remote.Options
	bar     *moving
	result  pullResult
}

// pullResult is what pull prints.
type pullResult struct {
	Address   string           `json:"address"`
	Case      string           `json:"case"`                // the directory
	Inventory string           `json:"inventory,omitempty"` // of S3
	Signer    string           `json:"inventory_signer,omitempty"`
	Bundles   []pulled         `json:"bundles"`
	Moved     *remote.Moved    `json:"moved"`
	Log       *custody.Report  `json:"custody_log,omitempty"` // that came with it
	Custody   *custody.Receipt `json:"custody,omitempty"`
	Warnings  []string         `json:"warnings,omitempty"`

	exit int
	why  string
}

// pulled is a bundle that was pulled.
type pulled struct {
	Report *evidence.Report `json:"report"`
	There  bool             `json:"was_there,omitempty"`
}

func evidencePull(c *cli.Context, asJSON bool) error {
	from, err := remote.ParseAddress(c.Args().First())
	if err != nil {
		return usageError{err}
	}
	p := &pulling{c: c, from: from, options: moveOptions(c)}
	p.result = pullResult{Address: from.String(), Bundles: []pulled{}, Moved: &remote.Moved{}}
	p.bar = showMoving("pulling", -1)
	p.options.Done, p.options.Retry.Note = &p.bar.done, p.bar.note
	err = p.pull()
	p.bar.stop()
	if err != nil {
		return remoteError(err)
	}
	return p.print(asJSON)
}

func (p *pulling) pull() error {
	if p.c.String("to") != "" {
		if p.from.Kind != remote.S3 || p.c.NArg() > 1 {
			return usagef("--to makes a whole case, which only s3:// has; without it bundles become part of --case DIR")
		}
		return p.wholeCase()
	}
	cs, err := caseToFill(p.c)
	if err != nil {
		return err
	}
	defer cs.Close()
	p.result.Case = cs.Dir()
	if p.trust, err = trustOf(p.c, cs); err != nil {
		return err
	}
	var come []arrival
	if p.from.Kind == remote.S3 {
		come, err = p.fromS3()
	} else {
		come, err = p.fromRegistry()
	}
	if err != nil {
		return err
	}
	for _, a := range come {
		if err := p.take(cs, a); err != nil {
			return fmt.Errorf("bundle %s: %w", a.id, err)
		}
	}
	return nil
}

// trustWithout is trustOf where there is no case yet: nobody is known who is not
// named.
func trustWithout(c *cli.Context) (t trust, err error) {
	if file := c.String("signers"); file != "" {
		t.demand = true
		if t.signers, err = keys.ReadSigners(file); err != nil {
			return t, err
		}
	}
	if file := c.String("receipt"); file != "" {
		if t.receipt, err = readReceipt(file, ""); err != nil {
			return t, err
		}
	}
	t.keys, err = keyring(c)
	return t, err
}

// readReceipt reads a receipt for the custody log of a case: a plain one, or the
// paper of a hand-over.
func readReceipt(file, caseID string) (*custody.Receipt, error) {
	data, err := readUpTo(file, transfer.MaxPaper)
	if err != nil {
		return nil, err
	}
	r, err := transfer.ReadReceipt(data, caseID)
	if errors.Is(err, transfer.ErrPaper) {
		return nil, paperError(fmt.Errorf("%s: %w", file, err))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &r, nil
}

// caseToFill opens the case that is named, or makes it.
func caseToFill(c *cli.Context) (*casedir.Case, error) {
	dir, err := casedir.Find(c.String("case"))
	if errors.Is(err, casedir.ErrNoCase) {
		return nil, usagef("name a case to pull into (--case DIR; it is made if it is not there), or a new directory for the whole case (--to DIR)")
	}
	if err != nil {
		return nil, err
	}
	cs, _, err := casedir.OpenOrCreate(dir, "", nil)
	if err != nil {
		return nil, err
	}
	cs.Tool, cs.Signer = tool(), quietSigner()
	return cs, nil
}

// arrival is a bundle that is to arrive.
type arrival struct {
	id     string
	digest string                                                       // of SHA256SUMS; empty: not known
	fetch  func(ctx context.Context, dir string) ([]remote.File, error) // what must be there, and nothing else
	papers map[string][]byte                                            // that it came with
}

// take gets a bundle beside the others, verifies it, and then gives it its
// place.
func (p *pulling) take(cs *casedir.Case, a arrival) error {
	to, err := cs.EvidenceDir(a.id)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return p.there(cs, a, to)
	}
	beside := filepath.Join(cs.Dir(), incomingDir, a.id)
	report, err := p.arrive(a, beside)
	if err != nil {
		return err
	}
	for _, name := range sortedNames(a.papers) {
		path := filepath.Join(cs.Dir(), receivedDir, a.id, name)
		if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
			return err
		}
		if err := durable.WriteFile(path, a.papers[name]); err != nil {
			return err
		}
	}
	if err := durable.MkdirAll(filepath.Dir(to)); err != nil {
		return err
	}
	if err := durable.Rename(beside, to); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(beside)) // if nothing else is arriving
	p.result.Bundles = append(p.result.Bundles, pulled{Report: report})
	p.judge(report)
	return p.enter(cs, report)
}

func sortedNames(m map[string][]byte) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// arrive fetches a bundle into a directory and verifies it there.
func (p *pulling) arrive(a arrival, dir string) (*evidence.Report, error) {
	files, err := a.fetch(p.c.Context, dir)
	if err != nil {
		return nil, err
	}
	stray, err := remote.Stray(dir, files)
	if err != nil {
		return nil, err
	}
	for _, name := range stray { // of an attempt that was cut off
		if err := durable.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return nil, err
		}
	}
	report, err := p.verify(dir)
	if err != nil {
		return nil, err
	}
	switch {
	case !report.Intact():
		return nil, outcome{exitVerify, fmt.Sprintf("what arrived does not verify (%s: %s); it is kept in %s", report.Problems[0].Name, report.Problems[0].What, dir)}
	case a.digest != report.Digest:
		return nil, outcome{exitVerify, fmt.Sprintf("what arrived has another SHA256SUMS, %s, than the inventory says, %s; it is kept in %s", report.Digest, a.digest, dir)}
	case report.ID != "" && report.ID != a.id:
		return nil, outcome{exitVerify, fmt.Sprintf("what arrived is the bundle %q; it is kept in %s", report.ID, dir)}
	}
	return report, nil
}

func (p *pulling) verify(dir string) (*evidence.Report, error) {
	return evidence.Verify(p.c.Context, dir, evidence.VerifyOptions{Signers: p.trust.signers, Demand: p.trust.demand, Keys: p.trust.keys, Deep: p.c.Bool("deep")})
}

// there looks at a bundle that the case has already: the same one needs nothing
// but that it is entered, if a crash came before that.
func (p *pulling) there(cs *casedir.Case, a arrival, dir string) error {
	report, err := p.verify(dir)
	if err != nil {
		return err
	}
	if !report.Intact() || report.Digest != a.digest {
		return fmt.Errorf("the case has another bundle of that id already, in %s", dir)
	}
	p.result.Bundles = append(p.result.Bundles, pulled{report, true})
	p.judge(report)
	if sealedAs(cs)[a.id].known {
		return nil
	}
	return p.enter(cs, report)
}

// enter makes the entry that it came.
func (p *pulling) enter(cs *casedir.Case, report *evidence.Report) error {
	e := logEntry("import", report.ID, report.Digest)
	e.Counterparty, e.Result = p.from.String(), string(report.State)
	receipt, err := cs.Log(e)
	p.result.Custody = &receipt
	return err
}

// judge notes what keeps a bundle from being vouched for.
func (p *pulling) judge(r *evidence.Report) {
	switch {
	case r.State == evidence.Incomplete:
		p.doubt("%s is INCOMPLETE", r.ID)
	case r.State == evidence.Unsigned:
		p.doubt("%s is UNSIGNED", r.ID)
	case r.Encryption != nil && r.Encryption.Unchecked != "" && r.Deep:
		p.doubt("%s: what is stored is intact; %s", r.ID, r.Encryption.Unchecked)
	case !r.KnownSigner():
		p.doubt("%s: signer UNKNOWN, fingerprint %s", r.ID, r.Signatures[0].Fingerprint)
	}
}

func (p *pulling) doubt(format string, args ...any) {
	text := strings.ToValidUTF8(fmt.Sprintf(format, args...), "\ufffd")
	p.result.Warnings = append(p.result.Warnings, text)
	if p.result.exit < exitMisses {
		p.result.exit, p.result.why = exitMisses, text
	}
}

// papers checks the custody log that a bundle or a case came with.
func (p *pulling) papers(inventory *remote.Inventory, log string) error {
	receipt := &inventory.Custody
	if p.trust.receipt != nil {
		receipt = p.trust.receipt
	}
	signers := p.trust.signers
	if !p.trust.demand { // those of the case that it comes into are not those of the case that it is from
		signers = nil
	}
	report, err := custody.Verify(log, signers, receipt)
	if err != nil {
		return err
	}
	p.result.Log = &report
	if report.Tampered() {
		return outcome{exitVerify, "the custody log that came with it: " + report.String() + ": " + report.Problems[0].String()}
	}
	return nil
}

// signer checks who signed an inventory.
func (p *pulling) signer(v *remote.Inventory) error {
	pub, err := v.Signer()
	if err != nil {
		return outcome{exitVerify, fmt.Sprintf("the inventory's signature does not hold: %v", err)}
	}
	if pub == nil {
		p.doubt("the inventory is UNSIGNED")
		return nil
	}
	who, known := p.trust.signers.Lookup(pub, keys.NamespaceReceipt, v.Made)
	if p.result.Signer = who; known {
		return nil
	}
	p.result.Signer = keys.Fingerprint(pub)
	if p.trust.demand {
		return outcome{exitVerify, "the inventory is signed with " + keys.Fingerprint(pub) + ", which is none of the allowed signers"}
	}
	p.doubt("the inventory's signer is UNKNOWN, fingerprint %s", keys.Fingerprint(pub))
	return nil
}

func (p *pulling) print(asJSON bool) error {
	r := &p.result
	if asJSON {
		if err := emit(os.Stdout, r); err != nil {
			return err
		}
		return p.end()
	}
	fmt.Printf("pulled from %s into %s\n", safetext.Line(r.Address), safeLines(r.Case))
	for _, b := range r.Bundles {
		note := ""
		if b.There {
			note = " (was there)"
		}
		fmt.Printf("  %s: %s, %d members, %d misses%s\n", safetext.Line(b.Report.ID), b.Report.State, b.Report.Members, b.Report.Misses, note)
	}
	fmt.Printf("  %d files, %s, are there and were checked; %d of them, %s, came now\n", r.Moved.Blobs, size(r.Moved.Bytes), r.Moved.Sent, size(r.Moved.SentSize))
	if r.Log != nil {
		fmt.Printf("  custody log: %s\n", safeLines(r.Log.String()))
	}
	for _, w := range r.Warnings {
		fmt.Println("  " + safetext.Line(w))
	}
	return p.end()
}

func (p *pulling) end() error {
	if p.result.exit == exitDone {
		return nil
	}
	return outcome{p.result.exit, p.result.why}
}
