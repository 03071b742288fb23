package framing

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"amber/timeline"
)

func gz(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zs(t testing.TB, plain []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(plain, nil)
}

// bz is "hello\n" by bzip2.
func bz(t testing.TB) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString("QlpoOTFBWSZTWcHAgOIAAAFBAAAQAkSgADDNAMNGKZcXckU4UJDBwIDi")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unpacked(t testing.TB, b []byte, limits Limits) (string, string, error) {
	t.Helper()
	s, err := Decompress(bytes.NewReader(b), limits)
	if err != nil {
		return "", "", err
	}
	defer s.Close()
	out, err := io.ReadAll(s)
	return string(out), s.Format, err
}

func TestDecompress(t *testing.T) {
	hello := []byte("hello\n")
	skippable := []byte{0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9}
	for name, c := range map[string]struct {
		data         []byte
		want, format string
	}{
		"plain":          {hello, "hello\n", ""},
		"nothing":        {nil, "", ""},
		"one byte":       {[]byte{0x1f}, "\x1f", ""},
		"gzip":           {gz(t, hello), "hello\n", "gzip"},
		"gzip members":   {append(gz(t, hello), gz(t, hello)...), "hello\nhello\n", "gzip"},
		"gzip padded":    {append(gz(t, hello), make([]byte, 1000)...), "hello\n", "gzip"},
		"gzip empty":     {gz(t, nil), "", "gzip"},
		"zstd":           {zs(t, hello), "hello\n", "zstd"},
		"zstd frames":    {append(append(zs(t, hello), skippable...), zs(t, hello)...), "hello\nhello\n", "zstd"},
		"zstd skippable": {append(skippable, zs(t, hello)...), "hello\n", "zstd"},
		"bzip2":          {bz(t), "hello\n", "bzip2"},
		"bzip2 streams":  {append(bz(t), bz(t)...), "hello\nhello\n", "bzip2"},
		"xz":             {xzed(t, hello), "hello\n", "xz"},
		"xz streams":     {append(append(xzed(t, hello), 0, 0, 0, 0), xzed(t, hello)...), "hello\nhello\n", "xz"},
		"xz empty":       {xzed(t, nil), "", "xz"},
		"BZh in text":    {[]byte("BZhello there"), "BZhello there", ""},
	} {
		got, format, err := unpacked(t, c.data, Limits{})
		if err != nil || got != c.want || format != c.format {
			t.Errorf("%s: %q by %q, %v", name, got, format, err)
		}
	}
}

func TestDecompressDamaged(t *testing.T) {
	hello := bytes.Repeat([]byte("hello\n"), 1000)
	flipped := gz(t, hello)
	flipped[len(flipped)-6] ^= 1 // of the checksum
	for name, c := range map[string]struct {
		data   []byte
		limits Limits
		want   timeline.Reason
	}{
		"cut gzip":      {gz(t, hello)[:40], Limits{}, timeline.Truncated},
		"cut member":    {append(gz(t, hello), gz(t, hello)[:5]...), Limits{}, timeline.Truncated},
		"cut zstd":      {zs(t, hello)[:20], Limits{}, timeline.Truncated},
		"cut bzip2":     {bz(t)[:20], Limits{}, timeline.Truncated},
		"checksum":      {flipped, Limits{}, timeline.Unreadable},
		"tail":          {append(gz(t, hello), "something else"...), Limits{}, timeline.Unreadable},
		"absolute bomb": {gz(t, hello), Limits{Plain: 5000}, timeline.Bomb},
		"bomb by ratio": {gz(t, make([]byte, 200<<20)), Limits{}, timeline.Bomb},
	} {
		got, _, err := unpacked(t, c.data, c.limits)
		var reject *timeline.RejectError
		if !errors.As(err, &reject) || reject.Reason != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if name == "tail" && got != string(hello) {
			t.Errorf("%s: only %d bytes", name, len(got))
		}
	}
}

func FuzzDecompress(f *testing.F) {
	f.Add(gz(f, []byte("hello")))
	f.Add(zs(f, []byte("hello")))
	f.Add(bz(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, err := unpacked(t, data, Limits{Plain: 1 << 20})
		var reject *timeline.RejectError
		if err != nil && !errors.As(err, &reject) {
			t.Errorf("an error that tells no reason: %v", err)
		}
	})
}
