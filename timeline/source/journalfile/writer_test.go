package journalfile

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// writer lays out a journal's file as journald does, but for the hash tables and
// the arrays of entries, which are for searching.
type writer struct {
	b       []byte
	compact bool
	data    map[string]int64
	n       uint64
}

func newWriter(compact bool, state byte) *writer {
	w := &writer{b: make([]byte, 272), compact: compact, data: map[string]int64{}}
	copy(w.b, signature)
	flags := uint32(4 | 8)
	if compact {
		flags |= compactFlag
	}
	binary.LittleEndian.PutUint32(w.b[12:], flags)
	w.b[16] = state
	copy(w.b[24:], "file id of 16 by")
	copy(w.b[40:], "machine's 16 byt")
	copy(w.b[72:], "seqnum id of 16b")
	binary.LittleEndian.PutUint64(w.b[88:], 272)
	w.object(5, 0, make([]byte, 16*8)) // a hash table of fields
	return w
}

// object appends one and gives its place.
func (w *writer) object(kind, flags byte, body []byte) int64 {
	at := int64(len(w.b))
	w.b = append(w.b, kind, flags, 0, 0, 0, 0, 0, 0)
	w.b = binary.LittleEndian.AppendUint64(w.b, uint64(16+len(body)))
	w.b = append(w.b, body...)
	for len(w.b)%8 != 0 {
		w.b = append(w.b, 0)
	}
	return at
}

// field appends a field unless it is there.
func (w *writer) field(flags byte, stored string) int64 {
	key := string(flags) + stored
	if at, ok := w.data[key]; ok {
		return at
	}
	head := 48
	if w.compact {
		head += 8
	}
	at := w.object(dataObject, flags, append(make([]byte, head), stored...))
	w.data[key] = at
	return at
}

// entry appends an entry of fields that are in the file.
func (w *writer) entry(micros uint64, fields ...int64) int64 {
	le := binary.LittleEndian
	w.n++
	body := le.AppendUint64(nil, w.n)
	body = le.AppendUint64(body, micros)
	body = le.AppendUint64(body, w.n*1000)
	body = append(body, "boot id, 16 byte"...)
	body = le.AppendUint64(body, 0xfeed+w.n)
	for _, at := range fields {
		if w.compact {
			body = le.AppendUint32(body, uint32(at))
		} else {
			body = le.AppendUint64(le.AppendUint64(body, uint64(at)), 0)
		}
	}
	return w.object(entryObject, 0, body)
}

// add appends an entry of plain fields.
func (w *writer) add(micros uint64, fields ...string) int64 {
	var at []int64
	for _, f := range fields {
		at = append(at, w.field(0, f))
	}
	return w.entry(micros, at...)
}

// file gives the whole, with room behind it that nothing is written to yet.
func (w *writer) file() []byte {
	binary.LittleEndian.PutUint64(w.b[152:], w.n)
	whole := append(append([]byte{}, w.b...), make([]byte, 1000)...)
	binary.LittleEndian.PutUint64(whole[96:], uint64(len(whole)-272))
	return whole
}

func zstded(t testing.TB, plain string) string {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(z.EncodeAll([]byte(plain), nil))
}

func lz4ed(t testing.TB, plain string) string {
	to := make([]byte, lz4.CompressBlockBound(len(plain)))
	n, err := lz4.CompressBlock([]byte(plain), to, nil)
	if err != nil || n == 0 {
		t.Fatalf("%d, %v", n, err)
	}
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(plain)))) + string(to[:n])
}

func xzed(t testing.TB, plain string) string {
	var b strings.Builder
	w, err := xz.WriterConfig{NoCheckSum: true}.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// journal is a file with all that the format has: what several entries share,
// compression of each kind, binary values, a field twice, what is no field.
func journal(t testing.TB, compact bool) *writer {
	w := newWriter(compact, 0)
	const start = 1795352701000000
	shared := []string{"_BOOT_ID=626f6f742069642c2031362062797465", "_MACHINE_ID=fedcba9876543210fedcba9876543210", "_HOSTNAME=node-1", "_TRANSPORT=syslog", "PRIORITY=6", "SYSLOG_FACILITY=4"}
	sshd := []string{"SYSLOG_IDENTIFIER=sshd", "_PID=4711", "_UID=0", "_GID=0", "_COMM=sshd", "_EXE=/usr/sbin/sshd", "_CMDLINE=sshd: root [priv]", "_SYSTEMD_UNIT=ssh.service", "_SYSTEMD_CGROUP=/system.slice/ssh.service", "_CAP_EFFECTIVE=1ffffffffff", "_SOURCE_REALTIME_TIMESTAMP=1795352700999993"}
	add := func(i uint64, more ...string) {
		w.add(start+i*1000000, append(append([]string{}, shared...), more...)...)
	}
	add(0, append(sshd, "MESSAGE=Failed password for invalid user admin from 203.0.113.9 port 40022 ssh2")...)
	add(1, append(sshd, "MESSAGE=Accepted publickey for root from 203.0.113.9 port 40023 ssh2: ED25519 SHA256:AbCd", "_AUDIT_LOGINUID=0", "_AUDIT_SESSION=7")...)
	add(2, "SYSLOG_IDENTIFIER=sudo", "_COMM=sudo", "_PID=4720", "_AUDIT_LOGINUID=1000", "MESSAGE=mallory : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/bin/sh -c id")
	add(3, "SYSLOG_IDENTIFIER=sshd", "_COMM=logger", "_PID=4721", "MESSAGE=Accepted password for root from 198.51.100.1 port 1 ssh2")
	add(4, "SYSLOG_IDENTIFIER=app", "_PID=4722", "MESSAGE=two\nlines with \x1b[31mcolour\x00", "CODE_FILE=a.c", "N_RESTARTS=1", "TAG=one", "TAG=two")
	add(5, "SYSLOG_IDENTIFIER=dockerd", "CONTAINER_ID_FULL=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "CONTAINER_NAME=web", "IMAGE_NAME=registry.example/shop/web:1", "CONTAINER_PARTIAL_MESSAGE=true", "MESSAGE=")
	long := strings.Repeat("a long line that is worth its compression; ", 30)
	w.entry(start+6000000, w.field(0, "SYSLOG_IDENTIFIER=app"), w.field(byZstd, zstded(t, "MESSAGE="+long+"zstd")), w.field(byLZ4, lz4ed(t, "DETAIL="+long+"lz4")))
	w.entry(start+7000000, w.field(0, "SYSLOG_IDENTIFIER=systemd-coredump"), w.field(0, "COREDUMP_EXE=/tmp/.x"), w.field(0, "MESSAGE=Process 99 (x) of user 0 dumped core."), w.field(byXZ, "\xfd7zXZ\x00\x00"))
	w.entry(start+8000000, w.field(0, "SYSLOG_IDENTIFIER=app"), w.field(byXZ, xzed(t, "MESSAGE="+long+"xz")))
	return w
}
