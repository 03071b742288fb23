package report_test

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/report"
	"amber/timeline/story"
)

// evil is what an attacker would like to see in a page.
const evil = `</td><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>&{{.}}` + "\x1b[31m\u202e\n"

// page fills every field of a Page: texts with a mark of their own and something
// evil, numbers with one that is nobody else's.
func page(text string) (p report.Page, texts []string, numbers []int64) {
	n := int64(700_000)
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			n++
			mark := fmt.Sprintf("t%d", n)
			texts = append(texts, mark)
			v.SetString(mark + text)
		case reflect.Int, reflect.Int64:
			n++
			v.SetInt(n)
			numbers = append(numbers, n)
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0))
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				n++
				v.Set(reflect.ValueOf(time.Unix(1_700_000_000+n*1000, 0).UTC()))
				return
			}
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		case reflect.Pointer:
			if v.Type() == reflect.TypeFor[*story.Story]() {
				v.Set(reflect.ValueOf(told(text)))
				return
			}
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem())
		}
	}
	fill(reflect.ValueOf(&p).Elem())
	p.Exit = 3
	return p, texts, numbers
}

func told(text string) *story.Story {
	return &story.Story{Title: "the story" + text, Sections: []story.Section{{
		Tactic: "execution", Name: "Execution" + text,
		Sentences: []story.Sentence{{Text: []story.Run{{Text: "mallory" + text, Kind: correlate.Kind("user")}}, Rows: []timeline.RowID{{1, 2, 3}}, Count: 1}},
	}}}
}

// unshown are texts that the page has something better for: why there is no
// story where there is one, why a time-stamp that is trusted is not.
var unshown = []string{".Dir", ".NoStory", ".Bundles[0].Times[0].Doubt", ".Measures[0].ID", ".Measures[0].Checks[0].Undo"}

// TestHolds: the page parses, loads nothing and runs nothing, whatever the case
// holds, and has every figure and text of it.
func TestHolds(t *testing.T) {
	p, texts, _ := page(evil)
	var out bytes.Buffer
	if err := report.HTML(&out, &p); err != nil {
		t.Fatal(err)
	}
	text := inspect(t, &out)
	for _, m := range texts {
		if field := whose(p, m); !strings.Contains(text, m) && !slices.Contains(unshown, field) {
			t.Errorf("%s is not on the page", field)
		}
	}
	for _, bad := range []string{"\x1b", "\u202e"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

// whose names the field that holds a mark.
func whose(p report.Page, mark string) string {
	found := "?"
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.String:
			if strings.HasPrefix(v.String(), mark) {
				found = path
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		case reflect.Pointer:
			if !v.IsNil() && v.Type() != reflect.TypeFor[*story.Story]() {
				walk(v.Elem(), path)
			}
		}
	}
	walk(reflect.ValueOf(p), "")
	return found
}

// TestFigures: every number of a case stands on its page.
func TestFigures(t *testing.T) {
	p, _, numbers := page("")
	var out bytes.Buffer
	if err := report.HTML(&out, &p); err != nil {
		t.Fatal(err)
	}
	text := inspect(t, &out)
	for _, n := range numbers[1:] { // the first was the exit code
		if !strings.Contains(text, fmt.Sprint(n)) {
			t.Errorf("the figure %d is not on the page", n)
		}
	}
}

func TestCertificate(t *testing.T) {
	for _, text := range []string{"", evil} {
		p, _, _ := page(text)
		var out bytes.Buffer
		if err := report.CertificateHTML(&out, &p); err != nil {
			t.Fatal(err)
		}
		shown := inspect(t, &out)
		var plain bytes.Buffer
		if err := report.CertificateMarkdown(&plain, &p); err != nil {
			t.Fatal(err)
		}
		for _, b := range p.Bundles {
			for _, want := range []string{fmt.Sprint(b.Members), fmt.Sprint(b.Misses), fmt.Sprint(b.Plain), b.Digest[:7], b.Root[:7], b.ID[:7], b.Clock[:7], "NOT SIGNED"} {
				if !strings.Contains(shown, want) || !strings.Contains(plain.String(), want) {
					t.Errorf("the certificate lacks %q", want)
				}
			}
		}
		if strings.ContainsAny(plain.String(), "\x1b\u202e") || strings.Contains(strings.ReplaceAll(plain.String(), `\<`, ""), "<script") {
			t.Error("the text holds what is not safe")
		}
	}
}

// Of a bundle that could not be read nothing is stated: zero items would be a
// false statement.
func TestUnread(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *report.Page) error{"report": report.HTML, "certificate": report.CertificateHTML, "text": report.CertificateMarkdown} {
		for _, b := range []report.Bundle{{ID: "b1", Digest: "d1", Error: "the bundle is encrypted"}, {ID: "b1", Digest: "d1", Record: "r"}} {
			var out bytes.Buffer
			if err := write(&out, &report.Page{Bundles: []report.Bundle{b}}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !strings.Contains(out.String(), b.Error) {
				t.Errorf("%s: does not say why", name)
			}
			for _, s := range []string{"0 items", "othing that is known"} {
				if strings.Contains(out.String(), s) == b.Unread() {
					t.Errorf("%s: unread %v, and states %q: %v", name, b.Unread(), s, !b.Unread())
				}
			}
		}
	}
}

// Nothing at all is a page, too.
func TestEmpty(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *report.Page) error{"report": report.HTML, "certificate": report.CertificateHTML, "text": report.CertificateMarkdown} {
		var out bytes.Buffer
		if err := write(&out, &report.Page{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// void are elements without an end.
var void = map[string]bool{"meta": true, "br": true, "col": true, "path": true}

// inspect parses a page strictly: every element is closed where it was opened,
// none runs or loads anything. It gives the text.
func inspect(t *testing.T, r io.Reader) string {
	t.Helper()
	var text strings.Builder
	var open []string
	policy := false
	z := html.NewTokenizer(r)
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				t.Fatal(z.Err())
			}
			if len(open) > 0 || !policy {
				t.Errorf("left open %v; a policy is there: %v", open, policy)
			}
			return text.String()
		case html.TextToken:
			text.Write(z.Text())
			text.WriteByte(' ')
		case html.StartTagToken:
			k := z.Token()
			checkElement(t, k, &policy)
			if !void[k.Data] {
				open = append(open, k.Data)
			}
		case html.SelfClosingTagToken:
			checkElement(t, z.Token(), &policy)
		case html.EndTagToken:
			k := z.Token()
			if len(open) == 0 || open[len(open)-1] != k.Data {
				t.Fatalf("</%s> where %v are open", k.Data, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func checkElement(t *testing.T, k html.Token, policy *bool) {
	t.Helper()
	switch k.Data {
	case "script", "img", "iframe", "object", "embed", "link", "base", "form", "video", "audio", "source", "foreignobject", "use", "image":
		t.Errorf("a page with <%s>", k.Data)
	}
	for _, a := range k.Attr {
		switch {
		case strings.HasPrefix(a.Key, "on"), a.Key == "src", a.Key == "srcset", a.Key == "action", a.Key == "data":
			t.Errorf("<%s %s=%q>", k.Data, a.Key, a.Val)
		case a.Key == "href" && !strings.HasPrefix(a.Val, "#"), a.Key == "style" && strings.Contains(a.Val, "url"):
			t.Errorf("<%s %s=%q> leads out of the page", k.Data, a.Key, a.Val)
		case a.Key == "content" && strings.Contains(a.Val, "default-src 'none'"):
			*policy = true
		}
	}
}
