package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"amber/evidence"
	"amber/evidence/custody"
	"amber/evidence/safetext"
	"amber/isolate"
)

// area is one line of a check's table.
type area struct {
	Part    string `json:"part"`    // bundle, time, custody log, isolation, timeline, findings, merged case
	Name    string `json:"name"`    // which
	Checked string `json:"checked"` // what was looked at
	Result  string `json:"result"`
	Code    int    `json:"exit"`
	Note    bool   `json:"note,omitempty"` // that is to be known, and is no fault
}

// word is how an area came out, for people.
func (a area) word() string {
	switch {
	case a.Note:
		return "note"
	case a.Code == exitDone:
		return "ok"
	case a.Code == exitMisses:
		return "OPEN"
	}
	return "CHANGED"
}

// judge makes the table, and the verdict of its worst line.
func (v *checked) judge() {
	for _, r := range v.Bundles {
		v.Areas = append(v.Areas, bundleArea(r, v.opening || r.Deep))
		for _, t := range r.Times {
			v.Areas = append(v.Areas, timeArea(r, t))
		}
	}
	v.Areas = append(v.Areas, custodyArea("", v.Custody))
	v.Areas = append(v.Areas, unsignedAreas(v.Custody)...)
	v.Areas = append(v.Areas, signersAreas(v.Custody)...)
	v.Areas = append(v.Areas, logTimeAreas(v.Custody)...)
	v.Areas = append(v.Areas, noteAreas(v.Custody)...)
	v.besideAreas()
	for _, j := range v.Journals {
		v.Areas = append(v.Areas, v.journalArea(j))
	}
	v.timelineAreas()
	v.fileAreas()
	for _, j := range v.Joined {
		v.Areas = append(v.Areas, j.area())
	}
	for _, name := range v.Strays {
		v.Areas = append(v.Areas, area{Part: "file", Name: name, Code: exitMisses, Result: "no entry of the custody log knows it: it is no part of the case"})
	}
	for _, name := range v.Unlisted {
		v.Areas = append(v.Areas, area{Part: "file", Name: name, Note: true, Result: "lies in the case and is no part of it: nothing signs it"})
	}
	v.Verdict, v.Exit = "nothing was changed, and all of it is vouched for by a known signer", exitDone
	for _, a := range v.Areas {
		if a.Code <= v.Exit {
			continue
		}
		v.Exit = a.Code
		v.Verdict = strings.Join(nonEmpty("nothing was changed, but not all is vouched for:", a.Part, a.Name+":", a.Result), " ")
		if a.Code == exitVerify {
			v.Verdict = strings.Join(nonEmpty("VERIFICATION FAILED:", a.Part, a.Name+":", a.Result), " ")
		}
	}
	v.Verdict = safetext.Line(v.Verdict) // names in it are of who wrote the case
}

func nonEmpty(words ...string) (out []string) {
	for _, w := range words {
		if w != "" && w != ":" {
			out = append(out, w)
		}
	}
	return out
}

// bundleArea tells of a bundle. Opening is that identities were given, or that
// all of it was to be read: what is encrypted all the same is then missed.
func bundleArea(r *evidence.Report, opening bool) area {
	a := area{Part: "bundle", Name: r.ID, Checked: fmt.Sprintf("%s, %s hashed", countText(r.Files, "file"), size(r.Bytes))}
	if r.Encryption == nil || r.Encryption.Unchecked == "" { // nobody counted them otherwise
		a.Checked += fmt.Sprintf("; %s, %s", countText(int(r.Members), "item"), missesText(int(r.Misses)))
	}
	if r.Deep && r.Intact() {
		a.Checked += "; every item decoded and hashed, " + size(r.Plain)
	}
	if s := r.Sampled; s != nil {
		a.Checked += sampledText(s)
	}
	switch {
	case !r.Intact():
		a.Code, a.Result = exitVerify, fmt.Sprintf("%s %s", r.Problems[0].Name, r.Problems[0].What)
		if n := len(r.Problems) - 1; n > 0 {
			a.Result += fmt.Sprintf("; and %d more", n)
		}
	case r.State == evidence.Incomplete:
		a.Code, a.Result = exitMisses, "unchanged as far as it goes; its writing was cut off"
	case r.State == evidence.Unsigned:
		a.Code, a.Result = exitMisses, "unchanged since its digests were written; nobody signed it"
	case !r.KnownSigner():
		a.Code, a.Result = exitMisses, "unchanged; its signer is not known, fingerprint "+r.Signatures[0].Stranger
	case len(r.Unfinished) > 0:
		a.Code, a.Result = exitMisses, "unchanged, but "+r.Unfinished[0]
	case r.Sampled != nil && r.Sampled.Files > 0:
		a.Code, a.Result = exitMisses, "unchanged as far as it was read; signed by "+signersOf(r)
	default:
		a.Result = "unchanged; signed by " + signersOf(r)
	}
	if stray := straysOf(r); stray != "" && a.Code == exitDone {
		a.Result += "; and, which says nothing, by " + stray
	}
	if e := r.Encryption; e != nil && e.Unchecked != "" && a.Code != exitVerify {
		a.Result += "; " + e.Unchecked
		if opening {
			a.Code = exitMisses
		}
	}
	return a
}

func sampledText(s *evidence.Sampled) string {
	return fmt.Sprintf("; NOT read: %s, %s (seed %s)", countText(s.Files, "file"), size(s.Bytes), s.Seed)
}

func missesText(n int) string {
	if n == 1 {
		return "1 miss"
	}
	return fmt.Sprintf("%d misses", n)
}

func signersOf(r *evidence.Report) string {
	var who []string
	for _, s := range r.Signatures {
		if s.Known && !slices.Contains(who, s.Principal) {
			who = append(who, s.Principal)
		}
	}
	return strings.Join(who, ", ")
}

// straysOf are those who signed beside a known signer, and whom nobody knows.
func straysOf(r *evidence.Report) string {
	var who []string
	for _, s := range r.Signatures {
		if !s.Known {
			who = append(who, s.Stranger+" ("+s.File+")")
		}
	}
	return strings.Join(who, ", ")
}

// timeArea is a time-stamp. One that is not trusted fails its bundle where
// authorities were named; where none were, nothing can be said of it.
func timeArea(r *evidence.Report, t evidence.Time) area {
	a := area{Part: "time", Name: r.ID + " " + t.File, Checked: t.Over + ", " + t.Authority}
	a.Result = "there at " + t.Time.UTC().Format("2006-01-02 15:04:05Z")
	if t.Accuracy != "" {
		a.Result += ", to within " + t.Accuracy
	}
	if t.Odd != "" {
		a.Result += "; " + t.Odd
	}
	if !t.Trusted {
		a.Note, a.Result = true, "proves no time: it says "+t.Time.UTC().Format("2006-01-02 15:04:05Z")+"; "+t.Doubt
	}
	return a
}

func custodyArea(name string, r *custody.Report) area {
	a := area{Part: "custody log", Name: name}
	if r == nil {
		a.Code, a.Result = exitMisses, "there is none"
		return a
	}
	a.Checked = "1 entry"
	if r.Lines != 1 {
		a.Checked = fmt.Sprintf("%d entries", r.Lines)
	}
	switch {
	case r.Tampered():
		for _, p := range r.Problems {
			if p.Kind != custody.UnknownSigner {
				a.Code, a.Result = exitVerify, p.String()
				break
			}
		}
	case !r.Vouched():
		a.Code, a.Result = exitMisses, r.String()
	default:
		a.Result = r.String()
	}
	return a
}

// logTimeAreas tell of tokens of the log that prove nothing to who looks at it.
// Those that do are in its line.
func logTimeAreas(r *custody.Report) (areas []area) {
	if r == nil {
		return nil
	}
	for _, s := range r.Stamps {
		if !s.Trusted {
			areas = append(areas, area{
				Part: "time", Name: fmt.Sprintf("custody log entry %d", s.Entry), Checked: s.Authority, Note: true,
				Result: "proves no time: it says " + s.Time.UTC().Format("2006-01-02 15:04:05Z") + "; " + s.Doubt,
			})
		}
	}
	return areas
}

// noteAreas tell what is odd in the log, and harmless.
func noteAreas(r *custody.Report) (areas []area) {
	if r == nil {
		return nil
	}
	for _, n := range r.Notes[:min(len(r.Notes), mostUnsigned)] {
		areas = append(areas, area{Part: "custody log", Note: true, Result: n})
	}
	return areas
}

func (v *checked) besideAreas() {
	const name = "beside the case"
	if v.Beside == nil && v.BesideDoubt == "" {
		return
	}
	a := area{Part: "custody log", Name: name}
	if v.Beside != nil {
		a = custodyArea(name, v.Beside)
	}
	if v.BesideDoubt != "" && a.Code != exitVerify {
		a.Code, a.Result = exitMisses, v.BesideDoubt
	}
	v.Areas = append(v.Areas, a)
}

// mostUnsigned is how many unsigned entries have a line each. A case that was
// looked at without a key for weeks has thousands.
const mostUnsigned = 100

// unsignedAreas tell of the entries that nobody signed, whatever was signed
// after them.
func unsignedAreas(r *custody.Report) (areas []area) {
	if r == nil {
		return nil
	}
	var rest []int64
	for _, u := range r.Unsigned {
		if len(areas) == mostUnsigned {
			rest = append(rest, u.Sequence)
			continue
		}
		areas = append(areas, area{
			Part: "custody log", Name: fmt.Sprintf("entry %d", u.Sequence), Note: true, Result: u.Standing(),
			Checked: strings.Join(nonEmpty(u.Action, u.Evidence, "by", u.By(), "(claimed)", u.Time.UTC().Format("2006-01-02 15:04:05Z")), " "),
		})
	}
	if len(rest) > 0 {
		areas = append(areas, area{
			Part: "custody log", Name: fmt.Sprintf("entries %d to %d", rest[0], rest[len(rest)-1]), Note: true,
			Checked: fmt.Sprintf("%d of these", len(rest)), Result: "signed by nobody (amber evidence custody lists them)",
		})
	}
	return areas
}

// signersAreas tell of who let whom sign, but for what the log is wrong about.
func signersAreas(r *custody.Report) (areas []area) {
	if r == nil {
		return nil
	}
	for _, add := range r.Additions {
		if add.Forged || add.First {
			continue
		}
		a := area{Part: "signers", Name: fmt.Sprintf("entry %d", add.Entry), Checked: countText(len(add.Lines), "key"), Result: "added by " + add.By}
		if add.By == "" && !r.Vouches(add.Entry) {
			a.Code, a.Result = exitMisses, add.String()+" (amber evidence countersign)"
		} else if add.By == "" {
			a.Result = "added by nobody who signed; countersigned"
		}
		areas = append(areas, a)
	}
	return areas
}

func (v *checked) journalArea(j journalCheck) area {
	p := j.Receipt.Plan
	a := area{Part: "isolation", Name: j.ID, Checked: fmt.Sprintf("%s on %s", countText(len(j.Receipt.Steps), "step"), p.Target), Result: string(j.State)}
	if !j.Released.IsZero() && j.State == isolate.Released {
		a.Result += " " + j.Released.UTC().Format("2006-01-02 15:04:05Z")
	}
	switch {
	case len(j.Notes) > 0:
		a.Code, a.Result = exitMisses, a.Result+"; "+j.Notes[0]
	case !j.Vouched:
		a.Code, a.Result = exitMisses, a.Result+"; no entry of the custody log that is vouched for has a digest of its journal"
	case j.Beyond > 0:
		a.Code, a.Result = exitMisses, fmt.Sprintf("%s; its journal has %d bytes after what the custody log knows", a.Result, j.Beyond)
	default:
		a.Result += "; its journal is as the custody log has it"
	}
	return a
}

func (v *checked) timelineAreas() {
	t := v.Timeline
	if t == nil {
		return
	}
	a := area{Part: "timeline", Checked: fmt.Sprintf("%d rows by %d references to raw bytes; raw files: %d kept, %d in bundles, %d elsewhere; %s hashed", t.Rows, t.References, t.Kept, t.InBundles, t.Elsewhere, size(t.Bytes))}
	if t.Sampled != nil {
		a.Checked += sampledText(t.Sampled)
	}
	switch {
	case !t.Intact():
		a.Code, a.Result = exitVerify, t.Problems[0].Name+" "+t.Problems[0].What
		if n := len(t.Problems) + t.More - 1; n > 0 {
			a.Result += fmt.Sprintf("; and %d more", n)
		}
	case !v.knows("timeline/manifest.json"):
		a.Code, a.Result = exitMisses, "agrees with itself; no entry of the custody log that is vouched for has its digest (amber timeline build enters one)"
	case len(t.Missing) > 0:
		a.Code, a.Result = exitMisses, fmt.Sprintf("every row leads to its records, but of %d raw files that were not kept the records are gone: %s", len(t.Missing), t.Missing[0])
	case t.Sampled != nil && t.Sampled.Files > 0:
		a.Code, a.Result = exitMisses, "as the custody log has it; every row leads to its records, as far as they were read"
	default:
		a.Result = "as the custody log has it; every row leads to its records"
	}
	v.Areas = append(v.Areas, a)
	if t.Findings > 0 {
		v.Areas = append(v.Areas, area{Part: "findings", Checked: fmt.Sprintf("%s on %s", countText(int(t.Findings), "finding"), countText(int(t.Resting), "row")), Result: "each rests on rows of this timeline", Code: a.Code})
		if a.Code != exitDone {
			v.Areas[len(v.Areas)-1].Result = "no better than the timeline"
		}
	}
}

func (v *checked) knows(name string) bool {
	for _, f := range v.Files {
		if f.Path == name {
			return v.vouched(f.Entry)
		}
	}
	return false
}

// fileAreas tells of files that are not as the custody log has them.
func (v *checked) fileAreas() {
	for _, f := range v.Files {
		a := area{Part: "file", Name: f.Path, Checked: fmt.Sprintf("the SHA-256 of entry %d", f.Entry)}
		switch {
		case f.Problem != "":
			a.Code, a.Result = exitVerify, f.Problem
		case f.Doubt != "":
			a.Code, a.Result = exitMisses, f.Doubt
		case v.unsigned(f.Entry) && !strings.HasPrefix(f.Path, "journal/") && f.Path != "case.json": // which are told of by themselves
			a.Code, a.Result = exitMisses, fmt.Sprintf("is as entry %d says, which nobody signed (amber evidence countersign)", f.Entry)
		default:
			continue
		}
		v.Areas = append(v.Areas, a)
	}
}

// unsigned reports an entry that nobody signed, and no countersigner has seen.
func (v *checked) unsigned(entry int64) bool {
	if v.Custody == nil {
		return false
	}
	u, ok := v.Custody.Of(entry)
	return ok && u.Seen == 0
}

// print writes the table, and what it must not be taken for.
func (v *checked) print(w io.Writer) error {
	fmt.Fprintf(w, "case   %s %s\nin     %s\n", v.ID, safetext.Line(v.Title), safetext.Line(v.Case))
	for _, a := range v.Areas {
		a.print(w)
	}
	if slices.ContainsFunc(v.Areas, func(a area) bool { return a.Code == exitMisses }) {
		fmt.Fprintln(w, "OPEN: nothing was found changed, but not all of it could be checked, or nobody who is known vouches for it.")
	}
	fmt.Fprintln(w, "A custody log cannot tell by itself that its end was cut off: a receipt that was kept elsewhere can (--receipt).")
	if v.OwnSigners {
		fmt.Fprintln(w, "Who may sign was taken from the case itself, and who wrote all of it anew would name himself: name whom you know (--signers).")
	}
	_, err := fmt.Fprintln(w, v.Verdict)
	return err
}

// print writes a line of the table, its cells wrapped.
func (a area) print(w io.Writer) {
	const whatWidth, textWidth = 42, 72
	what := wrapped(strings.TrimSpace(a.Part+" "+a.Name), whatWidth)
	text := append(wrapped(shorten(a.Result, 400), textWidth), wrapped(a.Checked, textWidth)...)
	for i := range max(len(what), len(text)) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-8s %-*s  %s", at([]string{a.word()}, i), whatWidth, at(what, i), at(text, i)), " "))
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// wrapped makes a text safe, and breaks it between words, or in one that is
// longer than a line.
func wrapped(text string, width int) (out []string) {
	line := ""
	for _, word := range strings.Fields(safetext.Line(text)) {
		if line != "" && len(line)+1+len(word) > width {
			out, line = append(out, line), ""
		}
		if line != "" {
			line += " "
		}
		for line += word; len(line) > width; {
			cut := width
			for !utf8.RuneStart(line[cut]) {
				cut--
			}
			out, line = append(out, line[:cut]), line[cut:]
		}
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}

// area names what is wrong with a case that was merged into this one.
func (j joinedCheck) area() area {
	a := custodyArea(j.Case, j.Custody)
	a.Part = "merged case"
	switch {
	case j.Problem != "":
		a.Code, a.Result = exitVerify, j.Problem
	case a.Code == exitDone:
		a.Result = "its log is whole, up to the head that the merge names, by the signers that it names itself: " + a.Result
	}
	return a
}
