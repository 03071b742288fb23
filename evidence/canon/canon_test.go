package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

func TestMarshal(t *testing.T) {
	tests := []struct {
		name string
		in   any
		want string
	}{
		{"sorted", map[string]any{"b": 1, "a": "x", "c": []any{true, false, nil}}, `{"a":"x","b":1,"c":[true,false,null]}`},
		{"struct order", struct {
			Z int    `json:"z"`
			A string `json:"a"`
		}{1, "q"}, `{"a":"q","z":1}`},
		{"nested", map[string]any{"o": map[string]int{"2": 2, "10": 10}, "e": map[string]int{}, "l": []int{}}, `{"e":{},"l":[],"o":{"10":10,"2":2}}`},
		{"html is plain", "<a>&\u2028\u2029", "\"<a>&\u2028\u2029\""},
		{"escapes", "\x00\x01\b\t\n\v\f\r\x1f\"\\/\x7f", `"\u0000\u0001\b\t\n\u000b\f\r\u001f\"\\/` + "\x7f\""},
		{"replacement character", "\ufffd", "\"\ufffd\""},
		{"text that looks like an escape", `\ufffd`, `"\\ufffd"`},
		{"raw message", json.RawMessage(`{"b" : 1, "a":"\u00e9\ud83d\ude02"}`), `{"a":"é😂","b":1}`},
		{"widest", []int64{MaxInt, -MaxInt, 0}, `[9007199254740991,-9007199254740991,0]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Marshal(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
			if err := Check(got); err != nil {
				t.Fatalf("Check refuses what Marshal wrote: %v", err)
			}
		})
	}
}

// TestKeyOrder takes the keys of RFC 8785 section 3.2.3.
func TestKeyOrder(t *testing.T) {
	in := map[string]string{
		"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
		"1": "One", "\U0001f600": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis",
	}
	got, err := Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"\r":"Carriage Return","1":"One","` + "\u0080" + `":"Control","ö":"Latin Small Letter O With Diaeresis",` +
		`"€":"Euro Sign","😀":"Emoji: Grinning Face","` + "\ufb33" + `":"Hebrew Letter Dalet With Dagesh"}`
	if string(got) != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestMarshalRefuses(t *testing.T) {
	tests := []struct {
		name string
		in   any
		want string
	}{
		{"fraction", 1.5, "not an integer"},
		{"exponent", 1e30, "not an integer"},
		{"wide", uint64(math.MaxUint64), "not an integer"},
		{"one too wide", MaxInt + 1, "not an integer"},
		{"invalid UTF-8", "a\xffb", "not valid UTF-8"},
		{"invalid UTF-8 in a key", map[string]int{"\xc3": 1}, "not valid UTF-8"},
		{"duplicate in raw", json.RawMessage(`{"a":1,"a":2}`), "twice"},
		{"not JSON", make(chan int), "unsupported type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := Marshal(tt.in)
			if err == nil {
				t.Fatalf("gave %s", out)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %q does not say %q", err, tt.want)
			}
		})
	}
	if _, err := Marshal("\xff"); !errors.Is(err, ErrUTF8) {
		t.Fatalf("%v is not ErrUTF8", err)
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, line := range []string{
		``, ` `, `{`, `}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `[`, `[1 2]`, `nul`, `nulll`, `True`,
		`{"b":1,"a":2}`, `{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"a": 1}`, ` {}`, "{}\n", `{} {}`, `{}x`,
		`"\/"`, `"\u0041"`, `"\u001F"`, `"\u000a"`, `"\ud83d\ude02"`, `"\ud83d"`, `"\udc00\ud800"`, `"\x"`, `"\u12"`, `"\u12g4"`, `"a`, `"\`,
		"\"\n\"", "\"\xff\"", "\"a\\n\xff\"", `"\ufffd"`, "\"\xed\xa0\x80\"",
		`1.0`, `1e3`, `-0`, `01`, `+1`, `-`, `9007199254740992`, `99999999999999999999`, `.5`,
		strings.Repeat("[", 65) + strings.Repeat("]", 65),
	} {
		if err := Check([]byte(line)); err == nil {
			t.Errorf("%q passes", line)
		}
	}
}

func TestNoEquivalentBitFlip(t *testing.T) {
	line, err := Marshal(map[string]any{"name": "a\n\"é😂", "n": -12, "list": []any{"x", map[string]bool{"t": true}}})
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(line, &want); err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(want)
	for i := range len(line) * 8 {
		flipped := bytes.Clone(line)
		flipped[i/8] ^= 1 << (i % 8)
		if Check(flipped) != nil {
			continue
		}
		var got any
		if err := json.Unmarshal(flipped, &got); err != nil {
			t.Fatalf("bit %d: Check passes what encoding/json refuses: %v", i, err)
		}
		if after, _ := json.Marshal(got); bytes.Equal(before, after) {
			t.Fatalf("bit %d: two canonical forms of one value", i)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[true,null,"x"]}`, `"\u0000\b"`, `[-1,0]`, `{"\ud83d\ude02":""}`, "{\"\ufb33\":1,\"😀\":2}", `1e5`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if Check(line) != nil {
			return
		}
		var v any
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", line, err)
		}
		again, err := Marshal(v)
		if err != nil {
			t.Fatalf("Marshal refuses %q: %v", line, err)
		}
		if !bytes.Equal(again, line) {
			t.Fatalf("%q canonical, yet written as %q", line, again)
		}
	})
}

func FuzzCompareUTF16(f *testing.F) {
	f.Add("\ufb33", "\U0001f600")
	f.Add("a", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		want := slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		if got := compareUTF16([]byte(a), []byte(b)); got < 0 != (want < 0) || got > 0 != (want > 0) {
			t.Fatalf("compare(%q, %q) = %d, want %d", a, b, got, want)
		}
	})
}

func BenchmarkMarshal(b *testing.B) {
	line := map[string]any{"path": "filesystem/upper/usr/lib/x86_64-linux-gnu/libc.so.6", "size": 123456, "mode": 420, "uid": 0, "gid": 0, "sha256": strings.Repeat("ab", 32), "notes": []string{"a", "b"}}
	for b.Loop() {
		if _, err := Marshal(line); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	line, err := Marshal(map[string]any{"path": "filesystem/upper/usr/lib/x86_64-linux-gnu/libc.so.6", "size": 123456, "mode": 420, "uid": 0, "gid": 0, "sha256": strings.Repeat("ab", 32), "notes": []string{"a", "b"}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := Check(line); err != nil {
			b.Fatal(err)
		}
	}
}
