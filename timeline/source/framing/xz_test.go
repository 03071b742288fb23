package framing

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"amber/timeline"
)

func xzed(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := xz.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hexes is text that compresses a little.
func hexes(n int) []byte {
	b, r := make([]byte, n), rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
		if i > 5000 && i%7 < 5 {
			b[i] = b[i-4999]
		}
	}
	return b
}

// What the xz program writes is read: each check, many blocks, no LZMA.
func TestXZProgram(t *testing.T) {
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("xz is not installed")
	}
	plain := hexes(1 << 20)
	for _, args := range []string{"", "-9", "-0", "--check=none", "--check=crc32", "--check=crc64", "--check=sha256", "-T2 --block-size=100000", "--block-size=65536"} {
		cmd := exec.Command("xz", append([]string{"-c"}, strings.Fields(args)...)...)
		cmd.Stdin = bytes.NewReader(plain)
		stored, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		got, format, err := unpacked(t, stored, Limits{})
		if err != nil || got != string(plain) || format != "xz" {
			t.Errorf("xz %s: %d bytes of %s, %v", args, len(got), format, err)
		}
		one, err := UnXZ(nil, stored, 2<<20)
		if several := strings.Contains(args, "block"); several == (err == nil) || !several && !bytes.Equal(one, plain) {
			t.Errorf("xz %s: %d bytes in one block, %v", args, len(one), err)
		}
	}
}

// What is cut or changed is told of, and never for a whole.
func TestXZDamaged(t *testing.T) {
	plain := hexes(20_000)
	good := xzed(t, plain)
	for n := 6; n < len(good); n += 97 {
		_, _, err := unpacked(t, good[:n], Limits{})
		told := (*timeline.RejectError)(nil)
		if !errors.As(err, &told) || told.Reason != timeline.Truncated {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	for at := 0; at < len(good)-28; at += 61 { // the index is not looked into
		b := bytes.Clone(good)
		b[at] ^= 0x10
		if got, format, err := unpacked(t, b, Limits{}); err == nil && format == "xz" {
			t.Errorf("a bit of byte %d makes no difference: %d bytes", at, len(got))
		}
		if got, err := UnXZ(nil, b, 1<<20); err == nil {
			t.Errorf("a bit of byte %d makes no difference to a field: %d bytes", at, len(got))
		}
	}
}

func TestXZSize(t *testing.T) {
	if _, err := UnXZ(nil, xzed(t, make([]byte, 1<<20)), 1<<20-1); !errors.Is(err, ErrXZSize) {
		t.Error(err)
	}
	// A head that asks for 4 GiB less one.
	if n, err := dictionary([]byte{0, 0x21, 1, 40}); n != 1<<32-1 || err != nil {
		t.Error(n, err)
	}
	if n, err := dictionary([]byte{0, 0x21, 1, 22}); n != 8<<20 || err != nil {
		t.Error(n, err)
	}
	for _, h := range [][]byte{{1, 0x21, 1, 8}, {0, 4, 0, 0}, {0, 0x21, 1, 41}, {0xc0, 1, 1}} {
		if _, err := dictionary(h); err == nil {
			t.Errorf("%x", h)
		}
	}
}

func FuzzXZ(f *testing.F) {
	f.Add(xzed(f, []byte("hello\n")))
	f.Add(xzed(f, hexes(5000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, _ = unpacked(t, append([]byte(xzMagic), data...), Limits{Plain: 1 << 20})
		if b, err := UnXZ(nil, data, 1<<20); err == nil && len(b) > 1<<20 {
			t.Errorf("%d bytes", len(b))
		}
	})
}
