package members

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/scratch"
)

const (
	deep = iota
	other
	whole
	inside
	count
	words
	flat
)

func testTable(fold bool) *Table {
	return NewTable(fold, []Member{
		deep:   {Path: "a.b.c a|z.d", Field: timeline.UserName},
		other:  {Path: "op|operation.value op", Name: "x.op"},
		whole:  {Path: "w", Name: "x.w"},
		inside: {Path: "w.in.n", Name: "x.in"},
		count:  {Path: "n", Field: timeline.HTTPStatus},
		words:  {Path: "list", Field: timeline.UserRoles, Name: "x.list"},
		flat:   {Path: "f", Flat: "x.f"},
	})
}

func read(t *testing.T, fold bool, text string) *Reader {
	t.Helper()
	r := NewReader(testTable(fold))
	var s jsonscan.Scanner
	s.Reset([]byte(text))
	if err := r.Read(&s); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		fold bool
		text string
		slot int
		want string
	}{
		{false, `{"a":{"b":{"c":"v"}}}`, deep, "v"},
		{false, `{"z":{"d":"v"}}`, deep, "v"},
		{false, `{"a":[{"b":{"c":"1"}},{"b":{"c":"2"}}]}`, deep, "1"},
		{false, `{"a":"{\"b\":{\"c\":\"v\\u0041\"}}"}`, deep, "vA"},
		{false, `{"a":"{\"b\":"}`, deep, ""},
		{false, `{"a":{"b":{"c":"v"}},"a":{"x":1}}`, deep, ""},
		{false, `{"a":7}`, deep, ""},
		{false, `{"op":{"value":"v","more":1}}`, other, "v"},
		{false, `{"operation":{"value":"v"}}`, other, "v"},
		{false, `{"op":"v"}`, other, "v"},
		{false, `{"OP":"v"}`, other, ""},
		{true, `{"O_p":"v"}`, other, "v"},
		{false, `{"w":{"in":{"n":5}}}`, whole, `{"in":{"n":5}}`},
		{false, `{"w":{"in":{"n":5}}}`, inside, "5"},
		{false, `{"w":"text"}`, whole, "text"},
		{true, `{"` + strings.Repeat("w", 200) + `":1}`, whole, ""},
	} {
		if got := string(read(t, c.fold, c.text).Get(c.slot)); got != c.want {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
	if !read(t, false, `{"a":{"b":1},"a":{}}`).Twice || read(t, false, `{"a":[{"b":1},{"b":2}]}`).Twice {
		t.Error("what comes twice")
	}
}

// Strings in a record each have their own buffer.
func TestNestedStrings(t *testing.T) {
	r := read(t, false, `{"a":"{\"b\":{\"c\":\"one\\u0021\"}}","w":"{\"in\":{\"n\":\"two\\u0021\"}}"}`)
	if string(r.Get(deep)) != "one!" || string(r.Get(inside)) != "two!" {
		t.Errorf("%q %q", r.Get(deep), r.Get(inside))
	}
}

func TestFill(t *testing.T) {
	var e timeline.Event
	e.Reset()
	var text scratch.Text
	read(t, false, `{"a":{"b":{"c":"v"}},"n":"404","list":["x",7,null,"y"],"f":{"p.q":1,"r":[{"s":"t"}],"u":["a","b"],"v":[{"x":1},{"x":2}],"e":""}}`).Fill(&e, &text)
	var got []string
	for _, x := range e.Extras() {
		got = append(got, string(x.Name)+"="+string(x.Value))
	}
	want := []string{"x.list=x,7,y", "x.f.p_q=1", "x.f.r.s=t", "x.f.u=a,b", `x.f.v=[{"x":1},{"x":2}]`}
	n, _ := e.GetNum(timeline.HTTPStatus)
	if !slices.Equal(got, want) || n != 404 || string(e.GetStr(timeline.UserName)) != "v" || len(e.GetList(timeline.UserRoles)) != 3 {
		t.Errorf("%q, want %q; %d, %q", got, want, n, e.GetList(timeline.UserRoles))
	}
}

// What is too much to be fields is one.
func TestFlatBounds(t *testing.T) {
	many := make([]string, maxLeaves+1)
	for i := range many {
		many[i] = fmt.Sprintf(`"k%d":1`, i)
	}
	for _, object := range []string{
		"{" + strings.Join(many, ",") + "}",
		`{"long":"` + strings.Repeat("x", maxValue+1) + `"}`,
		strings.Repeat(`{"d":`, maxLevels+2) + "1" + strings.Repeat("}", maxLevels+2),
	} {
		var e timeline.Event
		e.Reset()
		var text scratch.Text
		var f Flattener
		f.Object(&e, &text, []byte(object), "x")
		if len(e.Extras()) != 1 || string(e.Extras()[0].Value) != object {
			t.Errorf("%d fields of %.40s", len(e.Extras()), object)
		}
	}
}

func TestHead(t *testing.T) {
	for _, c := range []struct {
		head string
		want bool
	}{
		{`{"a":1,"b":2}`, true},
		{` [ {"a":1,"b":{"c":` + "", true}, // cut
		{`{"wrap":[{"a":1,"b":2}]}`, true},
		{`{"a":1,"wrap":[{"b":2}]}`, false},
		{`{"x":{"a":1,"b":2}}`, false},
		{`{"x":"{\"a\":1,\"b\":2}"}`, false},
		{"\ufeff" + `{"a":1,"b":2}`, true},
		{`[]`, false},
		{``, false},
		{`text`, false},
	} {
		met := Head([]byte(c.head), []string{"wrap"}, "a", "b")
		if got := met[0] && met[1]; got != c.want {
			t.Errorf("%s: %v", c.head, got)
		}
	}
}

// White space between tokens makes no other event, in a text it does.
func TestSum(t *testing.T) {
	sum := func(text string) uint64 { return read(t, false, text).Sum([]int{whole, deep}) }
	a := sum(`{"w":{"k": [1, "x \" y"]}}`)
	if a != sum("{\"w\":{ \"k\":[1,\n\"x \\\" y\"]} }") {
		t.Error("white space counts")
	}
	for _, text := range []string{`{"w":{"k":[1,"x\" y"]}}`, `{"a":{"b":{"c":"{\"k\":[1,\"x \\\" y\"]}"}}}`, `{}`} {
		if a == sum(text) {
			t.Errorf("%s is the same", text)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"a":{"b":{"c":"v"}},"op":{"value":1},"w":"{\"in\":{}}","list":["x"],"f":{"p":[{"q":1}]}}`))
	table := testTable(true)
	f.Fuzz(func(_ *testing.T, data []byte) {
		r := NewReader(table)
		var s jsonscan.Scanner
		s.Reset(data)
		_ = Head(data, []string{"op"}, "a", "w")
		if r.Read(&s) != nil {
			return
		}
		var e timeline.Event
		e.Reset()
		var text scratch.Text
		r.Fill(&e, &text)
		_ = r.Sum([]int{whole, flat})
	})
}

// A Reader that read other records gives the same as a new one.
func TestReused(t *testing.T) {
	texts := []string{
		`{"a":{"b":{"c":"1"}},"op":"2","w":{"in":{"n":3}},"n":4}`,
		`{"n":4,"w":"x","OP":"no","op":{"value":"5"},"z":{"d":"6"}}`,
		`{"unknown":1,"` + strings.Repeat("k", 200) + `":2,"op":"7"}`,
		`{}`,
		`{"f":{"x":1},"list":[1],"a":[{"b":{"c":"8"}}],"operation":{"value":"9"}}`,
	}
	used := NewReader(testTable(true))
	for i := range 4 * len(texts) {
		text := texts[(i*i+i/3)%len(texts)]
		var s jsonscan.Scanner
		s.Reset([]byte(text))
		if err := used.Read(&s); err != nil {
			t.Fatal(err)
		}
		fresh := read(t, true, text)
		for slot := range flat + 1 {
			if string(used.Get(slot)) != string(fresh.Get(slot)) {
				t.Errorf("%s, %d: %q, want %q", text, slot, used.Get(slot), fresh.Get(slot))
			}
		}
	}
}
