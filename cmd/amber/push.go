package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/keys"
	"amber/evidence/remote"
	"amber/evidence/safetext"
)

func pushCommands(common func(...cli.Flag) []cli.Flag) []*cli.Command {
	return []*cli.Command{
		{
			Name: "push", Usage: "store bundles, or the whole case, in S3-compatible storage or an OCI registry", ArgsUsage: "ADDRESS [ID...]", Action: action(1, -1, "ADDRESS [ID...]", evidencePush),
			Description: "ADDRESS is s3://BUCKET[/PREFIX] or oci://HOST/REPOSITORY[:TAG]. Without an ID it is the whole case.\n" +
				"What is there already is not sent again, so a push that was cut off goes on; what names it all is put last.\n" +
				"Credentials come from the environment (AWS_ACCESS_KEY_ID, …; AMBER_REGISTRY_USERNAME and _PASSWORD)\n" +
				"or from the files that the usual tools share (~/.aws, ~/.docker/config.json). See docs/handover.md.",
			Flags: common(append(remoteFlags(),
				&cli.StringFlag{Name: "retain", Usage: "lock every object until a `TIME`: 90d, 7y, or a date (S3 object lock)"},
				&cli.StringFlag{Name: "lock", Value: "governance", Usage: "`MODE` of --retain: governance, or compliance, which nobody can lift"},
				&cli.BoolFlag{Name: "legal-hold", Usage: "put every object under legal hold (S3 object lock)"},
				&cli.BoolFlag{Name: "make-bucket", Usage: "make the bucket, with object lock"},
				&cli.BoolFlag{Name: "read-back", Usage: "read everything from the storage again and hash it"},
				&cli.StringFlag{Name: "reason", Usage: "why, for the custody log"},
				&cli.StringFlag{Name: "authority", Usage: "by whose order: a ticket, a warrant"},
				&cli.BoolFlag{Name: "plan", Usage: "print what would be sent and which rights that needs; send nothing"},
			)...),
		},
		{
			Name: "pull", Usage: "get bundles, or a whole case, from where they were pushed", ArgsUsage: "ADDRESS [ID...]", Action: action(1, -1, "[--to DIR] ADDRESS [ID...]", evidencePull),
			Description: "With --to the whole case becomes the new directory DIR; otherwise bundles become part of the case,\n" +
				"and the custody log that they came with is kept beside them. Either is there whole and verified, or not at all;\n" +
				"a pull that was cut off goes on when it is run again.",
			Flags: common(append(remoteFlags(),
				&cli.StringFlag{Name: "to", Usage: "make the case that was pushed the new directory `DIR`"},
				&cli.StringFlag{Name: "of", Usage: "the `CASE` to pull from, where there are several"},
				&cli.StringFlag{Name: "signers", Usage: "whom to trust: an ssh allowed_signers `FILE` (default: the case's)"},
				&cli.StringFlag{Name: "receipt", Usage: "a custody receipt that was kept elsewhere, `FILE`"},
				&cli.BoolFlag{Name: "deep", Usage: "also decode and hash every member, before a bundle has its place"},
				identityFlag(),
			)...),
		},
	}
}

// pushing is one push.
type pushing struct {
	c       *cli.Context
	to      remote.Address
	cs      *casedir.Case
	whole   bool
	bundles []pushed
	tree    remote.Listed // the case's other files, if it is whole
	options remote.Options
	bar     *moving
	result  pushResult
}

// pushed is a bundle that is pushed.
type pushed struct {
	ID       string `json:"id"`
	Digest   string `json:"digest,omitempty"`
	Files    int    `json:"files"`
	Bytes    int64  `json:"bytes"`
	Manifest string `json:"manifest,omitempty"` // in a registry
	Tag      string `json:"tag,omitempty"`
	Seal     string `json:"seal_artifact,omitempty"`
	Custody  string `json:"custody_artifact,omitempty"`

	dir    string
	listed remote.Listed
}

// pushResult is what push prints.
type pushResult struct {
	Address   string           `json:"address"`
	Case      string           `json:"case"`
	Bundles   []pushed         `json:"bundles"`
	Inventory string           `json:"inventory,omitempty"`
	Moved     *remote.Moved    `json:"moved"`
	Lock      string           `json:"object_lock,omitempty"`
	Custody   *custody.Receipt `json:"custody,omitempty"`
	Warnings  []string         `json:"warnings,omitempty"`
}

func evidencePush(c *cli.Context, asJSON bool) error {
	to, err := remote.ParseAddress(c.Args().First())
	if err != nil {
		return usageError{err}
	}
	cs, err := openForPush(c)
	if err != nil {
		return err
	}
	defer cs.Close()
	p := &pushing{c: c, to: to, cs: cs, whole: c.NArg() == 1, options: moveOptions(c)}
	p.result = pushResult{Address: to.String(), Case: cs.Info().ID, Moved: &remote.Moved{}}
	if err := p.list(); err != nil {
		return remoteError(err)
	}
	if c.Bool("plan") {
		return p.plan(asJSON)
	}
	p.bar = showMoving("pushing", p.size())
	err = p.push()
	p.bar.stop()
	if err != nil {
		return remoteError(err)
	}
	return p.print(asJSON)
}

// openForPush takes the case's lock, so that nothing is written while it is
// sent; a case that cannot be written to is pushed as it is.
func openForPush(c *cli.Context) (*casedir.Case, error) {
	dir, err := findCase(c)
	if err != nil {
		return nil, err
	}
	cs, err := casedir.Open(dir)
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		cs, err = casedir.OpenRead(dir)
	}
	if err != nil {
		return nil, err
	}
	cs.Tool, cs.Signer, cs.LogDir = tool(), quietSigner(), c.String("log-dir")
	return cs, nil
}

// list finds out what there is to send. Blobs are not read for that.
func (p *pushing) list() error {
	ids := p.c.Args().Tail()
	if p.whole {
		var err error
		if ids, err = bundleIDs(p.cs); err != nil {
			return err
		}
	}
	for _, id := range ids {
		id, dir, err := bundleDir(p.cs, id)
		if err != nil {
			return err
		}
		b := pushed{ID: id, dir: dir}
		if b.listed, err = remote.ListBundle(p.c.Context, dir); err != nil {
			return fmt.Errorf("bundle %s: %w", id, err)
		}
		for _, f := range b.listed.Files {
			b.Files++
			b.Bytes += f.Size
			if f.Path == "SHA256SUMS" {
				b.Digest = f.SHA256
			}
		}
		for _, l := range b.listed.LeftOut {
			p.warn("bundle " + id + " is not sent whole: " + l)
		}
		p.bundles = append(p.bundles, b)
	}
	if !p.whole || p.to.Kind != remote.S3 {
		return nil
	}
	var err error
	p.tree, err = remote.ListTree(p.c.Context, p.cs.Dir(), notSent)
	for _, l := range p.tree.LeftOut {
		p.warn("not sent: " + l)
	}
	return err
}

// notSent are the files of a case that are sent another way, or that are of this
// moment alone.
func notSent(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	return top == "evidence" || top == "lock" || top == incomingDir || path == "custody.jsonl" || strings.HasSuffix(path, ".tmp") || strings.HasSuffix(path, ".seal")
}

func (p *pushing) warn(text string) {
	text = strings.ToValidUTF8(text, "\ufffd")
	p.result.Warnings = append(p.result.Warnings, text)
	fmt.Fprintln(os.Stderr, "amber: "+safetext.Line(text))
}

func (p *pushing) size() (n int64) {
	for _, b := range p.bundles {
		n += b.Bytes
	}
	for _, f := range p.tree.Files {
		n += f.Size
	}
	return n
}

// push sends it. That it was tried is entered in the custody log, too.
func (p *pushing) push() error {
	p.options.Done = &p.bar.done
	p.options.Retry.Note = p.bar.note
	var err error
	if p.to.Kind == remote.S3 {
		err = p.toS3()
	} else {
		err = p.toRegistry()
	}
	if err == nil {
		return nil
	}
	return errors.Join(err, p.enter("failed", err))
}

// enter makes an entry for each bundle that was to be pushed, or for the case
// where there is none.
func (p *pushing) enter(result string, why error) error {
	var list []custody.Entry
	for _, b := range p.bundles {
		list = append(list, logEntry("push", b.ID, b.Digest))
	}
	if len(list) == 0 {
		list = append(list, custody.Entry{Action: "push"})
	}
	for _, e := range list {
		e.Counterparty, e.Reason, e.Authority, e.Result = p.to.String(), p.c.String("reason"), p.c.String("authority"), result
		if why != nil {
			e.Errors = []string{shorten(why.Error(), 2000)}
		}
		if _, err := p.cs.Log(e); err != nil {
			return err
		}
	}
	return nil
}

// inventory lists what was pushed, with the custody log as it is now, which is
// given too, and seals it.
func (p *pushing) inventory(bundles []pushed) (text, log []byte, err error) {
	v := remote.Inventory{Case: p.cs.Info().ID, Made: time.Now(), By: principal(), Whole: p.whole, Tool: tool(), LeftOut: p.result.Warnings, Evidence: []remote.Item{}}
	for _, b := range bundles {
		v.Evidence = append(v.Evidence, remote.Item{ID: b.ID, Digest: b.Digest})
		for _, f := range b.listed.Files {
			v.Files = append(v.Files, remote.File{Path: "evidence/" + b.ID + "/" + f.Path, SHA256: f.SHA256, Size: f.Size})
		}
	}
	v.Files = append(v.Files, p.tree.Files...)
	if log, err = readUpTo(p.cs.CustodyPath(), remote.MaxInventory); err != nil {
		return nil, nil, err
	}
	log = log[:strings.LastIndexByte(string(log), '\n')+1] // a line may be being written
	v.Files = append(v.Files, fileOf("custody.jsonl", log))
	info, err := os.ReadFile(filepath.Join(p.cs.Dir(), "case.json"))
	if err != nil {
		return nil, nil, err
	}
	if !slices.ContainsFunc(v.Files, func(f remote.File) bool { return f.Path == "case.json" }) {
		v.Files = append(v.Files, fileOf("case.json", info))
	}
	if v.Custody, err = custody.HeadOf(log); err != nil {
		return nil, nil, err
	}
	if s := p.cs.Signer; s != nil {
		if v.Custody, err = v.Custody.Sign(s); err != nil {
			return nil, nil, err
		}
	} else {
		p.warn("the inventory is not signed: the signing key is not at hand (" + keys.PassphraseVariable + ")")
	}
	p.result.Custody = &v.Custody
	text, err = v.Seal(p.cs.Signer)
	return text, log, err
}

func fileOf(path string, data []byte) remote.File {
	b := remote.DataBlob(data)
	return remote.File{Path: path, SHA256: b.Digest, Size: b.Size}
}

// upload sends blobs and counts them.
func (p *pushing) upload(ctx context.Context, to remote.Blobs, blobs []remote.Blob) error {
	m, err := remote.Upload(ctx, to, blobs, p.options)
	p.result.Moved.Add(m)
	return err
}

func (p *pushing) print(asJSON bool) error {
	p.result.Bundles = p.bundles
	if asJSON {
		if err := emit(os.Stdout, p.result); err != nil {
			return err
		}
	} else {
		p.printText()
	}
	if len(p.result.Warnings) > 0 {
		return outcome{exitMisses, ""}
	}
	return nil
}

func (p *pushing) printText() {
	r := p.result
	fmt.Printf("pushed to %s\n", safetext.Line(r.Address))
	for _, b := range r.Bundles {
		fmt.Printf("  %s: %d files, %s", safetext.Line(b.ID), b.Files, size(b.Bytes))
		if b.Tag != "" {
			fmt.Printf("; tag %s, manifest %s", safetext.Line(b.Tag), b.Manifest)
		}
		fmt.Println()
	}
	m := r.Moved
	fmt.Printf("  %d blobs, %s, are there and were checked; %d of them, %s, were sent now\n", m.Blobs, size(m.Bytes), m.Sent, size(m.SentSize))
	if m.ReadBack > 0 {
		fmt.Printf("  %s were read back and hashed\n", size(m.ReadBack))
	}
	if r.Lock != "" {
		fmt.Printf("  object lock: %s\n", safetext.Line(r.Lock))
	}
	if r.Inventory != "" {
		fmt.Printf("  inventory: %s\n", safetext.Line(r.Inventory))
	}
	if r.Custody != nil {
		fmt.Printf("  custody entry %d, hash %s\n", r.Custody.Sequence, r.Custody.Hash)
	}
}
