package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/evidence/remote"
	"amber/evidence/remote/s3"
)

// maxInventories bounds how many are looked at.
const maxInventories = 100_000

// newest finds and reads the inventory that was put last.
func (p *pulling) newest() (*s3.Client, *remote.Inventory, error) {
	s, err := openS3(p.c, p.from, s3.Lock{})
	if err != nil {
		return nil, nil, err
	}
	ctx := p.c.Context
	var names []string
	err = p.options.Retry.Do(ctx, p.from.String(), func() (err error) {
		names, err = s.List(ctx, inventories, maxInventories)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	name, err := p.choose(names)
	if err != nil {
		return nil, nil, err
	}
	var text []byte
	err = p.options.Retry.Do(ctx, name, func() (err error) {
		text, err = s.ReadDocument(ctx, name, remote.MaxInventory)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	v, err := readInventory(name, text)
	if err != nil {
		return nil, nil, err
	}
	p.result.Inventory = name
	return s, v, p.signer(v)
}

// choose takes the newest inventory of the one case, or of the case that is
// named.
func (p *pulling) choose(names []string) (string, error) {
	of := p.c.String("of")
	var cases []string
	newest := ""
	for _, name := range names {
		id, file, ok := strings.Cut(strings.TrimPrefix(name, inventories), "/")
		if !ok || !strings.HasSuffix(file, ".json") || of != "" && id != of {
			continue
		}
		if !slices.Contains(cases, id) {
			cases = append(cases, id)
		}
		newest = max(newest, name)
	}
	switch {
	case len(cases) == 0:
		return "", fmt.Errorf("no case was pushed to %s, or its push was cut off (push again goes on)", p.from)
	case len(cases) > 1:
		return "", usagef("%s has %d cases: name one with --of: %q", p.from, len(cases), cases)
	}
	return newest, nil
}

// readInventory reads one that must be what its name says.
func readInventory(name string, text []byte) (*remote.Inventory, error) {
	sum := sha256.Sum256(text)
	if !strings.HasSuffix(name, "-"+hex.EncodeToString(sum[:6])+".json") {
		return nil, fmt.Errorf("%s: %w: its SHA-256 is %x", name, remote.ErrOther, sum)
	}
	v, err := remote.ParseInventory(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !strings.HasPrefix(name, inventories+v.Case+"/") {
		return nil, fmt.Errorf("%s %w: it is of the case %s", name, remote.ErrMalformed, v.Case)
	}
	return v, nil
}

// fromS3 says which bundles are to arrive in a case.
func (p *pulling) fromS3() ([]arrival, error) {
	s, v, err := p.newest()
	if err != nil {
		return nil, err
	}
	papers, err := p.fetchPapers(s, v)
	if err != nil {
		return nil, err
	}
	ids := p.c.Args().Tail()
	var come []arrival
	for _, item := range v.Evidence {
		if len(ids) > 0 && !slices.Contains(ids, item.ID) {
			continue
		}
		files := v.Below("evidence/" + item.ID)
		if len(files) == 0 {
			return nil, fmt.Errorf("the inventory %w: it has no files of %s", remote.ErrMalformed, item.ID)
		}
		come = append(come, arrival{id: item.ID, digest: item.Digest, papers: papers, fetch: p.fetch(s, files)})
	}
	for _, id := range ids {
		if !slices.ContainsFunc(come, func(a arrival) bool { return a.id == id }) {
			return nil, usagef("%s has no bundle %q in %s", p.from, id, p.result.Inventory)
		}
	}
	return come, nil
}

func (p *pulling) fetch(s remote.Blobs, files []remote.File) func(context.Context, string) ([]remote.File, error) {
	return func(ctx context.Context, dir string) ([]remote.File, error) {
		return files, p.download(ctx, s, dir, files)
	}
}

func (p *pulling) download(ctx context.Context, from remote.Blobs, dir string, files []remote.File) error {
	m, err := remote.Download(ctx, from, dir, files, p.options)
	p.result.Moved.Add(m)
	return err
}

// fetchPapers gets the custody log and case.json of an inventory, and checks the
// log.
func (p *pulling) fetchPapers(s *s3.Client, v *remote.Inventory) (map[string][]byte, error) {
	papers := map[string][]byte{}
	var want []remote.File
	for _, f := range v.Files {
		if f.Path == custodyName || f.Path == infoName {
			want = append(want, f)
		}
	}
	return papers, p.readPapers(s, want, v, papers)
}

// readPapers downloads small files by way of a directory of their own.
func (p *pulling) readPapers(s remote.Blobs, files []remote.File, v *remote.Inventory, to map[string][]byte) error {
	dir, err := os.MkdirTemp("", "amber-pull-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, f := range files {
		if f.Size > remote.MaxInventory {
			return fmt.Errorf("%s %w: it has %d bytes", f.Path, remote.ErrMalformed, f.Size)
		}
	}
	if err := p.download(p.c.Context, s, dir, files); err != nil {
		return err
	}
	for _, f := range files {
		if to[f.Path], err = os.ReadFile(filepath.Join(dir, f.Path)); err != nil {
			return err
		}
	}
	return p.papers(v, filepath.Join(dir, custodyName))
}

// wholeCase makes a case anew: beside its place, and there when it is verified.
func (p *pulling) wholeCase() error {
	to, err := filepath.Abs(p.c.String("to"))
	if err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return usagef("%s is there already: --to names a new directory", to)
	}
	if p.trust, err = trustWithout(p.c); err != nil {
		return err
	}
	s, v, err := p.newest()
	if err != nil {
		return err
	}
	beside := filepath.Join(filepath.Dir(to), "."+filepath.Base(to)+".amber-pull")
	unlock, err := lockDir(beside)
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.fillCase(s, v, beside); err != nil {
		return err
	}
	if err := durable.Rename(beside, to); err != nil {
		return err
	}
	p.result.Case = to
	return p.enterCase(to, v)
}

// lockDir makes a directory and keeps other pulls out of it.
func lockDir(dir string) (unlock func(), err error) {
	if err := durable.MkdirAll(dir); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another pull is filling %s", dir), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// fillCase downloads all files of a case and verifies the whole of it.
func (p *pulling) fillCase(s *s3.Client, v *remote.Inventory, dir string) error {
	if err := p.download(p.c.Context, s, dir, v.Files); err != nil {
		return err
	}
	stray, err := remote.Stray(dir, v.Files)
	if err != nil {
		return err
	}
	for _, name := range stray {
		if err := durable.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	if err := samePulledCase(dir, v); err != nil {
		return err
	}
	if err := p.papers(v, filepath.Join(dir, custodyName)); err != nil {
		return err
	}
	for _, item := range v.Evidence {
		a := arrival{id: item.ID, digest: item.Digest, fetch: func(context.Context, string) ([]remote.File, error) { return v.Below("evidence/" + item.ID), nil }}
		if !safeID(item.ID) {
			return fmt.Errorf("the inventory %w: %q is no bundle's id", remote.ErrMalformed, item.ID)
		}
		report, err := p.arrive(a, filepath.Join(dir, "evidence", item.ID))
		if err != nil {
			return err
		}
		p.result.Bundles = append(p.result.Bundles, pulled{Report: report})
		p.judge(report)
	}
	return nil
}

func safeID(id string) bool {
	return id != "" && id != "." && id != ".." && !strings.ContainsAny(id, "/\x00")
}

// samePulledCase checks that what arrived is the case that the inventory is of. Whom
// its case.json lets sign is not believed for that.
func samePulledCase(dir string, v *remote.Inventory) error {
	cs, err := casedir.OpenRead(dir)
	if err != nil {
		return fmt.Errorf("what arrived %w: %w", remote.ErrMalformed, err)
	}
	defer cs.Close()
	if cs.Info().ID != v.Case {
		return fmt.Errorf("what arrived %w: its case.json is of the case %s", remote.ErrMalformed, cs.Info().ID)
	}
	return nil
}

// enterCase enters into the new case where it came from.
func (p *pulling) enterCase(dir string, v *remote.Inventory) error {
	cs, err := casedir.Open(dir)
	if err != nil {
		return err
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	receipt, err := cs.Log(custody.Entry{Action: "pull", Counterparty: p.from.String(), Result: "done", Reason: fmt.Sprintf("%s of %s", p.result.Inventory, v.By)})
	p.result.Custody = &receipt
	return err
}
