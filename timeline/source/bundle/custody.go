package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"amber/evidence/custody"
	"amber/timeline"
	"amber/timeline/source/framing"
)

// Custody is a custody log as a source: what the responders did. It reads lines
// and checks neither chain nor signatures; "amber evidence custody" does.
type Custody struct{}

// Name is "amber-custody".
func (Custody) Name() string { return "amber-custody" }

// Sniff looks for the members that every entry has.
func (Custody) Sniff(head []byte, _ string) int {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	if !bytes.HasPrefix(line, []byte(`{"action":"`)) {
		return 0
	}
	for _, name := range []string{`,"boot_id":"`, `,"case":"`, `,"monotonic_ns":"`, `,"previous":"`, `,"sequence":`, `,"signature":"`} {
		if !bytes.Contains(line, []byte(name)) {
			return 0
		}
	}
	return 99
}

// Records gives the lines.
func (Custody) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.Lines(ctx, r)
}

// NewParser makes a parser.
func (Custody) NewParser() timeline.Parser { return &entryParser{} }

type entryParser struct{ ev timeline.Event }

// Parse makes the event of an entry.
func (p *entryParser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if len(bytes.TrimSpace(rec.Data)) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	var c custody.Entry
	reject := &timeline.RejectError{Range: rec.Range, Line: rec.Line}
	switch err := json.Unmarshal(rec.Data, &c); {
	case err != nil && bytes.Contains([]byte(err.Error()), []byte("parsing time")):
		reject.Reason, reject.Detail = timeline.TimeInvalid, err.Error()
	case err != nil:
		reject.Reason, reject.Detail = timeline.BadSyntax, err.Error()
	case c.Action == "" || c.Sequence < 1:
		reject.Reason, reject.Detail = timeline.MissingField, "action or sequence"
	case c.Time.IsZero():
		reject.Reason = timeline.TimeMissing
	default:
		p.fill(&c)
		return emit(&p.ev)
	}
	return reject
}

func (p *entryParser) fill(c *custody.Entry) {
	e := &p.ev
	e.Reset()
	e.Time = instant(c.Time)
	e.ID = append(append([]byte(c.Case), '/'), number(c.Sequence)...)
	e.ID = append(append(e.ID, '/'), c.Previous...) // logs beside a case count by themselves
	e.Const(timeline.EventProvider, "amber")
	e.Const(timeline.EventDataset, "amber.custody")
	e.Str(timeline.EventAction, []byte(c.Action))
	kinds(e, "host", "info")
	e.Str(timeline.EventReason, []byte(c.Reason))
	e.Str(timeline.HostName, []byte(c.Host))
	e.Const(timeline.EventOutcome, "success")
	if len(c.Errors) > 0 || c.Result == "failed" {
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorMessage, []byte(strings.Join(c.Errors, "; ")))
	}
	p.actor(&c.Actor)
	e.Put("amber.case", []byte(c.Case))
	e.Put("amber.custody.sequence", number(c.Sequence))
	e.Put("amber.custody.result", []byte(c.Result))
	e.Put("amber.custody.counterparty", []byte(c.Counterparty))
	e.Put("amber.custody.authority", []byte(c.Authority))
	e.Put("amber.alterations", []byte(strings.Join(c.Alterations, "; ")))
	e.Put("amber.custody.digest_before", []byte(c.Before))
	e.Put("amber.custody.digest_after", []byte(c.After))
	e.Put("amber.tool.version", []byte(c.Tool.Version))
	e.Put("amber.tool.sha256", []byte(c.Tool.SHA256))
	if c.Signature == custody.Awaiting {
		e.AddConst(timeline.Tags, "awaiting-countersignature")
	}
	if c.Evidence != nil {
		e.Put("amber.bundle.id", []byte(c.Evidence.ID))
		e.Put("amber.bundle.digest", []byte(c.Evidence.Digest))
	}
}

// actor is who acted; what is only claimed says so in its name.
func (p *entryParser) actor(a *custody.Actor) {
	e := &p.ev
	e.Str(timeline.UserName, []byte(a.User))
	e.Str(timeline.UserID, number(int64(a.UID)))
	e.Put("user.audit.name", []byte(a.Login))
	if a.LoginUID != nil {
		e.Put("user.audit.id", number(*a.LoginUID))
	}
	for _, k := range slices.Sorted(maps.Keys(a.Claimed)) {
		e.More([]byte("amber.custody.claimed."+k), []byte(a.Claimed[k]))
	}
}
