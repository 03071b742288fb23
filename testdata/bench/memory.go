package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"amber/testdata/testbed"
)

const (
	entries    = 1_000_000
	sparseSize = 50 << 30
	peakLimit  = 200 << 20
)

// memory is amber's peak on what is large in each way, spooled and streamed.
func (b *bench) memory() error {
	if err := b.startFull(); err != nil {
		return err
	}
	if err := b.sparse(); err != nil {
		return fmt.Errorf("making the sparse file: %w", err)
	}
	if err := b.many(); err != nil {
		return fmt.Errorf("making the directory: %w", err)
	}
	b.table.head("5. peak memory of amber collect (maximum resident set)")
	for _, m := range []struct {
		what, id string
		flags    []string
	}{
		{"1 GiB with --full", "big", []string{"--full"}},
		{"a sparse file of 50 GiB with 3,200 extents", "sparse", nil},
		{"a directory of 1,000,000 entries", "many", nil},
	} {
		if err := shrink(); err != nil {
			return err
		}
		verb := append([]string{"collect"}, m.flags...)
		c, err := b.collect(m.id, verb...)
		if err != nil {
			return err
		}
		if err := c.remove(); err != nil {
			return err
		}
		b.peak(fmt.Sprintf("%s, %s", m.what, text(c.Wall)), c.Peak)
		s, err := b.streamOnly(m.id, verb)
		if err != nil {
			return err
		}
		b.peak(fmt.Sprintf("%s, streamed, %s", m.what, text(s.Wall)), s.Peak)
	}
	b.notes = append(b.notes, "memory: one run each; this program's own peak of "+mib(ownPeak())+" is the least that can be seen")
	return nil
}

func (b *bench) streamOnly(id string, verb []string) (spent, error) {
	cmd, null, err := toNull(b.amber(append(verb, "--to", "-", "--case", b.newCase(), b.target(id))...))
	if err != nil {
		return spent{}, err
	}
	defer null.Close()
	return b.run(cmd)
}

func (b *bench) peak(what string, n int64) {
	b.table.line(what, mib(n), "< 200 MiB, "+met(n < peakLimit))
}

// sparse makes a file of 50 GiB with 4 KiB of data every 16 MiB.
func (b *bench) sparse() error {
	r, err := b.container("sparse", testbed.BusyboxImage)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(root(r), "sparse"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(sparseSize); err != nil {
		return err
	}
	data := make([]byte, 4<<10)
	if err := fill(data); err != nil {
		return err
	}
	for at := int64(0); at < sparseSize; at += 16 << 20 {
		if _, err := f.WriteAt(data, at); err != nil {
			return err
		}
	}
	return nil
}

// many makes a directory of a million empty files.
func (b *bench) many() error {
	r, err := b.container("many", testbed.BusyboxImage)
	if err != nil {
		return err
	}
	path := filepath.Join(root(r), "many")
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	dir, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	for i := range entries {
		if err := unix.Mknodat(dir, fmt.Sprintf("entry-%07d", i), unix.S_IFREG|0o644, 0); err != nil {
			return err
		}
		if i%1000 == 0 && b.ctx.Err() != nil {
			return b.ctx.Err()
		}
	}
	return nil
}
