package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/evidence/keys"
	"amber/evidence/safetext"
	"amber/evidence/transfer"
)

// transfersDir is where a case keeps the papers of its hand-overs.
const transfersDir = "transfers"

func transferCommands(common func(...cli.Flag) []cli.Flag) []*cli.Command {
	reason := &cli.StringFlag{Name: "reason", Usage: "why"}
	authority := &cli.StringFlag{Name: "authority", Usage: "by whose order: a ticket, a warrant"}
	signers := &cli.StringFlag{Name: "signers", Usage: "whom to trust: an ssh allowed_signers `FILE` (default: the case's)"}
	return []*cli.Command{
		{
			Name: "transfer", Usage: "hand bundles over: sign an offer, and later take the receiver's acknowledgement", ArgsUsage: "[ID...]", Action: action(0, -1, "--to WHOM --reason TEXT --authority TEXT --offer FILE [ID...]", evidenceTransfer),
			Description: "The evidence itself goes by push, by a stream or on a disk. Send the offer with it; the receiver runs\n" +
				"amber evidence receive, and gives back an acknowledgement for --acknowledged. Each party keeps the other's\n" +
				"paper: as a --receipt it shows whether the other's custody log was cut or rewritten since.",
			Flags: common(
				&cli.StringFlag{Name: "to", Usage: "`WHOM` it is handed to"}, reason, authority, signers,
				&cli.StringFlag{Name: "offer", Usage: "write the signed offer to a new `FILE`"},
				&cli.StringFlag{Name: "acknowledged", Usage: "take the receiver's acknowledgement, `FILE`, and end the hand-over"},
			),
		},
		{
			Name: "receive", Usage: "take over bundles that are in this case: check the offer, and sign an acknowledgement", Action: action(0, 0, "--offer FILE --acknowledge FILE", evidenceReceive),
			Flags: common(
				&cli.StringFlag{Name: "offer", Usage: "the giver's offer, `FILE`"},
				&cli.StringFlag{Name: "acknowledge", Usage: "write the signed acknowledgement to a new `FILE`"}, reason, authority, signers,
			),
		},
	}
}

// handing is a case that is open for a hand-over, with a key that signs it.
type handing struct {
	c      *cli.Context
	json   bool
	cs     *casedir.Case
	trust  trust
	signer ssh.Signer
}

func openHanding(c *cli.Context, asJSON bool) (*handing, error) {
	dir, err := findCase(c)
	if err != nil {
		return nil, err
	}
	cs, err := casedir.Open(dir)
	if err != nil {
		return nil, err
	}
	h := &handing{c: c, json: asJSON, cs: cs}
	cs.Tool = tool()
	if h.trust, err = trustOf(c, cs); err == nil {
		h.signer, err = unlock() // a hand-over that nobody signed is none
	}
	if err != nil {
		return nil, errors.Join(err, cs.Close())
	}
	cs.Signer = h.signer
	sayUnsigned(cs)
	return h, introduce(cs)
}

func evidenceTransfer(c *cli.Context, asJSON bool) error {
	if file := c.String("acknowledged"); file != "" {
		return acknowledged(c, asJSON, file)
	}
	for _, name := range []string{"to", "reason", "authority", "offer"} {
		if c.String(name) == "" {
			return usagef("a hand-over says to whom, why, by whose order, and where the offer is to be written: --%s is missing", name)
		}
	}
	if _, err := os.Lstat(c.String("offer")); err == nil {
		return usagef("%s is there already", c.String("offer"))
	}
	h, err := openHanding(c, asJSON)
	if err != nil {
		return err
	}
	defer h.cs.Close()
	return h.offer()
}

// offer verifies what is handed over, enters it, and signs the paper.
func (h *handing) offer() error {
	items, err := h.items(h.c.Args().Slice())
	if err != nil {
		return err
	}
	o := transfer.Offer{
		Case: h.cs.Info().ID, From: principal(), To: h.c.String("to"), Reason: h.c.String("reason"), Authority: h.c.String("authority"),
		Time: time.Now(), Evidence: items,
	}
	if o.Receipt, err = h.enter("transfer", items, custody.Entry{Counterparty: o.To, Reason: o.Reason, Authority: o.Authority, Result: "offered"}); err != nil {
		return err
	}
	if o, err = o.Seal(h.signer); err != nil {
		return err
	}
	text, err := transfer.Marshal(o)
	if err != nil {
		return err
	}
	digest, err := h.keep(o, text, "offer.json", h.c.String("offer"))
	if err != nil {
		return err
	}
	if h.json {
		return emit(os.Stdout, map[string]any{"offer": h.c.String("offer"), "digest": digest, "evidence": items, "to": o.To, "custody": o.Receipt})
	}
	fmt.Printf("offered %s to %s, in %s (%s)\n", countText(len(items), "bundle"), safetext.Line(o.To), safetext.Line(h.c.String("offer")), digest)
	fmt.Printf("next: send it with the evidence; take what comes back with\n  amber evidence transfer --case %s --acknowledged FILE\n", safeLines(h.cs.Dir()))
	return nil
}

// items verifies bundles, all where none is named.
func (h *handing) items(ids []string) (items []transfer.Item, err error) {
	if len(ids) == 0 {
		if ids, err = bundleIDs(h.cs); err != nil {
			return nil, err
		}
	}
	sealed := sealedAs(h.cs)
	for _, id := range ids {
		r, err := verifyBundle(h.c.Context, h.cs, h.trust, id, false, sealed)
		if err != nil {
			return nil, err
		}
		if !r.Intact() {
			return nil, outcome{exitVerify, fmt.Sprintf("%s is not handed over: %s %s", safetext.Line(r.ID), safetext.Line(r.Problems[0].Name), safetext.Line(r.Problems[0].What))}
		}
		if r.State == evidence.Incomplete {
			return nil, fmt.Errorf("%s is incomplete: nothing vouches for what it is, so it is not handed over", r.ID)
		}
		items = append(items, transfer.Item{ID: r.ID, Digest: "sha256:" + r.Digest})
	}
	return items, nil
}

// enter makes an entry for each bundle and gives the receipt of the last,
// signed.
func (h *handing) enter(action string, items []transfer.Item, e custody.Entry) (r custody.Receipt, err error) {
	for _, i := range items {
		e.Action, e.Evidence, e.Before, e.After = action, &custody.Evidence{ID: i.ID, Digest: i.Digest}, i.Digest, i.Digest
		if r, err = h.cs.Log(e); err != nil {
			return r, err
		}
	}
	return r.Sign(h.signer)
}

// keep writes a paper into the case and to a file of its own, and gives the
// digest of its offer, which both papers lie under.
func (h *handing) keep(o transfer.Offer, text []byte, name, to string) (string, error) {
	digest, err := transfer.Digest(o)
	if err != nil {
		return "", err
	}
	path := h.path(digest, name)
	if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
		return "", err
	}
	if err := durable.WriteFile(path, text); err != nil || to == "" {
		return digest, err
	}
	if _, err := os.Lstat(to); err == nil {
		return digest, fmt.Errorf("%s is there already; the paper is kept as %s", to, path)
	}
	return digest, durable.WriteFile(to, text)
}

func (h *handing) path(digest, name string) string {
	return filepath.Join(h.cs.Dir(), transfersDir, shorten(strings.TrimPrefix(digest, "sha256:"), 16), name)
}

// who says whose a signature is, and what that is worth.
func (h *handing) who(pub ssh.PublicKey, at time.Time) (who string, known bool) {
	who, known = h.trust.signers.Lookup(pub, keys.NamespaceReceipt, at)
	if !known {
		who = "UNKNOWN, fingerprint " + h.trust.signers.Stranger(pub, keys.NamespaceReceipt, at)
	}
	return who, known
}

// acknowledged ends a hand-over on the giver's side.
func acknowledged(c *cli.Context, asJSON bool, file string) error {
	h, err := openHanding(c, asJSON)
	if err != nil {
		return err
	}
	defer h.cs.Close()
	text, err := readUpTo(file, transfer.MaxPaper)
	if err != nil {
		return err
	}
	a, err := transfer.ParseAcknowledgement(text)
	if err != nil {
		return paperError(err)
	}
	digest, err := transfer.Digest(a.Offer)
	if err != nil {
		return err
	}
	own, err := os.ReadFile(h.path(digest, "offer.json"))
	if errors.Is(err, fs.ErrNotExist) || a.Offer.Case != h.cs.Info().ID { // a case keeps the offers that it takes up, too
		return outcome{exitVerify, "this case made no offer such as the one that is acknowledged, " + digest}
	}
	mine, merr := transfer.Marshal(a.Offer)
	if err := errors.Join(err, merr); err != nil {
		return err
	}
	if string(own) != string(mine) {
		return outcome{exitVerify, "the offer that is acknowledged is not the one that this case made"}
	}
	pub, err := a.Signer()
	if err != nil {
		return paperError(err)
	}
	if giver, err := a.Offer.Signer(); err != nil || bytes.Equal(giver.Marshal(), pub.Marshal()) {
		return errors.Join(err, outcome{exitVerify, "the acknowledgement is signed with the giver's own key, " + keys.Fingerprint(pub) + ": it shows nothing of a receiver"})
	}
	who, known := h.who(pub, a.Time)
	if !known && h.trust.demand {
		return outcome{exitVerify, "the acknowledgement's signer is " + who}
	}
	paper, err := transfer.Digest(a)
	if err != nil {
		return err
	}
	if _, err := h.keep(a.Offer, text, "acknowledgement.json", ""); err != nil {
		return err
	}
	receipt, err := h.enter("transfer", a.Offer.Evidence, custody.Entry{
		Counterparty: a.By, Reason: a.Offer.Reason, Authority: a.Offer.Authority,
		Result: fmt.Sprintf("received on %s by %s (%s); acknowledgement %s", a.Time.Format(time.RFC3339), a.By, keys.Fingerprint(pub), paper),
	})
	if err != nil {
		return err
	}
	return h.done("acknowledged", a.By, who, known, a.Offer.Evidence, receipt)
}

func evidenceReceive(c *cli.Context, asJSON bool) error {
	if c.String("offer") == "" || c.String("acknowledge") == "" {
		return usagef("name the giver's offer and where the acknowledgement is to be written: --offer FILE --acknowledge FILE")
	}
	if _, err := os.Lstat(c.String("acknowledge")); err == nil {
		return usagef("%s is there already", c.String("acknowledge"))
	}
	text, err := readUpTo(c.String("offer"), transfer.MaxPaper)
	if err != nil {
		return err
	}
	o, err := transfer.ParseOffer(text)
	if err != nil {
		return paperError(err)
	}
	h, err := openHanding(c, asJSON)
	if err != nil {
		return err
	}
	defer h.cs.Close()
	return h.receive(o, text)
}

// receive checks the offer against what is in this case, enters it, and signs
// the acknowledgement.
func (h *handing) receive(o transfer.Offer, text []byte) error {
	pub, err := o.Signer()
	if err != nil {
		return paperError(err)
	}
	who, known := h.who(pub, o.Time)
	if bytes.Equal(pub.Marshal(), h.signer.PublicKey().Marshal()) {
		return outcome{exitRefused, "the offer is signed with your own key, " + keys.Fingerprint(pub) + ": a hand-over has two parties, each with a key of their own"}
	}
	if !known && h.trust.demand {
		return outcome{exitVerify, "the offer's signer is " + who}
	}
	if err := h.compare(o); err != nil {
		return err
	}
	digest, err := h.keep(o, text, "offer.json", "")
	if err != nil {
		return err
	}
	a := transfer.Acknowledgement{Offer: o, Case: h.cs.Info().ID, By: principal(), Reason: h.c.String("reason"), Authority: h.c.String("authority"), Time: time.Now()}
	e := custody.Entry{
		Counterparty: o.From, Reason: either(a.Reason, o.Reason), Authority: either(a.Authority, o.Authority),
		Result: fmt.Sprintf("received from %s (%s); offer %s", o.From, keys.Fingerprint(pub), digest),
	}
	if a.Receipt, err = h.enter("receive", o.Evidence, e); err != nil {
		return err
	}
	if a, err = a.Seal(h.signer); err != nil {
		return err
	}
	paper, err := transfer.Marshal(a)
	if err != nil {
		return err
	}
	if _, err := h.keep(o, paper, "acknowledgement.json", h.c.String("acknowledge")); err != nil {
		return err
	}
	return h.done("received", o.From, who, known, o.Evidence, a.Receipt)
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// compare checks that the bundles of an offer are here, and are those.
func (h *handing) compare(o transfer.Offer) error {
	for _, i := range o.Evidence {
		dir, err := h.cs.EvidenceDir(i.ID)
		if err != nil {
			return paperError(fmt.Errorf("%w: %w", transfer.ErrPaper, err))
		}
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is offered and is not in this case: pull or import it first", safetext.Line(i.ID))
		}
		r, err := evidence.Verify(h.c.Context, dir, evidence.VerifyOptions{Signers: h.trust.signers})
		if err != nil {
			return err
		}
		switch {
		case !r.Intact():
			return h.refuse(o, i, fmt.Sprintf("%s %s", r.Problems[0].Name, r.Problems[0].What))
		case "sha256:"+r.Digest != i.Digest:
			return h.refuse(o, i, "its SHA256SUMS is sha256:"+r.Digest+", the offer says "+i.Digest)
		}
	}
	return nil
}

// refused is the result of a bundle that was not taken over.
const refused = "refused"

// refuse enters that a bundle was not taken over.
func (h *handing) refuse(o transfer.Offer, i transfer.Item, why string) error {
	e := logEntry("receive", i.ID, strings.TrimPrefix(i.Digest, "sha256:"))
	e.Counterparty, e.Result, e.Errors = o.From, refused, []string{why}
	_, err := h.cs.Log(e)
	return errors.Join(outcome{exitVerify, fmt.Sprintf("%s is not taken over: %s", i.ID, why)}, err)
}

func (h *handing) done(what, other, who string, known bool, items []transfer.Item, r custody.Receipt) error {
	if h.json {
		if err := emit(os.Stdout, map[string]any{what: items, "counterparty": other, "signer": who, "known": known, "custody": r}); err != nil {
			return err
		}
	} else {
		fmt.Printf("%s: %s, %s; signer %s\n", what, countText(len(items), "bundle"), safetext.Line(other), safetext.Line(who))
	}
	if !known {
		return outcome{exitMisses, "the other party's signer is " + who}
	}
	return nil
}

// paperError gives a paper that was changed its exit code.
func paperError(err error) error {
	if errors.Is(err, transfer.ErrPaper) {
		return outcome{exitVerify, err.Error()}
	}
	return err
}
