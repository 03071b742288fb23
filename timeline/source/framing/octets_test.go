package framing

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"amber/timeline"
)

// framed is what Counted gives of a text: records with their places, and
// reasons.
func framed(t *testing.T, text string) (all []string) {
	t.Helper()
	for rec, err := range Counted(t.Context(), strings.NewReader(text)) {
		told := (*timeline.RejectError)(nil)
		switch {
		case errors.As(err, &told):
			all = append(all, string(told.Reason)+fmt.Sprint(told.Range))
		case err != nil:
			t.Fatal(err)
		default:
			got := text[rec.Range.Offset:][:rec.Range.Length]
			if strings.TrimRight(got, "\n") != string(rec.Data) {
				t.Errorf("%q lies at %v of %q", rec.Data, rec.Range, text)
			}
			all = append(all, string(rec.Data))
		}
	}
	return all
}

func TestCounted(t *testing.T) {
	for text, want := range map[string]string{
		"6 <1>abc7 <2>defg":           "<1>abc|<2>defg",
		"6 <1>abc\n7 <2>defg\n":       "<1>abc|<2>defg",
		"8 <1>a\nb\nc7 <2>defg":       "<1>a\nb\nc|<2>defg",
		"7 <1>abc\n7 <2>defg":         "<1>abc|<2>defg",
		"6 <1>abc\n<3>a line\n":       "<1>abc|<3>a line",
		"6 <1>abc<3>a line\n5 <1>ab":  "<1>abc|<3>a line|<1>ab",
		"5 <1>abc\n7 <2>defg":         "<1>abc|<2>defg", // the length is wrong
		"6 <1>abc99 <2>defg":          "<1>abc|truncated{8 10}",
		"<1>abc\n99999 <2>x\n<3>y":    "<1>abc|99999 <2>x|<3>y", // no such file
		"06 <1>abc\n":                 "06 <1>abc",
		"6 x\n":                       "6 x",
		"6 <1>abc99999999 <2>x\n<3>y": "<1>abc|oversize{8 13}|<3>y",
		"":                            "",
	} {
		if got := strings.Join(framed(t, text), "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzCounted(f *testing.F) {
	f.Add("6 <1>abc7 <2>defg")
	f.Add("5 <1>abc\n7 <2>defg")
	f.Fuzz(func(t *testing.T, text string) { framed(t, text) })
}
