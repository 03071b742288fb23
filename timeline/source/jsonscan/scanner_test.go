package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestErrors(t *testing.T) {
	for text, want := range map[string]error{
		`{"a":1}`: nil, ` [1, -0.5e+3, true,false ,null,"x"] `: nil, `"a\u00e4\ud83d\ude00\n"`: nil,
		`{"a":`: ErrTruncated, `{"a"`: ErrTruncated, `{`: ErrTruncated, `[1,`: ErrTruncated, `"abc`: ErrTruncated, `"\u12`: ErrTruncated, `tru`: ErrTruncated, `1.`: ErrTruncated, ``: ErrTruncated, `"abcdefghij\`: ErrTruncated,
		`{"a":1}x`: ErrSyntax, `{"a" 1}`: ErrSyntax, `{,}`: ErrSyntax, `[1,]`: ErrSyntax, `{"a":1,}`: ErrSyntax, `01`: ErrSyntax, `tRue`: ErrSyntax, "\"a\nb\"": ErrSyntax, `"\x"`: ErrSyntax, `[1 2]`: ErrSyntax, `{"a":1]`: ErrSyntax, "\x00": ErrSyntax,
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth): nil,
		strings.Repeat("[", MaxDepth+1):                               ErrDepth,
		strings.Repeat(`{"a":`, MaxDepth+1):                           ErrDepth,
	} {
		var s Scanner
		s.Reset([]byte(text))
		s.Skip()
		if err := s.End(); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", text, err, want)
		}
	}
}

func TestFields(t *testing.T) {
	var s Scanner
	s.Reset([]byte(`{"verb":"get","n":"12","code":-7,"yes":"true","u":"/a\u0026b\"","none":null,"list":[1,"two",{"x":[]}],"deep":{"a":{"b":3}}}`))
	got := map[string]string{}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch key := string(s.Key()); key {
		case "n", "code":
			n, ok := s.Int()
			if !ok || n != map[string]int64{"n": 12, "code": -7}[key] {
				t.Errorf("%s is %d, %v", key, n, ok)
			}
		case "yes":
			if !s.Bool() {
				t.Error("no")
			}
		case "list":
			for ok := s.Array(); ok; ok = s.NextElement() {
				got[key] += "|" + string(s.Text())
			}
		default:
			got[key] = string(s.Text())
		}
	}
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"verb": "get", "u": `/a&b"`, "none": "", "list": `|1|two|{"x":[]}`, "deep": `{"a":{"b":3}}`} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
}

func TestAllocates(t *testing.T) {
	text := []byte(`{"a":"\u0026 escaped","b":[1,2,{"c":"x"}],"d":1.5}`)
	var s Scanner
	n := testing.AllocsPerRun(100, func() {
		s.Reset(text)
		for ok := s.Object(); ok; ok = s.NextMember() {
			_ = s.Key()
			_ = s.Text()
		}
		if err := s.End(); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSkip holds the grammar against the standard library's.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e-3,"x\u0041",null,true]}`, `{"a"`, `[[[`, `"\ud800"`, `-`, "\"\x00\"", ` {} x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var s Scanner
		s.Reset(text)
		s.Skip()
		err := s.End()
		if err == nil != json.Valid(text) && !errors.Is(err, ErrDepth) {
			t.Errorf("%q: %v, the standard library says %v", text, err, json.Valid(text))
		}
		if err != nil || !bytes.HasPrefix(text, []byte{'"'}) {
			return
		}
		var want string
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		s.Reset(text)
		if got := strings.ToValidUTF8(string(s.Text()), "\ufffd"); strings.Trim(got, "\ufffd") != strings.Trim(want, "\ufffd") && !strings.Contains(want, "\ufffd") {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	})
}
