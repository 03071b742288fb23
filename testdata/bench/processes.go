package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	heldBytes = 2 << 30
	heldRuns  = 3
	heldMost  = 1 / 0.7 // 70 % of what dd and zstd reach
)

// holdMemory is the process whose memory is taken: it fills two GiB with what
// standard input gives, writes to standard output where they lie, and waits.
func holdMemory() error {
	b, err := unix.Mmap(-1, 0, heldBytes+1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	at := int(-addressOf(b) & (1<<20 - 1)) // dd skips whole MiB
	if _, err := io.ReadFull(os.Stdin, b[at:at+heldBytes]); err != nil {
		return err
	}
	fmt.Println(addressOf(b) + uintptr(at))
	for {
		time.Sleep(time.Hour)
	}
}

// startHeld runs holdMemory in a container, filled with files of this machine,
// and gives its pid and the address.
func (b *bench) startHeld() (pid int, address uint64, err error) {
	r, err := b.bed.Start("held", "mkfifo /in; : >/ready; while ! [ -x /hold ]; do sleep 0.1; done; exec /hold -hold </in >/where")
	if err != nil {
		return 0, 0, err
	}
	b.containers["held"] = r
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	if err := await(b, func() bool { _, err := os.Stat(root(r) + "/ready"); return err == nil }); err != nil {
		return 0, 0, err
	}
	if err := copyProgram(self, root(r)+"/hold.new"); err != nil {
		return 0, 0, err
	}
	if err := os.Rename(root(r)+"/hold.new", root(r)+"/hold"); err != nil {
		return 0, 0, err
	}
	return b.fillHeld(root(r), r.PID)
}

func (b *bench) fillHeld(root string, pid int) (int, uint64, error) {
	in, err := os.OpenFile(root+"/in", os.O_WRONLY, 0)
	if err != nil {
		return 0, 0, err
	}
	defer in.Close()
	from, err := newCorpusReader()
	if err != nil {
		return 0, 0, err
	}
	defer from.close()
	if _, err := io.CopyN(in, from, heldBytes); err != nil {
		return 0, 0, fmt.Errorf("filling %d bytes: %w", int64(heldBytes), err)
	}
	var address uint64
	err = await(b, func() bool {
		text, _ := os.ReadFile(root + "/where")
		address, _ = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		return address != 0
	})
	return pid, address, err
}

// await waits for what another process does.
func await(b *bench, done func() bool) error {
	for begun := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 2*time.Minute {
			return errors.New("a process does not get ready")
		}
		if err := b.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// processes is the memory of a process of 2 GiB beside dd and zstd, and a
// search through it.
func (b *bench) processes() error {
	pid, address, err := b.startHeld()
	if err != nil {
		return err
	}
	b.table.head("10. memory of a process of 2 GiB, beside dd if=/proc/PID/mem | zstd -1 -T0")
	var ours, theirs, cpu, theirCPU []time.Duration
	var peak int64
	var last collected
	for range heldRuns {
		if err := shrink(); err != nil {
			return err
		}
		c, err := b.collect("held", "collect")
		if err != nil {
			return err
		}
		if last.bundle.Case != "" {
			err = os.RemoveAll(last.bundle.Case)
		}
		last, peak = c, max(peak, c.Peak)
		ours, cpu = append(ours, c.step("memory")), append(cpu, c.cpu())
		d, err2 := b.run(b.command("sh", "-c", fmt.Sprintf("dd if=/proc/%d/mem bs=1M skip=%d count=%d status=none | zstd -q -1 -T0 -f -o %s",
			pid, address>>20, heldBytes>>20, b.path("dd.zst"))))
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		theirs, theirCPU = append(theirs, d.Wall), append(theirCPU, d.cpu())
	}
	b.table.beside("read, hashed, compressed, stored", median(ours), median(theirs), heldMost)
	b.table.other("processor time (amber: the whole collection, verified)", text(median(cpu)), text(median(theirCPU)))
	b.table.other("rate", rate(heldBytes, median(ours)), rate(heldBytes, median(theirs)))
	b.peak("peak", peak)
	return b.searchHeld(last)
}

// searchHeld looks for what is nowhere.
func (b *bench) searchHeld(c collected) error {
	defer os.RemoveAll(c.bundle.Case)
	for _, pattern := range []string{"amber bench: this is nowhere", "/amber bench: this is n[o]where/"} {
		s, err := b.run(b.amber("evidence", "search", "--output", "json", "--case", c.bundle.Case, filepath.Base(c.Dir), pattern))
		if err != nil {
			return err
		}
		var found struct{ Total, Bytes int64 }
		if err := json.Unmarshal(s.Out, &found); err != nil || found.Bytes < heldBytes {
			return fmt.Errorf("search went through %d bytes: %w", found.Bytes, err)
		}
		perCore := time.Duration(int64(s.cpu()) / 2)
		b.table.line("search for "+pattern[:6]+"…", rate(found.Bytes, s.Wall)+" ("+rate(found.Bytes, perCore)+" by processor time on two cores)", "1000 MB/s")
	}
	return nil
}
