package record

import (
	"encoding/json"
	"testing"
)

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "\xff", "a\x00b", "<&>\u2028", "{\"base64\":\"\"}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := json.Marshal(Text(s))
		if err != nil {
			t.Fatal(err)
		}
		var back Text
		if err := json.Unmarshal(b, &back); err != nil || string(back) != s {
			t.Errorf("%q as %s came back as %q, %v", s, b, back, err)
		}
	})
}

func TestTextRefusesOtherShapes(t *testing.T) {
	for _, s := range []string{`1`, `{}`, `{"base64":1}`, `["a"]`, `{"base64":"!"}`} {
		var got Text
		if err := json.Unmarshal([]byte(s), &got); err == nil {
			t.Errorf("%s gives %q", s, got)
		}
	}
}
