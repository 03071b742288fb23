package query

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var testNow = time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)

func testOptions() Options {
	return Options{Extra: []string{"kubernetes.audit.level", "aws.request id", "n"}, Now: testNow}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "*"},
		{"  *  ", "*"},
		{"mallory", "mallory"},
		{`"two words"`, `"two words"`},
		{"user.name:mallory AND NOT event.action:(get OR list)", "user.name:mallory AND NOT (event.action:get OR event.action:list)"},
		{"@timestamp:[2026-11-22T02:00 TO 02:10]", "@timestamp:[2026-11-22T02:00:00Z TO 2026-11-22T02:11:00Z}"},
		{"@timestamp:[02:00 TO 2026-11-22T02:10}", "@timestamp:[2026-11-22T02:00:00Z TO 2026-11-22T02:10:00Z}"},
		{"@timestamp:2026-11-22", "@timestamp:[2026-11-22T00:00:00Z TO 2026-11-23T00:00:00Z}"},
		{"@timestamp:2026-11", "@timestamp:[2026-11-01T00:00:00Z TO 2026-12-01T00:00:00Z}"},
		{"@timestamp:>2026-11-22T02:10", "@timestamp:[2026-11-22T02:11:00Z TO *}"},
		{"@timestamp:>=now-300y", "@timestamp:[1726-11-22T03:04:05Z TO *}"},
		{"@timestamp:>=now-3000000h", "@timestamp:[1684-08-26T03:04:05Z TO *}"},
		{"@timestamp:>=now-1h", "@timestamp:[2026-11-22T02:04:05Z TO *}"},
		{"@timestamp:<=2026-11-22T02:10:05.25+02:00", "@timestamp:[* TO 2026-11-22T00:10:05.26Z}"},
		{`@timestamp:["2026-11-22 02:00" TO 1795315200]`, "@timestamp:[2026-11-22T02:00:00Z TO 2026-11-22T02:40:01Z}"},
		{"@timestamp:9999", "@timestamp:[9999-01-01T00:00:00Z TO 9999-12-31T23:59:59.999999999Z}"},
		{"@timestamp:[1601 TO 1602}", "@timestamp:[1601-01-01T00:00:00Z TO 1602-01-01T00:00:00Z}"},
		{"process.pid:>5", "process.pid:[6 TO *]"},
		{"process.pid:5", "process.pid:5"},
		{"process.exit_code:(-1 OR 2)", "process.exit_code:-1 OR process.exit_code:2"},
		{"a b || c -d", "(a AND b) OR (c AND NOT d)"},
		{"+a !b", "a AND NOT b"},
		{"_exists_:user.name", "_exists_:user.name"},
		{"user.name:*", "_exists_:user.name"},
		{"user.name:sys*:?x", `user.name:sys*\:?x`},
		{"user.name:system:serviceaccount:a:b", `user.name:"system:serviceaccount:a:b"`},
		{`user.name:/mal+ory\/x/`, `user.name:/mal+ory\/x/`},
		{"file.path:/etc/shadow", `file.path:"/etc/shadow"`},
		{"source.ip:10.1.2.3/8", "source.ip:10.0.0.0/8"},
		{"source.ip:[10.0.0.1 TO 10.0.0.9}", "source.ip:[10.0.0.1 TO 10.0.0.9}"},
		{"kubernetes.audit.level:Metadata", "kubernetes.audit.level:Metadata"},
		{`aws.request\ id:1`, `aws.request\ id:1`},
		{"n:[5 TO 10]", "n:[5 TO 10]"},
		{"*foo*", "foo"},
		{"message:a*B", "message:a*b"},
		{`say\ \"x\"`, `"say \"x\""`},
		{"row_id:00112233445566778899AABBCCDDEEFF", "row_id:00112233445566778899aabbccddeeff"},
		{"ANDY ORB NOTE", "ANDY AND ORB AND NOTE"},
	} {
		e, err := Parse(c.in, testOptions())
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := e.String(); got != c.want {
			t.Errorf("%s is %s, want %s", c.in, got, c.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		in     string
		column int
		says   string
	}{
		{"user.nam:x", 1, "did you mean user.name?"},
		{"a AND User.Name:x", 7, "did you mean user.name?"},
		{"name:x", 1, "did you mean"},
		{"timestamp:2026", 1, "did you mean @timestamp?"},
		{"@timestamp:yesterday", 12, "yesterday is no time"},
		{"@timestamp:[2026-11-22 TO 2026-11-21]", 12, "is not before"},
		{"@timestamp:[02:00 TO 03:00]", 13, "without a date"},
		{"@timestamp:2026-11-2*", 12, "no wildcard"},
		{"@timestamp:now-1x", 12, "unit of time"},
		{"@timestamp:>=now-30000000h", 14, "the year"},
		{"@timestamp:>=now-9999999999h", 14, "the year"},
		{"@timestamp:>=now-5000y+5000y", 14, "the year"},
		{"@timestamp:>=now-99999999999999999999s", 14, "the year"},
		{"@timestamp:>=now-400000000000y", 14, "the year"},
		{"process.pid:>9223372036854775807", 13, "no number"},
		{"process.pid:[* TO -9223372036854775808}", 13, "no number"},
		{"@timestamp:2026-13-01", 12, "no time"},
		{"@timestamp:[2026-11-22T02:00 TO *", 12, "not closed"},
		{"process.pid:abc", 13, "is no integer"},
		{"process.pid:[9 TO 3]", 13, "no number"},
		{"source.ip:10.0.0.0/99", 11, "is no network"},
		{"(a OR b", 1, "not closed"},
		{"a)", 2, "closes nothing"},
		{`é "x`, 3, "not closed"},
		{"a AND", 6, "missing at the end"},
		{"OR a", 1, "nothing before"},
		{"user.name:", 11, "missing"},
		{"user.name:/(/", 11, "missing closing"},
		{"foo~2", 4, "fuzzy"},
		{"message:[a TO b]", 9, "no order"},
		{`user.name:""`, 11, "_exists_"},
		{":x", 1, "name is missing"},
		{"row_id:12", 8, "32 hexadecimal"},
		{strings.Repeat("(", 300), 101, "too deep"},
	} {
		_, err := Parse(c.in, testOptions())
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%s: %v, want a mistake", c.in, err)
			continue
		}
		if se.Column != c.column || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want column %d and %q", c.in, err, c.column, c.says)
		}
	}
}

func TestCaret(t *testing.T) {
	_, err := Parse("é\tuser.nam:x", testOptions())
	var se *SyntaxError
	if !errors.As(err, &se) {
		t.Fatal(err)
	}
	if got, want := se.Caret(), "é user.nam:x\n  ^"; got != want {
		t.Errorf("caret %q, want %q", got, want)
	}
}

func TestUnknownNames(t *testing.T) {
	o := Options{Now: testNow}
	if _, err := Parse("aws.cloudtrail.event_type:x", o); err != nil {
		t.Errorf("a field that a timeline may have: %v", err)
	}
	if _, err := Parse("user.nmae:x", o); err == nil {
		t.Error("a slip of the pen is taken for a field without a column")
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		query, value string
		want         bool
	}{
		{"user.name:mallory", "mallory", true},
		{"user.name:mallory", "Mallory", false},
		{"user.name:mal*y", "mallory", true},
		{"user.name:mal*y", "mallory2", false},
		{"user.name:m?l*", "m\u00e9lody", true},
		{"user.name:*a*a*", "banana", true},
		{"user.name:*ab", "aab", true},
		{"user.name:?", "ab", false},
		{"user.name:/m.*y/", "mallory", true},
		{"user.name:/m.*y/", "a mallory", false},
		{"message:MALLORY", "user Mallory logged in", true},
		{"message:\"mallory  logged\"", "user Mallory logged in", false},
		{"message:MAL*IN", "user Mallory logged in!", true},
		{"message:/log{1}ed|g+ed/", "logged", true},
		{"\u00c9t\u00c9", "un \u00e9t\u00e9", true},
		{"source.ip:10.0.0.0/8", "10.255.1.2", true},
		{"source.ip:10.0.0.0/8", "11.0.0.1", false},
		{"source.ip:10.0.0.1", "::ffff:10.0.0.1", true},
		{"source.ip:10.0.0.0/8", "localhost", false},
		{"source.ip:localhost", "localhost", true},
		{"source.ip:[9.0.0.0 TO 10.0.0.9}", "10.0.0.8", true},
		{"source.ip:[9.0.0.0 TO 10.0.0.9}", "10.0.0.9", false},
		{"n:[5 TO 10]", "7", true},
		{"n:[5 TO 10]", "50", false},
		{"user.name:[b TO c}", "bz", true},
		{"user.name:[b TO c}", "c", false},
	} {
		e, err := Parse(c.query, testOptions())
		if err != nil {
			t.Fatalf("%s: %v", c.query, err)
		}
		var got bool
		switch e := e.(type) {
		case *Match:
			got = e.Pattern.Match([]byte(c.value))
		case *TextRange:
			got = e.Match([]byte(c.value))
		default:
			t.Fatalf("%s is a %T", c.query, e)
		}
		if got != c.want {
			t.Errorf("%s on %q is %v", c.query, c.value, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"user.name:mallory AND NOT event.action:(get OR list) AND @timestamp:[2026-11-22T02:00 TO 02:10]",
		`a "b c" /d\/e/ -f +g !h _exists_:user.name x*y?z source.ip:10.0.0.0/8`, "n:>=5 process.pid:{1 TO 7]",
		`\:\  a\*`, "@timestamp:now-1d-2h", "((((a", "message:**", "?", "message:*?*",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s, testOptions())
		if err != nil {
			var se *SyntaxError
			if !errors.As(err, &se) || se.Column < 1 || !strings.Contains(se.Caret(), "\n") {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		once := e.String()
		again, err := Parse(once, testOptions())
		if err != nil {
			t.Fatalf("%q prints as %q, which is a mistake: %v", s, once, err)
		}
		if twice := again.String(); twice != once {
			t.Fatalf("%q prints as %q, and that as %q", s, once, twice)
		}
	})
}
