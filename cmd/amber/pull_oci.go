package main

import (
	"context"
	"errors"
	"fmt"

	"amber/evidence/durable"
	"amber/evidence/remote"
	"amber/evidence/remote/registry"
)

// fromRegistry says which bundles are to arrive.
func (p *pulling) fromRegistry() ([]arrival, error) {
	r, err := openRegistry(p.c, p.from)
	if err != nil {
		return nil, err
	}
	references := p.c.Args().Tail()
	switch {
	case p.from.Digest != "" && len(references) == 0:
		references = []string{p.from.Digest}
	case p.from.Tag != "" && len(references) == 0:
		references = []string{p.from.Tag}
	case len(references) == 0 || p.from.Digest != "" || p.from.Tag != "":
		return nil, usagef("name what to pull: %s:TAG, %s@sha256:…, or ids after the address", p.from, p.from)
	}
	var come []arrival
	for _, reference := range references {
		a, err := p.find(p.c.Context, r, reference)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", reference, err)
		}
		come = append(come, a)
	}
	return come, nil
}

// find resolves a bundle with its seal and its papers.
func (p *pulling) find(ctx context.Context, r *registry.Client, reference string) (a arrival, err error) {
	if !remote.IsTag(reference) && p.from.Digest == "" {
		return a, usagef("%q is no tag", reference)
	}
	var b registry.Remote
	var seals, papers []registry.Artifact
	err = p.options.Retry.Do(ctx, "looking at it", func() (err error) {
		if b, err = r.Find(ctx, reference); err != nil {
			return err
		}
		var odd, more []string
		seals, odd, err = r.Referrers(ctx, b.Digest, registry.SealType)
		if err != nil {
			return err
		}
		papers, more, err = r.Referrers(ctx, b.Digest, registry.CustodyType)
		for _, o := range append(odd, more...) {
			p.doubt("of what refers to it: %s", o)
		}
		return err
	})
	if err != nil {
		return a, err
	}
	if len(seals) == 0 {
		return a, fmt.Errorf("the registry has the bundle's manifest %s and nothing that seals it (no referrer of type %s): it was taken away, or was never there: %w", b.Digest, registry.SealType, remote.ErrAbsent)
	}
	if !safeID(b.ID) {
		return a, fmt.Errorf("the manifest %w: %q is no bundle's id", remote.ErrMalformed, b.ID)
	}
	a = arrival{id: b.ID, papers: map[string][]byte{}}
	if err := p.ociPapers(r, papers, &a); err != nil {
		return a, err
	}
	files, err := p.chooseSeal(b, seals, &a)
	a.fetch = p.fetchOCI(b.Of(r), files)
	return a, err
}

// fetchOCI downloads a bundle.
func (p *pulling) fetchOCI(from remote.Blobs, files []remote.File) func(context.Context, string) ([]remote.File, error) {
	return func(ctx context.Context, dir string) ([]remote.File, error) {
		if err := durable.MkdirAll(dir); err != nil {
			return nil, err
		}
		return files, p.download(ctx, from, dir, files)
	}
}

// chooseSeal takes the seal that the papers name, or else the one with the most
// signatures: each push of a bundle that was signed again leaves another.
func (p *pulling) chooseSeal(b registry.Remote, seals []registry.Artifact, a *arrival) (best []remote.File, err error) {
	var wrong []error
	for _, s := range seals {
		beside, err := s.Files()
		var files []remote.File
		if err == nil {
			files, err = b.With(beside)
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		sums := ""
		for _, f := range beside {
			if f.Path == "SHA256SUMS" {
				sums = f.SHA256
			}
		}
		if sums == "" || a.digest != "" && sums != a.digest {
			wrong = append(wrong, fmt.Errorf("%s: %w: it has the SHA256SUMS %q, and the custody log's inventory %q", s.Descriptor.Digest, remote.ErrOther, sums, a.digest))
			continue
		}
		if len(files) > len(best) {
			best = files
		}
	}
	if best == nil {
		return nil, errors.Join(wrong...)
	}
	for _, f := range best {
		if f.Path == "SHA256SUMS" {
			a.digest = f.SHA256
		}
	}
	return best, nil
}

// ociPapers gets the custody log that the bundle was pushed with last, and
// checks it. A registry may have lost it: that is said.
func (p *pulling) ociPapers(r *registry.Client, list []registry.Artifact, a *arrival) error {
	if len(list) == 0 {
		p.doubt("%s came without a custody log: its referrer was taken away, or was never there", a.id)
		return nil
	}
	files, err := list[0].Files()
	if err != nil {
		return err
	}
	small := map[string]bool{custodyName: true, infoName: true, inventoryFile: true}
	for _, f := range files {
		if !small[f.Path] {
			return fmt.Errorf("the custody artifact %w: it has %q", remote.ErrMalformed, f.Path)
		}
	}
	v, err := p.ociInventory(r, files)
	if err != nil {
		return err
	}
	if err := p.signer(v); err != nil {
		return err
	}
	for _, item := range v.Evidence {
		if item.ID == a.id {
			a.digest = item.Digest
		}
	}
	return p.readPapers(r, files, v, a.papers)
}

func (p *pulling) ociInventory(r *registry.Client, files []remote.File) (*remote.Inventory, error) {
	for _, f := range files {
		if f.Path != inventoryFile {
			continue
		}
		text, err := remote.ReadBlob(p.c.Context, r, f, remote.MaxInventory)
		if err != nil {
			return nil, err
		}
		return remote.ParseInventory(text)
	}
	return nil, fmt.Errorf("the custody artifact %w: it has no inventory", remote.ErrMalformed)
}
