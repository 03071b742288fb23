package falco

import (
	"strings"

	"amber/timeline/detect"
	"amber/timeline/source/jsonscan"
)

// pointer makes the View's path of a JSON pointer (RFC 6901), which is the
// argument of jevt.value: /a/0/b is a.0.b.
func pointer(p string) (string, bool) {
	rest, ok := strings.CutPrefix(p, "/")
	if !ok || rest == "" || strings.Contains(p, "//") || strings.HasSuffix(p, "/") {
		return "", false
	}
	rest = strings.ReplaceAll(rest, "/", ".")
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(rest), true
}

// member is the value of an object's key in a JSON text; it is borrowed until
// the scanner reads on.
func member(scan *jsonscan.Scanner, text []byte, key string) (detect.Value, bool) {
	scan.Reset(text)
	if scan.Kind() != '{' {
		return detect.Value{}, false
	}
	for ok := scan.Object(); ok; ok = scan.NextMember() {
		if string(scan.Key()) == key {
			v := value(scan)
			return v, scan.Err() == nil && v.Kind != detect.Null
		}
		scan.Skip()
	}
	return detect.Value{}, false
}

// value reads what stands at the scanner's place.
func value(s *jsonscan.Scanner) detect.Value {
	switch s.Kind() {
	case '"':
		return detect.Value{Kind: detect.String, Text: s.Text()}
	case '0':
		return detect.Value{Kind: detect.Number, Text: s.Raw()}
	case 't', 'f':
		return detect.Value{Kind: detect.Bool, Text: s.Raw()}
	case 'n':
		return detect.Value{Kind: detect.Null, Text: s.Raw()}
	}
	return detect.Value{Kind: detect.Composite, Text: s.Raw()}
}

// keep adds a value whose text is about to be overwritten.
func (s *scratch) keep(v detect.Value) {
	start := len(s.buf)
	s.buf = append(s.buf, v.Text...)
	v.Text = s.buf[start:len(s.buf):len(s.buf)]
	s.vals = append(s.vals, v)
}
