package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"amber/evidence/custody"
	"amber/evidence/remote"
	"amber/evidence/remote/s3"
	"amber/evidence/safetext"
)

// inventoryName is where an inventory is put: its case, how far the custody log
// had come, so that the last is the newest, and the beginning of its digest.
func inventoryName(head custody.Receipt, text []byte) string {
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%s%s/%012d-%s-%x.json", inventories, head.Case, head.Sequence, head.Time.UTC().Format("20060102T150405Z"), sum[:6])
}

// inventories begins the names of inventories.
const inventories = "cases/"

func (p *pushing) toS3() error {
	ctx := p.c.Context
	lock, err := lockWanted(p.c, time.Now())
	if err != nil {
		return err
	}
	s, err := openS3(p.c, p.to, lock)
	if err != nil {
		return err
	}
	if err := p.prepareBucket(ctx, s, lock); err != nil {
		return err
	}
	blobs := remote.BlobsOf(p.cs.Dir(), p.tree.Files)
	for _, b := range p.bundles {
		blobs = append(blobs, remote.BlobsOf(b.dir, b.listed.Files)...)
	}
	if err := p.upload(ctx, s, blobs); err != nil {
		return err
	}
	if err := p.enter(fmt.Sprintf("%d blobs are there and were checked", p.result.Moved.Blobs), nil); err != nil {
		return err
	}
	return p.closeS3(ctx, s)
}

// prepareBucket finds out what the bucket offers, and makes it if asked to.
func (p *pushing) prepareBucket(ctx context.Context, s *s3.Client, lock s3.Lock) error {
	err := p.options.Retry.Do(ctx, p.to.String(), func() error {
		_, err := s.List(ctx, "amber-is-not-there/", 1)
		if e := (*s3.Error)(nil); errors.As(err, &e) && e.Code == "NoSuchBucket" && p.c.Bool("make-bucket") {
			return s.MakeBucket(ctx, true)
		}
		return err
	})
	if err != nil {
		return err
	}
	offers, by, err := s.Offers(ctx)
	switch {
	case err != nil && lock != (s3.Lock{}):
		return err
	case err != nil: // to ask may not be allowed, and is not needed
	case !offers && lock != (s3.Lock{}):
		return fmt.Errorf("%s offers no object lock, which --retain and --legal-hold need: a bucket has it from when it is made (--make-bucket)", p.to)
	case lock != (s3.Lock{}):
		p.result.Lock = lock.String()
	case by != "":
		p.result.Lock = "the bucket's own, " + by
	case offers:
		p.result.Lock = "none asked for; the bucket offers it (--retain)"
	}
	return nil
}

// closeS3 puts the custody log and then the inventory: from then on all is
// there.
func (p *pushing) closeS3(ctx context.Context, s *s3.Client) error {
	text, log, err := p.inventory(p.bundles)
	if err != nil {
		return err
	}
	blobs := []remote.Blob{remote.DataBlob(log)}
	if !p.whole {
		info := filepath.Join(p.cs.Dir(), "case.json")
		data, err := os.ReadFile(info)
		if err != nil {
			return err
		}
		blobs = append(blobs, remote.DataBlob(data))
	}
	if err := p.upload(ctx, s, blobs); err != nil {
		return err
	}
	p.result.Inventory = inventoryName(*p.result.Custody, text)
	return p.options.Retry.Do(ctx, p.result.Inventory, func() error { return s.Document(ctx, p.result.Inventory, text) })
}

// plan says what would be sent, and which rights that needs.
func (p *pushing) plan(asJSON bool) error {
	lock, err := lockWanted(p.c, time.Now())
	if err != nil {
		return err
	}
	files := len(p.tree.Files)
	for _, b := range p.bundles {
		files += b.Files
	}
	rights := []string{"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts"}
	if lock.Mode != "" {
		rights = append(rights, "s3:PutObjectRetention", "s3:GetBucketObjectLockConfiguration")
	}
	if lock.Hold {
		rights = append(rights, "s3:PutObjectLegalHold")
	}
	if p.c.Bool("make-bucket") {
		rights = append(rights, "s3:CreateBucket", "s3:PutBucketObjectLockConfiguration")
	}
	if p.to.Kind == remote.OCI {
		rights = []string{"pull and push on the repository " + p.to.Name}
	}
	if asJSON {
		return emit(os.Stdout, map[string]any{"address": p.to.String(), "files": files, "bytes": p.size(), "bundles": p.bundles, "whole": p.whole, "rights": rights, "object_lock": lock.String()})
	}
	fmt.Printf("plan for %s; nothing is sent now\n", safetext.Line(p.to.String()))
	fmt.Printf("  send     at most %d files, %s, of %s\n", files, size(p.size()), countText(len(p.bundles), "bundle"))
	fmt.Printf("  lock     %s\n", lock)
	fmt.Printf("  log      an entry for each bundle in the custody log, which is sent too\n  rights   %s\n", joinWords(rights))
	return nil
}

func joinWords(list []string) string {
	var b bytes.Buffer
	for i, s := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s)
	}
	return b.String()
}
