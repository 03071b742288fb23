package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/safetext"
	"amber/evidence/timestamp"
)

func tsaFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "tsa", Usage: "a time-stamping authority (RFC 3161), `URL`; several may be given"}
}

func stampCommand(common func(...cli.Flag) []cli.Flag) *cli.Command {
	return &cli.Command{
		Name: "stamp", Usage: "have authorities say when a bundle's signature was there", ArgsUsage: "--tsa URL [ID]", Action: action(0, 1, "--tsa URL [ID]", evidenceStamp),
		Description: "The authority learns a SHA-256 and nothing else. A bundle that has tokens is stamped\n" +
			"again, over these too: do so before their certificates expire.",
		Flags: common(append(sealFlags(), tsaFlag())...),
	}
}

// timeFlags are those of verify that say whose word on the time counts.
func timeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "tsa-roots", Usage: "time-stamping authorities to trust: certificates and revocation lists (PEM), `FILE`; a token of theirs must be there"},
		&cli.StringFlag{Name: "at", Usage: "look at the tokens as of a `TIME` (RFC 3339) at which they are known to have been there (default: now)"},
	}
}

// readTime reads these flags.
func (t *trust) readTime(c *cli.Context) (err error) {
	if at := c.String("at"); at != "" {
		if t.at, err = time.Parse(time.RFC3339, at); err != nil {
			return usagef("--at %s: want a time such as 2030-01-31T00:00:00Z", at)
		}
	}
	file := c.String("tsa-roots")
	if file == "" {
		if !t.at.IsZero() {
			return usagef("--at is of use with --tsa-roots FILE")
		}
		return nil
	}
	data, err := readUpTo(file, 16<<20)
	if err != nil {
		return err
	}
	if t.time, err = timestamp.ParseTrust(data); err != nil {
		return fmt.Errorf("reading the authorities %s: %w", file, err)
	}
	return nil
}

// stamped is what evidence stamp prints.
type stamped struct {
	ID       string              `json:"id"`
	Times    []evidence.Time     `json:"times"`
	Log      []custody.TimeStamp `json:"log,omitempty"` // tokens over the custody log
	Warnings []string            `json:"warnings,omitempty"`
}

func evidenceStamp(c *cli.Context, asJSON bool) error {
	urls := c.StringSlice("tsa")
	if len(urls) == 0 {
		return usagef("name an authority: amber evidence stamp --tsa URL %s", c.Args().First())
	}
	dir, err := findCase(c)
	if err != nil {
		return err
	}
	cs, err := casedir.Open(dir)
	if err != nil {
		return err
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	id, bdir, err := bundleDir(cs, c.Args().First())
	if err != nil {
		return err
	}
	if err := checkSeals(c, cs, id); err != nil {
		return err
	}
	report, err := evidence.Verify(c.Context, bdir, evidence.VerifyOptions{})
	if err != nil {
		return err
	}
	if !report.Intact() {
		return outcome{exitVerify, fmt.Sprintf("bundle %s is not as it was closed (%s: %s): it is not stamped", id, report.Problems[0].Name, report.Problems[0].What)}
	}
	s := stamped{ID: id, Times: []evidence.Time{}}
	if err := s.ask(c.Context, bdir, report.Digest, len(report.Times) > 0, urls, func(e custody.Entry) error {
		_, err := cs.Log(e)
		return err
	}); err != nil {
		return err
	}
	if err := s.askForLog(c.Context, cs.CustodyPath(), urls, func(e custody.Entry) error { _, err := cs.Log(e); return err }); err != nil {
		return err
	}
	if asJSON {
		err = emit(os.Stdout, s)
	} else {
		s.print()
	}
	switch {
	case err != nil:
		return err
	case len(s.Times) == 0:
		return errors.New("no authority gave a token: " + s.Warnings[0])
	case len(s.Warnings) > 0:
		return outcome{exitMisses, ""}
	}
	return nil
}

// ask goes to each authority. What one does not give is a warning.
func (s *stamped) ask(ctx context.Context, dir, digest string, again bool, urls []string, log func(custody.Entry) error) error {
	for _, authority := range urls {
		t, warnings, err := evidence.Stamp(ctx, dir, authority, again)
		s.Warnings = append(s.Warnings, warnings...)
		if err != nil {
			s.Warnings = append(s.Warnings, err.Error())
			continue
		}
		s.Times = append(s.Times, t)
		e := logEntry("stamp", s.ID, digest)
		e.Counterparty = withoutPassword(authority)
		e.Result = fmt.Sprintf("%s: %s by %s", t.File, t.Time.Format(time.RFC3339), safetext.Line(t.Authority))
		if err := log(e); err != nil {
			return err
		}
	}
	return nil
}

// askForLog has each authority stamp the custody log as it then is.
func (s *stamped) askForLog(ctx context.Context, path string, urls []string, log func(custody.Entry) error) error {
	for _, authority := range urls {
		over, a, err := custody.AskStamp(ctx, path, authority)
		if err != nil {
			s.Warnings = append(s.Warnings, "the custody log is not stamped: "+err.Error())
			continue
		}
		s.Warnings = append(s.Warnings, a.Warnings...)
		s.Log = append(s.Log, custody.TimeStamp{Sequence: over.Sequence, Time: a.Token.Time, Authority: a.Token.Authority()})
		e := custody.Entry{Action: custody.ActionStampLog, Counterparty: withoutPassword(authority), Stamped: over}
		e.Result = fmt.Sprintf("up to entry %d: %s by %s", over.Sequence, a.Token.Time.Format(time.RFC3339), safetext.Line(a.Token.Authority()))
		if err := log(e); err != nil {
			return err
		}
	}
	return nil
}

// stamp has what was collected stamped, when nothing waits for it any more: the
// target is left as it is to be left. What no authority gives is a warning.
func (r *response) stamp() {
	urls := r.c.StringSlice("tsa")
	if len(urls) == 0 {
		return
	}
	for i := range r.result.Bundles {
		b := &r.result.Bundles[i]
		if b.State != evidence.Sealed || b.Streamed || b.Error != "" {
			r.warn(b.ID + " is not stamped: it is not sealed in this case")
			continue
		}
		dir, err := r.cs.EvidenceDir(b.ID)
		s := stamped{ID: b.ID}
		if err == nil {
			err = s.ask(r.c.Context, dir, b.Digest, false, urls, func(e custody.Entry) error { r.log(e); return nil })
		}
		if err != nil {
			s.Warnings = append(s.Warnings, err.Error())
		}
		for _, w := range s.Warnings {
			r.warn("stamping " + b.ID + ": " + w)
		}
		b.Times = s.Times
	}
	var s stamped
	if err := s.askForLog(r.c.Context, r.cs.CustodyPath(), urls, func(e custody.Entry) error { r.log(e); return nil }); err != nil {
		s.Warnings = append(s.Warnings, err.Error())
	}
	for _, w := range s.Warnings {
		r.warn(w)
	}
}

// withoutPassword is a URL as it may be kept.
func withoutPassword(text string) string {
	if u, err := url.Parse(text); err == nil {
		return u.Redacted()
	}
	return ""
}

func (s *stamped) print() {
	for _, t := range s.Times {
		fmt.Printf("stamped %s: %s over %s, %s by %s\n", safetext.Line(s.ID), t.File, t.Over, t.Time.Format(time.RFC3339), safetext.Line(t.Authority))
	}
	for _, l := range s.Log {
		fmt.Printf("stamped the custody log up to entry %d, %s by %s\n", l.Sequence, l.Time.Format(time.RFC3339), safetext.Line(l.Authority))
	}
	for _, w := range s.Warnings {
		fmt.Fprintln(os.Stderr, "amber: note: "+safetext.Line(w))
	}
}

// printTimes tells of the tokens of a bundle.
func printTimes(times []evidence.Time) {
	for _, t := range times {
		word := "NOT TRUSTED: " + t.Doubt
		if t.Trusted {
			word = "trusted as of " + t.AsOf.Format(time.RFC3339)
		}
		fmt.Printf("  %s: %s was there at %s, says %s; %s\n", safetext.Line(t.File), t.Over, t.Time.Format(time.RFC3339), safetext.Line(t.Authority), safetext.Line(word))
	}
}
