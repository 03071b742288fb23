package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"amber/evidence/remote"
	"amber/evidence/remote/registry"
)

// Names of the files of an artifact of custody.
const (
	custodyName   = "custody.jsonl"
	infoName      = "case.json"
	inventoryFile = "inventory.json"
)

func (p *pushing) toRegistry() error {
	if len(p.bundles) == 0 {
		return errors.New("there is no bundle to push; a registry takes nothing else of a case")
	}
	if p.to.Digest != "" || p.to.Tag != "" && len(p.bundles) > 1 {
		return usagef("one tag is for one bundle; without it each has its id for a tag")
	}
	if p.c.String("retain") != "" || p.c.Bool("legal-hold") || p.c.Bool("make-bucket") {
		return usagef("a registry locks nothing: --retain, --legal-hold and --make-bucket are for s3://")
	}
	r, err := openRegistry(p.c, p.to)
	if err != nil {
		return err
	}
	parts := make([]registry.Parts, len(p.bundles))
	for i := range p.bundles {
		if parts[i], err = p.stage(p.c.Context, r, &p.bundles[i]); err != nil {
			return fmt.Errorf("bundle %s: %w", p.bundles[i].ID, err)
		}
	}
	if err := p.enter(fmt.Sprintf("%d blobs are there and were checked", p.result.Moved.Blobs), nil); err != nil {
		return err
	}
	for i := range p.bundles {
		if err := p.closeOCI(p.c.Context, r, &p.bundles[i], parts[i]); err != nil {
			return fmt.Errorf("bundle %s: %w", p.bundles[i].ID, err)
		}
	}
	return nil
}

// stage puts a bundle's blobs, its manifest and its seal; nothing names them yet.
func (p *pushing) stage(ctx context.Context, r *registry.Client, b *pushed) (registry.Parts, error) {
	parts, err := registry.Part(b.dir, b.listed.Files)
	if err != nil {
		return parts, err
	}
	if b.Tag = p.to.Tag; b.Tag == "" {
		b.Tag = b.ID
	}
	if !remote.IsTag(b.Tag) {
		return parts, fmt.Errorf("%q cannot be a tag: name one, oci://HOST/REPOSITORY:TAG", b.Tag)
	}
	b.Manifest = parts.Manifest.Digest.String()
	blobs := append(remote.BlobsOf(b.dir, parts.Blobs), remote.BlobsOf(b.dir, parts.Beside)...)
	if err := p.upload(ctx, r, append(blobs, registry.Empty())); err != nil {
		return parts, err
	}
	return parts, p.options.Retry.Do(ctx, "the manifest and the seal", func() (err error) {
		if err = r.PushManifest(ctx, parts); err == nil {
			b.Seal, err = r.Refer(ctx, parts, registry.SealType, parts.Beside, time.Time{})
		}
		return err
	})
}

// closeOCI puts the custody log that the push was entered in, and then the tag.
func (p *pushing) closeOCI(ctx context.Context, r *registry.Client, b *pushed, parts registry.Parts) error {
	made := time.Now()
	text, log, err := p.inventory([]pushed{*b})
	if err != nil {
		return err
	}
	info, err := os.ReadFile(filepath.Join(p.cs.Dir(), infoName))
	if err != nil {
		return err
	}
	if err := p.upload(ctx, r, []remote.Blob{remote.DataBlob(log), remote.DataBlob(info), remote.DataBlob(text)}); err != nil {
		return err
	}
	files := []remote.File{fileOf(infoName, info), fileOf(custodyName, log), fileOf(inventoryFile, text)}
	return p.options.Retry.Do(ctx, "the custody log and the tag", func() (err error) {
		if b.Custody, err = r.Refer(ctx, parts, registry.CustodyType, files, made); err == nil {
			err = r.Tag(ctx, parts, b.Tag)
		}
		return err
	})
}
