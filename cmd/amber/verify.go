package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/encrypt"
	"amber/evidence/keys"
	"amber/evidence/safetext"
	"amber/evidence/timestamp"
)

// trust is whom a verification believes.
type trust struct {
	signers *keys.Signers
	demand  bool // a signature of theirs must be there
	receipt *custody.Receipt
	time    *timestamp.Trust // whose tokens are believed, and demanded; nil: nobody's
	at      time.Time        // as of when; zero: now
	sample  *evidence.Sample // how much is read; nil: all
	keys    *encrypt.Keyring // opens what is encrypted; nil: that is not looked into
}

// trustOf reads --signers and --receipt; without them the case's signers are
// believed, and demanded of what is signed at all.
func trustOf(c *cli.Context, cs *casedir.Case) (trust, error) {
	var t trust
	var err error
	if file := c.String("signers"); file != "" {
		t.demand = true
		t.signers, err = keys.ReadSigners(file)
	} else {
		t.signers, err = cs.Signers()
	}
	if err != nil {
		return t, err
	}
	if file := c.String("receipt"); file != "" {
		if t.receipt, err = readReceipt(file, cs.Info().ID); err != nil {
			return t, err
		}
	}
	if t.keys, err = keyring(c); err != nil {
		return t, err
	}
	return t, t.readTime(c)
}

// verified is what verify says of a case.
type verified struct {
	Case    string             `json:"case"`
	Bundles []*evidence.Report `json:"bundles"`
	Custody *custody.Report    `json:"custody,omitempty"`
	Verdict string             `json:"verdict"`
	Exit    int                `json:"exit"`

	opening bool // identities were given: what they do not open is missed
}

func evidenceVerify(l view) error {
	t, err := trustOf(l.c, l.cs)
	if err != nil {
		return err
	}
	v, err := verifyCase(l.c.Context, l.cs, t, l.c.Args().Slice(), l.c.Bool("deep"))
	if err != nil {
		return err
	}
	if l.json {
		err = emit(os.Stdout, v)
	} else {
		printVerified(v)
	}
	if err != nil || v.Exit == exitDone {
		return err
	}
	return outcome{v.Exit, v.Verdict}
}

// verifyCase checks bundles (all, where none is named) and the custody log,
// and enters that it did so.
func verifyCase(ctx context.Context, cs *casedir.Case, t trust, ids []string, deep bool) (*verified, error) {
	v := &verified{Case: cs.Dir(), Bundles: []*evidence.Report{}, opening: t.keys != nil}
	sealed, all := sealedAs(cs), len(ids) == 0
	if all {
		var err error
		if ids, err = bundleIDs(cs); err != nil {
			return nil, err
		}
		if len(ids) == 0 && len(missing(sealed, ids)) == 0 {
			return nil, errors.New("the case holds no bundle")
		}
	}
	var err error
	if v.Custody, err = checkCustody(cs, t); err != nil {
		return nil, err
	}
	for _, id := range ids {
		r, err := verifyBundle(ctx, cs, t, id, deep, sealed)
		if err != nil {
			return nil, err
		}
		v.Bundles = append(v.Bundles, r)
	}
	if all {
		v.Bundles = append(v.Bundles, missing(sealed, ids)...)
	}
	v.conclude()
	return v, v.log(cs)
}

// checkCustody verifies the custody log. One that is not there is nil, or, where
// a receipt says that there was one, a report of that.
func checkCustody(cs *casedir.Case, t trust) (*custody.Report, error) {
	report, err := custody.Verify(cs.CustodyPath(), t.signers, t.receipt)
	report.TrustTimes(t.time, t.at)
	report.Belongs(cs.Info().ID)
	switch gone := errors.Is(err, fs.ErrNotExist) || errors.Is(err, custody.ErrEmpty); {
	case err == nil:
		return &report, nil
	case !gone:
		return nil, err
	case t.receipt == nil:
		return nil, nil
	}
	what := fmt.Sprintf("there is no log, and the receipt is for its entry %d", t.receipt.Sequence)
	return &custody.Report{Case: t.receipt.Case, Problems: []custody.Problem{{Kind: custody.Cut, What: what}}}, nil
}

func verifyBundle(ctx context.Context, cs *casedir.Case, t trust, id string, deep bool, sealed map[string]sealRecord) (*evidence.Report, error) {
	id, dir, err := bundleDir(cs, id)
	if err != nil {
		return nil, err
	}
	r, err := evidence.Verify(ctx, dir, evidence.VerifyOptions{Signers: t.signers, Demand: t.demand, Time: t.time, At: t.at, Keys: t.keys, Deep: deep, Sample: t.sample})
	if err != nil {
		return nil, err
	}
	if r.ID == "" {
		r.ID = id
	}
	if r.ID != id && unnamed(id) {
		r.Unfinished = append(r.Unfinished, fmt.Sprintf("its import was cut off: %s is the bundle %q; import it again", id, r.ID))
	} else if r.ID != id {
		r.Problems = append(r.Problems, evidence.Problem{Name: id, What: fmt.Sprintf("is the bundle %q under another name", r.ID)})
	}
	// The case's signers are demanded of what is signed: else a bundle could be
	// rewritten and signed by anybody. One that was never signed is just that.
	if !t.demand && t.signers.Len() > 0 && len(r.Signatures) > 0 && !r.KnownSigner() {
		r.Problems = append(r.Problems, evidence.Problem{Name: r.Signatures[0].File, What: "is signed by " + r.Signatures[0].Stranger + ": that is no signer of this case"})
	}
	compareCustody(r, sealed[id])
	return r, nil
}

// sealRecord is what the custody log says of a bundle.
type sealRecord struct {
	digest string
	signed bool
	known  bool
	here   bool // in the case, not in a stream that went elsewhere

	stamps int // tokens that authorities gave
}

// sealedAs reads from the custody log with which digest each bundle entered
// the case, and whether it was signed.
func sealedAs(cs *casedir.Case) map[string]sealRecord {
	all := map[string]sealRecord{}
	for e, err := range custody.Entries(cs.CustodyPath()) {
		if err != nil || e.Evidence == nil || e.Evidence.Digest == "" && e.Action != casedir.ActionGiveUp {
			continue
		}
		r := all[e.Evidence.ID]
		switch e.Action {
		case "seal", "import":
			if !r.known { // a bundle is closed once: what a later entry says of it is no excuse
				r.digest, r.known = strings.TrimPrefix(e.Evidence.Digest, "sha256:"), true
			}
			r.signed = r.signed || e.Result == string(evidence.Sealed)
			r.here = r.here || e.Counterparty != streamedTo || e.Action == "import"
		case "sign": // which also vouches for what a crash kept from being entered
			if r.signed = true; !r.known {
				r.digest, r.known, r.here = strings.TrimPrefix(e.Evidence.Digest, "sha256:"), true, true
			}
		case "receive": // what came on a disk, and was found to be what was offered
			if e.Result == refused {
				continue
			}
			if r.here = true; !r.known {
				r.digest, r.known = strings.TrimPrefix(e.Evidence.Digest, "sha256:"), true
			}
		case "stamp":
			r.stamps++
		case casedir.ActionGiveUp:
			r.stamps -= givenUpTokens(e)
		default:
			continue
		}
		all[e.Evidence.ID] = r
	}
	return all
}

// givenUpTokens counts the tokens that somebody gave up by his signature.
func givenUpTokens(e custody.Entry) (n int) {
	for _, name := range e.GivenUp {
		if strings.HasSuffix(name, ".tsr") && e.Signature != custody.Awaiting {
			n++
		}
	}
	return n
}

// missing reports the bundles that the custody log knows and the case has not.
func missing(sealed map[string]sealRecord, ids []string) (gone []*evidence.Report) {
	for _, id := range slices.Sorted(maps.Keys(sealed)) {
		if s := sealed[id]; s.here && !slices.Contains(ids, id) {
			gone = append(gone, &evidence.Report{
				ID: id, Digest: s.digest, Signatures: []evidence.Signature{},
				Problems: []evidence.Problem{{Name: id, What: "is gone: the custody log says that it was closed in this case"}},
			})
		}
	}
	return gone
}

func compareCustody(r *evidence.Report, s sealRecord) {
	switch {
	case r.State == evidence.Incomplete && s.known:
		r.Problems = append(r.Problems, evidence.Problem{Name: r.ID, What: "was closed once, the custody log says, and is incomplete now"})
		return
	case !s.known:
		if r.State != evidence.Incomplete {
			r.Unfinished = append(r.Unfinished, "that it was closed is not in the custody log")
		}
		return
	}
	if r.Digest != s.digest {
		r.Problems = append(r.Problems, evidence.Problem{Name: "SHA256SUMS", What: "is not what entered the case: the custody log has " + s.digest})
	}
	if r.Intact() && len(r.Times) < s.stamps {
		r.Problems = append(r.Problems, evidence.Problem{Name: "seal", What: fmt.Sprintf("has %d time-stamp tokens: the custody log says that there were %d", len(r.Times), s.stamps)})
	}
	if s.signed && len(r.Signatures) == 0 {
		r.Problems = append(r.Problems, evidence.Problem{Name: "seal", What: "was removed: the custody log says that this bundle was signed"})
	}
}

// conclude sets the verdict and the exit code: the worst of all.
func (v *verified) conclude() {
	v.Verdict, v.Exit = "intact, signed by a known signer", exitDone
	say := func(code int, format string, args ...any) {
		if code > v.Exit {
			v.Verdict, v.Exit = fmt.Sprintf(format, args...), code
		}
	}
	for _, r := range v.Bundles {
		switch {
		case !r.Intact():
			say(exitVerify, "VERIFICATION FAILED: %s: %s %s", r.ID, r.Problems[0].Name, r.Problems[0].What)
		case r.State == evidence.Incomplete:
			say(exitMisses, "%s: intact as far as it goes; INCOMPLETE", r.ID)
		case r.State == evidence.Unsigned:
			say(exitMisses, "%s: intact; UNSIGNED (amber evidence sign)", r.ID)
		case !r.KnownSigner():
			say(exitMisses, "%s: intact; signer UNKNOWN, fingerprint %s", r.ID, r.Signatures[0].Stranger)
		case len(r.Unfinished) > 0:
			say(exitMisses, "%s: intact, but %s (amber evidence sign mends that)", r.ID, r.Unfinished[0])
		case r.Encryption != nil && r.Encryption.Unchecked != "" && (r.Deep || v.opening):
			say(exitMisses, "%s: what is stored is intact; %s", r.ID, r.Encryption.Unchecked)
		}
	}
	if v.Custody == nil {
		say(exitMisses, "the case has no custody log")
	}
	if v.Custody != nil && v.Custody.Tampered() {
		say(exitVerify, "VERIFICATION FAILED: the custody log: %s", v.Custody)
	}
	v.Verdict = safetext.Line(v.Verdict) // names in it are of who wrote the case
}

func (v *verified) log(cs *casedir.Case) error {
	for _, r := range v.Bundles {
		e := logEntry("verify", r.ID, r.Digest)
		e.Result = "intact"
		for i, p := range r.Problems {
			e.Result = "failed"
			if i < 20 {
				e.Errors = append(e.Errors, p.Name+": "+p.What)
			}
		}
		if _, err := cs.Log(e); err != nil {
			return err
		}
	}
	return nil
}

func printVerified(v *verified) {
	for _, r := range v.Bundles {
		fmt.Printf("%s: %s\n", safetext.Line(r.ID), r.State)
		fmt.Printf("  %d files, %s hashed; %d members, %d misses, %d with notes\n", r.Files, size(r.Bytes), r.Members, r.Misses, r.Noted)
		if r.Deep {
			fmt.Printf("  every member decoded and hashed: %s\n", size(r.Plain))
		}
		for _, s := range r.Signatures {
			who, key := "UNKNOWN", s.Stranger
			if s.Known {
				who, key = s.Principal, s.Fingerprint
			}
			fmt.Printf("  %s: signer %s, fingerprint %s\n", safetext.Line(s.File), safetext.Line(who), safetext.Line(key))
		}
		printTimes(r.Times)
		printEncryption(os.Stdout, r.Encryption)
		for _, u := range r.Unfinished {
			fmt.Printf("  unfinished: %s\n", safetext.Line(u))
		}
		for _, p := range r.Problems {
			fmt.Printf("  CHANGED: %s: %s\n", safetext.Line(p.Name), safetext.Line(p.What))
		}
	}
	if v.Custody != nil {
		fmt.Printf("custody log: %s\n", safeLines(v.Custody.String()))
	}
	if v.Exit == exitDone {
		fmt.Println(v.Verdict)
	}
}

func evidenceCustody(v view) error {
	cs := v.cs
	if v.c.Bool("head") {
		return printReceipt(cs)
	}
	t, err := trustOf(v.c, cs)
	if err != nil {
		return err
	}
	report, err := checkCustody(cs, t)
	if err != nil {
		return err
	}
	if report == nil {
		return errors.New("the case has no custody log")
	}
	if v.json {
		err = custodyJSON(cs, *report)
	} else {
		err = custodyText(cs, *report)
	}
	switch {
	case err != nil:
		return err
	case report.Tampered():
		return outcome{exitVerify, "the custody log was tampered with"}
	case !report.Vouched():
		return outcome{exitMisses, ""}
	}
	return nil
}

func printReceipt(cs *casedir.Case) error {
	r, err := custody.Head(cs.CustodyPath())
	if err != nil {
		return err
	}
	if s := quietSigner(); s != nil {
		if r, err = r.Sign(s); err != nil {
			return err
		}
	}
	data, err := r.Marshal()
	if err != nil {
		return err
	}
	_, err = writeOut(os.Stdout, data)
	return err
}

func custodyJSON(cs *casedir.Case, report custody.Report) error {
	entries := []any{}
	for e, err := range custody.Entries(cs.CustodyPath()) {
		if err != nil {
			entries = append(entries, map[string]string{"error": err.Error()})
			continue
		}
		entries = append(entries, e)
	}
	return emit(os.Stdout, map[string]any{"entries": entries, "report": report})
}

func custodyText(cs *casedir.Case, report custody.Report) error {
	var rows [][]string
	for e, err := range custody.Entries(cs.CustodyPath()) {
		if err != nil {
			rows = append(rows, []string{"?", "", "", "", "", err.Error()})
			continue
		}
		rows = append(rows, custodyRow(e))
	}
	if err := table(os.Stdout, custodyHead, rows); err != nil {
		return err
	}
	fmt.Println(safeLines(report.String()))
	for _, u := range report.Unsigned {
		fmt.Println("note: " + safetext.Line(unsignedText(u)))
	}
	for _, n := range report.Notes {
		fmt.Println("note: " + safetext.Line(n))
	}
	for _, p := range report.Problems {
		fmt.Println(safeLines(p.String()))
	}
	return nil
}

var custodyHead = []string{"#", "TIME", "WHO", "ACTION", "BUNDLE", "RESULT"}

func custodyRow(e custody.Entry) []string {
	id := ""
	if e.Evidence != nil {
		id = e.Evidence.ID
	}
	return []string{fmt.Sprint(e.Sequence), e.Time.Format("2006-01-02T15:04:05Z"), e.Actor.User + "@" + e.Host, e.Action, id, custodyWhat(e)}
}

// unsignedText names an entry that nobody signed, and what it is worth.
func unsignedText(u custody.Unsigned) string {
	return fmt.Sprintf("entry %d, %s by %s (claimed) at %s: %s", u.Sequence, u.Action, u.By(), u.Time.UTC().Format("2006-01-02 15:04:05Z"), u.Standing())
}

func custodyWhat(e custody.Entry) string {
	words := []string{e.Result, e.Reason}
	words = append(append(words, e.Errors...), e.Alterations...)
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return shorten(strings.Join(out, "; "), 200)
}
