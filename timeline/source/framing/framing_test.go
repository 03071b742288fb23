package framing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"amber/timeline"
)

// told is what a framing yields, as lines.
func told(t testing.TB, text []byte, records iter.Seq2[timeline.Record, error]) (out []string) {
	t.Helper()
	for rec, err := range records {
		var reject *timeline.RejectError
		if errors.As(err, &reject) {
			out = append(out, fmt.Sprintf("!%s@%d+%d", reject.Reason, reject.Range.Offset, reject.Range.Length))
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		at := rec.Range
		if !bytes.Equal(text[at.Offset:at.Offset+at.Length], rec.Data) {
			t.Fatalf("the range %+v holds %q, not %q", at, text[at.Offset:at.Offset+at.Length], rec.Data)
		}
		line := string(rec.Data)
		if rec.Kind > 0 {
			line = fmt.Sprintf("%d%s:%s", rec.Kind, rec.Group, line)
		}
		out = append(out, line)
	}
	return out
}

func batches() JSON { return JSON{Members: []string{"items", "logEvents"}} }

func TestJSON(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":          {"", nil},
		"lines":            {"{\"a\":1}\n{\"b\":2}\r\n\n{\"c\":3}", []string{`{"a":1}`, `{"b":2}`, `{"c":3}`}},
		"mark":             {"\xef\xbb\xbf{\"a\":1}\n", []string{`{"a":1}`}},
		"bad line":         {"{\"a\":1}\n{\"b\":\n{\"c\":3}\n", []string{`{"a":1}`, "!truncated@8+5", `{"c":3}`}},
		"cut head":         {"\"x\":1}\n{\"c\":3}\n", []string{`"x":1}`, `{"c":3}`}},
		"cut brace":        {"{\"x\":\n{\"c\":3}\n", []string{"!truncated@0+5", `{"c":3}`}},
		"prefix":           {"2026-11-22T01:57:55Z {\"a\":1}\n", []string{`2026-11-22T01:57:55Z {"a":1}`}},
		"behind":           {`{"a":1}{"b":"}"}  {"c":"\""}`, []string{`{"a":1}`, `{"b":"}"}`, `{"c":"\""}`}},
		"pretty":           {"{\n  \"a\": {\n  \"x\": []}\n}\n{\n  \"b\": 2\n}\n", []string{"{\n  \"a\": {\n  \"x\": []}\n}", "{\n  \"b\": 2\n}"}},
		"array":            {`[{"a":1}, {"b":[2]},3,"x"]`, []string{`{"a":1}`, `{"b":[2]}`, `3`, `"x"`}},
		"member":           {`{"kind":"List","items":[{"a":1},{"b":2}],"x":[1]}`, []string{`1{"kind":"List"}:{"a":1}`, `1{"kind":"List"}:{"b":2}`}},
		"member first":     {"{ \"items\" : [ ] }", nil},
		"element a line":   {"{\"items\":[\n{\"a\":1},\n{\"b\":2}\n]}\n", []string{`1{}:{"a":1}`, `1{}:{"b":2}`}},
		"two members":      {`{"a":"b", "items":[1],"logEvents":[2]}`, []string{`1{"a":"b"}:1`, `2{"a":"b"}:2`}},
		"member lines":     {"{\"items\":[{\"a\":1}]}\n{\"b\":2}\n", []string{`1{}:{"a":1}`, `{"b":2}`}},
		"members of array": {`[{"items":[1]},{"items":[2]}]`, []string{`1{}:1`, `1{}:2`}},
		"not a member":     {`{"a":{"items":[1]},"items":{"x":[2]}}`, []string{`{"a":{"items":[1]},"items":{"x":[2]}}`}},
		"name in text":     {`{"a":"items","b":[1]}`, []string{`{"a":"items","b":[1]}`}},
		"cut array":        {`[{"a":1},{"b":`, []string{`{"a":1}`, "!truncated@9+5"}},
		"cut member":       {`{"items":[{"a":1}`, []string{`1{}:{"a":1}`, "!truncated@17+0"}},
		"cut object":       {`{"items":[{"a":1}]`, []string{`1{}:{"a":1}`, "!truncated@18+0"}},
		"broken":           {"[{\"a\":\"\n{\"b\":2}\n", []string{"!bad syntax@1+6", `{"b":2}`}},
		"stray":            {"{\"a\":1}}\n{\"b\":2}{", []string{`{"a":1}`, "!bad syntax@7+1", `{"b":2}`, "!truncated@16+1"}},
		"utf-16":           {"\xff\xfe{\x00}\x00", []string{"!not text@0+0"}},
	} {
		got := told(t, []byte(c.text), batches().Records(t.Context(), strings.NewReader(c.text)))
		slow := told(t, []byte(c.text), batches().Records(t.Context(), iotest.OneByteReader(strings.NewReader(c.text))))
		if !slices.Equal(got, slow) {
			t.Errorf("%s: at once %q, byte by byte %q", name, got, slow)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDeep(t *testing.T) {
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	text := "[\n" + deep + ",\n{\"a\":1}]"
	got := told(t, []byte(text), batches().Records(t.Context(), strings.NewReader(text)))
	if want := []string{"!too deep@2+10000", `{"a":1}`}; !slices.Equal(got, want) {
		t.Errorf("%.100q, want %q", got, want)
	}
}

// long gives a head, n bytes of filling, and a tail.
func long(head string, n int64, tail string) io.Reader {
	return io.MultiReader(strings.NewReader(head), io.LimitReader(filling{}, n), strings.NewReader(tail))
}

type filling struct{}

func (filling) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestOversize(t *testing.T) {
	const n = 3 * MaxRecord
	for name, c := range map[string]struct {
		head, tail string
		want       []string
	}{
		"line":    {"{\"a\":1}\n{\"b\":\"", "\"}\n{\"c\":3}\n", []string{`{"a":1}`, fmt.Sprintf("!oversize@8+%d", n+8), `{"c":3}`}},
		"element": {`[{"a":1},{"b":"`, `"},{"c":3}]`, []string{`{"a":1}`, fmt.Sprintf("!oversize@9+%d", n+8), `{"c":3}`}},
		"tail":    {`{"items":[{"a":1}],"b":"`, `"}{"c":3}`, []string{`{"a":1}`, `{"c":3}`}},
	} {
		var got []string
		for rec, err := range batches().Records(t.Context(), long(c.head, n, c.tail)) {
			var reject *timeline.RejectError
			if errors.As(err, &reject) {
				got = append(got, fmt.Sprintf("!%s@%d+%d", reject.Reason, reject.Range.Offset, reject.Range.Length))
			} else {
				got = append(got, string(rec.Data))
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %.200q, want %q", name, got, c.want)
		}
	}
}

func TestBreakAndCancel(t *testing.T) {
	text := strings.Repeat("{\"a\":1}\n", 5000)
	for _, s := range []string{text, "[" + strings.ReplaceAll(text, "}\n", "},\n") + "1]", `{"items":[` + strings.ReplaceAll(text, "}\n", "},") + `1]}`} {
		n := 0
		for range batches().Records(t.Context(), strings.NewReader(s)) {
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			t.Errorf("%d records", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var last error
		for _, err := range batches().Records(ctx, strings.NewReader(s)) {
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("cancelled: %v", last)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{"{\"a\":1}\n{}\n", `[{"a":"\\"},2]`, `{"items":[{"a":1}],"logEvents":[]}`, "{\n\"a\":\n1}\n", "[\"\n", `{"a":{}}}`, "\ufeff{}", `[[[]]]`, `{"items":[1`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := told(t, text, batches().Records(t.Context(), bytes.NewReader(text)))
		if slow := told(t, text, batches().Records(t.Context(), iotest.HalfReader(bytes.NewReader(text)))); !slices.Equal(got, slow) {
			t.Errorf("at once %q, in pieces %q", got, slow)
		}
		var all []json.RawMessage
		if json.Unmarshal(text, &all) == nil && !bytes.Contains(text, []byte("items")) && !bytes.Contains(text, []byte("logEvents")) && len(got) != len(all) && !bytes.Contains(text, []byte(`\u`)) && text[0] != 'n' && bytes.TrimSpace(text)[0] == '[' {
			t.Errorf("%q: %d records, the standard library has %d", text, len(got), len(all))
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nc"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := told(t, text, Lines(t.Context(), bytes.NewReader(text)))
		if IsUTF16(text) || bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
			return
		}
		want := bytes.Count(text, []byte("\n"))
		if len(text) > 0 && text[len(text)-1] != '\n' {
			want++
		}
		if len(got) != want {
			t.Errorf("%d lines, want %d", len(got), want)
		}
	})
}
