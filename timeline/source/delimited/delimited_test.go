package delimited

import (
	"fmt"
	"slices"
	"testing"

	"amber/timeline/source/jsonscan"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                               nil,
		"  a  b ":                        {"a", "b"},
		`a [x y] "q r" -`:                {"a", "x y", "q r", "-"},
		`"GET /?a="b"c HTTP/1.1" 200`:    {`GET /?a="b"c HTTP/1.1`, "200"},
		`"no end`:                        {"no end"},
		`[2001:db8::1]:443 "x] y"`:       {"[2001:db8::1]:443", "x] y"},
		`"" ""`:                          {"", ""},
		`[06/Feb/2019:00:00:38 +0000] "`: {"06/Feb/2019:00:00:38 +0000", ""},
	} {
		var got []string
		for _, f := range Split(nil, []byte(line)) {
			got = append(got, string(f))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestInt(t *testing.T) {
	for text, want := range map[string]string{"0": "0 true", "-7": "-7 true", "": "0 false", "-": "0 false", "1x": "0 false", "9999999999999999999": "0 false"} {
		n, ok := jsonscan.ParseInt([]byte(text))
		if !ok {
			n = 0
		}
		if got := fmt.Sprint(n, " ", ok); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte(`a [x y] "q "r" s" -`))
	f.Fuzz(func(t *testing.T, line []byte) {
		n := 0
		for _, field := range Split(nil, line) {
			n += len(field)
		}
		if n > len(line) {
			t.Errorf("%d bytes of %d", n, len(line))
		}
	})
}
