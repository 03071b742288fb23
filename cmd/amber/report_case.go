package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"amber/container"
	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/encrypt"
	"amber/evidence/record"
	"amber/isolate"
	"amber/timeline/report"
)

// pageOf gathers what a page tells of a case besides its timeline.
func pageOf(cs *casedir.Case, v *checked) *report.Page {
	t := tool()
	p := &report.Page{
		Case: v.ID, Title: v.Title, Dir: v.Case, Created: cs.Info().Created, Made: time.Now().UTC(),
		Tool: t.Name + " " + t.Version, ToolSum: t.SHA256, Verdict: strings.TrimPrefix(v.Verdict, "VERIFICATION FAILED: "), Exit: v.Exit, OwnSigners: v.OwnSigners, NoReceipt: v.noReceipt, Signers: cs.Info().Signers,
	}
	var me custody.Entry
	custody.Stamp(&me)
	p.By = actorText(me.Actor) + " on " + me.Host
	for _, a := range v.Areas {
		p.Areas = append(p.Areas, report.Area{Word: a.word(), What: strings.TrimSpace(a.Part + " " + a.Name), Checked: a.Checked, Result: a.Result})
	}
	for _, r := range v.Bundles {
		p.Bundles = append(p.Bundles, bundlePage(cs, r, v.keys))
	}
	p.Custody = custodyPage(cs, v.Custody)
	for _, j := range v.Journals {
		p.Measures = append(p.Measures, measurePage(j.Entry))
	}
	for _, j := range v.Joined {
		p.Joined = append(p.Joined, report.Joined{Case: j.Case, Sequence: j.Sequence, Hash: j.Hash, State: j.area().Result})
	}
	return p
}

func actorText(a custody.Actor) string {
	who := a.User
	if who == "" {
		who = fmt.Sprintf("uid %d", a.UID)
	}
	if a.Login != "" && a.Login != a.User {
		who += ", logged in as " + a.Login
	}
	for name, claim := range a.Claimed {
		who += fmt.Sprintf(", claimed %s %s", name, claim)
	}
	return who
}

func clockText(c custody.Clock) string {
	state := "not synchronised"
	if c.Synchronised {
		state = "synchronised"
	}
	text := fmt.Sprintf("%s (by %s), %s to be corrected, error at most %s; source %s", state, c.Method, time.Duration(c.OffsetNS), time.Duration(c.MaxErrorUS)*time.Microsecond, c.Source)
	for _, o := range c.Measured {
		if o.Error != "" {
			text += fmt.Sprintf("; against %s: not measured, %s", o.By, o.Error)
			continue
		}
		text += fmt.Sprintf("; against %s: off by %s, known to within %s", o.By, time.Duration(o.OffsetNS), time.Duration(o.UncertaintyNS))
	}
	return text
}

func bundlePage(cs *casedir.Case, r *evidence.Report, ring *encrypt.Keyring) report.Bundle {
	p := report.Bundle{ID: r.ID, State: string(r.State), Digest: r.Digest, Root: r.Root, Members: r.Members, Misses: r.Misses}
	for _, x := range r.Problems {
		p.Problems = append(p.Problems, x.Name+" "+x.What)
	}
	p.Problems = append(p.Problems, r.Unfinished...)
	for _, s := range r.Signatures {
		p.Signatures = append(p.Signatures, report.Signature{File: s.File, Who: s.Principal, Fingerprint: s.Fingerprint, Known: s.Known})
	}
	for _, t := range r.Times {
		p.Times = append(p.Times, report.Stamp{File: t.File, Over: t.Over, Authority: t.Authority, Time: t.Time, Trusted: t.Trusted, Doubt: t.Doubt})
	}
	dir, err := cs.EvidenceDir(r.ID)
	if err == nil {
		err = describeBundle(&p, dir, ring)
	}
	if err != nil {
		p.Error = err.Error()
	}
	return p
}

// describeBundle reads what a bundle says of itself.
func describeBundle(p *report.Bundle, dir string, ring *encrypt.Keyring) error {
	b, err := evidence.Open(dir, ring)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := wanting(p, b); err != nil {
		return err
	}
	if p.Files, err = sumsOf(dir); err != nil && b.State() != evidence.Incomplete {
		return err
	}
	seg, _, err := b.AcquisitionBlob()
	if err != nil {
		return err
	}
	a, err := b.Acquisition()
	if err != nil {
		return err
	}
	p.Record = seg.Path
	acquisitionPage(p, a)
	return nil
}

func acquisitionPage(p *report.Bundle, a *record.Acquisition) {
	var c container.Container
	if err := json.Unmarshal(a.Target, &c); err == nil {
		p.Image = strings.TrimSpace(c.Image.Ref + " " + c.Image.Digest)
	}
	p.Target, p.Runtime = a.Name, strings.Join(a.Runtimes, ", ")
	p.Host, p.Kernel, p.BootID, p.Clock = a.Host.Name, a.Host.Kernel, a.Host.BootID, clockText(a.Host.Clock)
	p.Tool, p.ToolSum, p.Actor, p.Argv = a.Tool.Name+" "+a.Tool.Version, a.Tool.SHA256, actorText(a.Actor), a.Argv
	p.Start, p.End, p.Plain, p.Stored, p.Alterations = a.Start, a.End, a.Plain, a.Stored, a.Alters
	if f := a.Frozen; f != nil {
		p.Frozen = fmt.Sprintf("from %s, %s; was %s before; %d ms until the seal", f.From.UTC().Format("2006-01-02 15:04:05.000Z"), f.How, f.Before, f.Millis)
	}
	for _, s := range a.Steps {
		p.Steps = append(p.Steps, report.Step{Name: s.Name, Start: s.Start, End: s.End, Members: s.Members, Misses: s.Misses, Bytes: s.Bytes, Error: s.Error})
	}
}

// How many misses, and how many notes, a page lists of a bundle.
const (
	mostMisses = 500
	mostNotes  = 100
)

func wanting(p *report.Bundle, b *evidence.Bundle) error {
	for m, err := range b.Members() {
		switch {
		case err != nil:
			return err
		case m.Type == record.Miss && len(p.Wanting) < mostMisses:
			p.Wanting = append(p.Wanting, report.Miss{Path: m.Path, What: m.Reason})
		case m.Type == record.Miss:
			p.MoreMisses++
		case len(m.Notes) > 0 && len(p.Noted) < mostNotes:
			p.Noted = append(p.Noted, report.Miss{Path: m.Path, What: strings.Join(m.Notes, "; ")})
		case len(m.Notes) > 0:
			p.MoreNoted++
		}
	}
	return nil
}

// sumsOf reads a bundle's SHA256SUMS, which has been checked.
func sumsOf(dir string) (files []report.File, err error) {
	f, err := os.Open(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() && len(files) < 10_000 {
		if sum, name, ok := strings.Cut(s.Text(), "  "); ok {
			files = append(files, report.File{Name: name, SHA256: sum})
		}
	}
	return files, s.Err()
}

// looks are acts that change nothing; a case may have thousands.
var looks = map[string]bool{
	"verify": true, "ls": true, "cat": true, "extract": true, "search": true, "diff": true, "open": true, "query": true, "prove": true,
	actionTried: true, "timeline-raw": true, "timeline-story": true, "timeline-export": true, "report": true, "certificate": true,
}

func custodyPage(cs *casedir.Case, r *custody.Report) report.Custody {
	if r == nil {
		return report.Custody{State: "not there"}
	}
	c := report.Custody{State: r.String()}
	if head, err := custody.Head(cs.CustodyPath()); err == nil {
		c.Head = head.Hash
	}
	for e, err := range custody.Entries(cs.CustodyPath()) {
		if err != nil {
			c.Entries = append(c.Entries, report.Entry{What: err.Error(), Proof: "no: it cannot be read"})
			continue
		}
		if _, unsigned := r.Of(e.Sequence); looks[e.Action] && (!unsigned || len(c.Entries) > mostUnsigned) {
			c.Looks++
			continue
		}
		c.Entries = append(c.Entries, entryPage(e, r))
	}
	return c
}

func entryPage(e custody.Entry, r *custody.Report) report.Entry {
	p := report.Entry{Sequence: e.Sequence, Time: e.Time, Who: actorText(e.Actor) + " on " + e.Host, Action: e.Action, What: custodyWhat(e), Proof: "not yet"}
	if e.Counterparty != "" {
		p.What = strings.TrimPrefix(p.What+"; "+shorten(e.Counterparty, 200), "; ")
	}
	if e.Authority != "" {
		p.What += "; by order of " + e.Authority
	}
	if e.Evidence != nil {
		p.Bundle = e.Evidence.ID
	}
	u, unsigned := r.Of(e.Sequence)
	switch {
	case unsigned && u.Seen > 0:
		p.Proof = fmt.Sprintf("by entry %d", u.Seen)
	case unsigned:
		p.Proof = "NOT SIGNED"
	case e.Sequence <= r.Anchor.Sequence:
		p.Proof = "yes"
	}
	return p
}

func measurePage(e isolate.Entry) report.Measure {
	m := report.Measure{
		ID: e.ID, Method: e.Receipt.Plan.Method, Target: e.Receipt.Plan.Target, State: string(e.State),
		Begun: e.Begun, Released: e.Released, Journal: "journal/" + e.ID + ".jsonl",
		Warnings: append(append([]string{}, e.Receipt.Plan.Warnings...), e.Notes...),
	}
	outcomes := map[int]isolate.Outcome{}
	for _, o := range e.Receipt.Outcomes {
		outcomes[o.ID] = o
	}
	for _, s := range e.Receipt.Steps {
		d := report.Done{What: s.What, Undo: s.Undo, Outcome: "no outcome is in the journal"}
		if o, ok := outcomes[s.ID]; ok {
			d.Outcome, d.Failed = "done", o.Err != ""
			if !o.Changed {
				d.Outcome = "nothing to change"
			}
			d.Outcome = strings.Join(nonEmpty(d.Outcome, o.Note, o.Err), "; ")
		}
		m.Steps = append(m.Steps, d)
	}
	for _, c := range e.Checks {
		m.Checks = append(m.Checks, report.Done{What: c.Name, Outcome: c.Got, Failed: c.Failed()})
	}
	return m
}
