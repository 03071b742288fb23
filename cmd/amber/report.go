package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/findings"
	"amber/timeline/report"
	"amber/timeline/store"
)

func trustFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "signers", Usage: "whom to trust: an ssh allowed_signers `FILE` (default: the case's)"},
		&cli.StringFlag{Name: "receipt", Usage: "a custody receipt that was kept elsewhere, `FILE`"},
	}, timeFlags()...)
}

func reportCommand() *cli.Command {
	return &cli.Command{
		Name: "report", Usage: "the case as one page to print: custody, evidence, measures, findings, story, digests",
		Description: "Checks the case as amber case verify does, and writes one HTML page that needs nothing\n" +
			"else and runs nothing. Every statement has its reference: a bundle, a member, a row.\n" +
			"Build the timeline and run amber detect before: they are not part of a report's work.",
		Flags: join([]cli.Flag{
			caseFlag(), outputFlag(), logDirFlag(), identityFlag(),
			&cli.StringFlag{Name: "to", Usage: "a new file; standard output otherwise"},
			&cli.BoolFlag{Name: "deep", Usage: "also decode and hash every member"},
			&cli.StringFlag{Name: "suppress", Usage: "a `FILE` that says which findings are known, and why"},
			&cli.StringFlag{Name: "from", Usage: "tell the story from this `ENTITY` or finding, and not from what is worst"},
		}, trustFlags()),
		Action: viewing(0, 0, "without arguments", makeReport),
	}
}

func makeReport(l view) error {
	return writeReport(l, report.HTML, func(p *report.Page, v *checked) error {
		return addTimeline(l, p, v)
	})
}

func certificateCommand(common func(...cli.Flag) []cli.Flag) *cli.Command {
	return &cli.Command{
		Name: "certificate", Usage: "draft the written certification of a case's evidence, for a qualified person to sign",
		ArgsUsage:   "[ID...]",
		Description: "Sets out facts alone, as they are read from the case and checked; leaves open what a\n person must say. It is not signed, and is no legal advice.",
		Flags: common(append(trustFlags(),
			identityFlag(),
			&cli.StringFlag{Name: "as", Value: "text", Usage: "text (Markdown) or html"},
			&cli.StringFlag{Name: "to", Usage: "a new file; standard output otherwise"},
			&cli.BoolFlag{Name: "deep", Usage: "also decode and hash every member"})...),
		Action: viewing(0, -1, "[ID...]", certificate),
	}
}

func certificate(l view) error {
	formats := map[string]func(io.Writer, *report.Page) error{"text": report.CertificateMarkdown, "html": report.CertificateHTML}
	format := formats[l.c.String("as")]
	if format == nil {
		return usagef("--as %q: want text or html", l.c.String("as"))
	}
	return writeReport(l, format, func(p *report.Page, _ *checked) error { return onlyBundles(p, l) })
}

// onlyBundles leaves the bundles that were named.
func onlyBundles(p *report.Page, l view) error {
	if l.c.NArg() == 0 {
		return nil
	}
	var some []report.Bundle
	for _, arg := range l.c.Args().Slice() {
		id, _, err := bundleDir(l.cs, arg)
		if err != nil {
			return err
		}
		for _, b := range p.Bundles {
			if b.ID == id {
				some = append(some, b)
			}
		}
	}
	p.Bundles = some
	return nil
}

// writeReport checks the case, gathers what a page tells, and writes it.
func writeReport(l view, format func(io.Writer, *report.Page) error, more func(*report.Page, *checked) error) error {
	t, err := trustOf(l.c, l.cs)
	if err != nil {
		return err
	}
	v, err := checkCase(l.c.Context, l.cs, checkOptions{trust: t, deep: l.c.Bool("deep")})
	if err != nil {
		return err
	}
	p := pageOf(l.cs, v)
	if err := more(p, v); err != nil {
		return err
	}
	if l.json {
		err = emit(os.Stdout, p)
	} else {
		err = l.putPage(func(w io.Writer) error { return format(w, p) })
	}
	if err != nil {
		return err
	}
	if _, err := l.cs.Log(custody.Entry{Action: l.c.Command.Name, Result: v.Verdict, Reason: l.c.String("to")}); err != nil {
		return err
	}
	if v.Exit == exitDone {
		return nil
	}
	return outcome{v.Exit, v.Verdict}
}

func (l view) putPage(write func(io.Writer) error) error {
	var page bytes.Buffer
	if err := write(&page); err != nil {
		return err
	}
	to := l.c.String("to")
	if to == "" {
		_, err := writeOut(os.Stdout, page.Bytes())
		return err
	}
	f, err := durable.Create(to)
	if err != nil {
		return err
	}
	_, err = f.Write(page.Bytes())
	return errors.Join(err, f.Sync(), f.Close())
}

// mostFindings is how many findings a page lists, the most severe first.
const mostFindings = 100

// addTimeline adds what the timeline, the findings and the story say. A case
// without a timeline, or whose timeline is damaged, is reported without.
func addTimeline(l view, p *report.Page, v *checked) error {
	if v.Timeline == nil {
		p.NoStory = "No timeline was built (amber timeline build)."
		return nil
	}
	if !v.Timeline.Intact() {
		p.NoStory = "The timeline is damaged: nothing is told from it."
		return nil
	}
	s, err := openTimeline(l.c)
	if err != nil {
		return err
	}
	defer s.Close()
	p.Timeline = timelineOf(s, v)
	if err := addFindings(l, p); err != nil {
		return err
	}
	p.Story, err = tell(l.c, s)
	if err == nil && len(p.Story.Sections) == 0 {
		p.Story, p.NoStory = nil, "Nothing in the timeline stands out as an intrusion."
	}
	return err
}

func timelineOf(s *store.Store, v *checked) *report.Timeline {
	m := s.Manifest()
	t := &report.Timeline{Generation: m.Generation, Rows: v.Timeline.Rows, References: v.Timeline.References, Missing: v.Timeline.Missing}
	for _, f := range m.Files {
		where := "where it was read"
		switch {
		case f.Kept:
			where = "timeline/raw/" + hex.EncodeToString(f.Digest[:])
		case f.Source == "amber-bundle":
			where = "in its bundle"
		}
		t.Sources = append(t.Sources, report.Source{Name: f.Source, Path: f.Path, SHA256: hex.EncodeToString(f.Digest[:]), Where: where, Size: f.Size})
	}
	return t
}

func addFindings(l view, p *report.Page) error {
	known, err := suppressions(l.c.String("suppress"))
	if err != nil {
		return err
	}
	f, err := openFindings(l.cs.Dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	levels := []detect.Level{detect.Critical, detect.High, detect.Medium, detect.Low, detect.Informational}
	for _, level := range levels {
		err := f.Each(l.c.Context, findings.Filter{Level: level}, func(x *detect.Finding) error {
			if x.Level != level.String() {
				return nil
			}
			known.Apply(x)
			if len(p.Findings) == mostFindings {
				p.Left++
				return nil
			}
			p.Findings = append(p.Findings, findingOf(f, x))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// maxProofs is how many rows of a finding are named.
const maxProofs = 8

func findingOf(all *findings.Findings, x *detect.Finding) report.Finding {
	r := report.Finding{
		ID: x.ID, Title: x.Title, Level: x.Level, Rule: x.RuleID, Techniques: x.Techniques,
		First: timeOf(x.Time), Last: timeOf(x.End), Count: x.Count, Entities: x.Entities, Output: shorten(x.Output, 600), Suppressed: x.Suppressed,
	}
	for i, id := range x.Rows {
		if i == maxProofs {
			r.Rows = append(r.Rows, fmt.Sprintf("and %d more", len(x.Rows)-i))
			break
		}
		r.Rows = append(r.Rows, hex.EncodeToString(id[:]))
	}
	for _, ref := range x.Raw {
		digest := all.File(ref.File).Digest
		for _, at := range ref.Ranges {
			if len(r.Raw) < maxProofs {
				r.Raw = append(r.Raw, fmt.Sprintf("%s %d+%d", hex.EncodeToString(digest[:]), at.Offset, at.Length))
			}
		}
	}
	return r
}

func timeOf(t timeline.Time) time.Time {
	if t == timeline.NoTime {
		return time.Time{}
	}
	return time.UnixMicro(t.Micros).Add(time.Duration(t.Nanos)).UTC()
}
