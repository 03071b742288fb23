package fields

import (
	"bytes"
	"strings"

	"amber/timeline"
)

// lacks tells of a field of an audit event, without going through the record,
// that it is not there: a name that it stands under does not occur. Many rules
// ask for what few events have.
func (v *View) lacks(path string) bool {
	if len(v.recs) != 1 || v.event == nil {
		return false
	}
	m := v.memos.of(path)
	if !m.sought {
		m.sought, m.needle = true, needle(path)
	}
	data := v.recs[0].Data
	switch v.dataset {
	case "kubernetes.audit_logs":
		if string(v.event.GetStr(timeline.CloudProvider)) == "gcp" {
			return false // GKE has them under other names
		}
	case "aws.cloudtrail":
		if len(data) == 0 || data[0] != '{' {
			return false // a row of Lake, whose names may be in any case
		}
	default:
		return false
	}
	return m.needle != nil && !bytes.Contains(data, m.needle) && !v.spelled(data)
}

// spelled is escapedLetters of the record in hand, which is looked through once.
func (v *View) spelled(data []byte) bool {
	if v.looked != v.round {
		v.looked, v.odd = v.round, escapedLetters(data)
	}
	return v.odd
}

// minNeedle is the shortest name that is looked for.
const minNeedle = 4

// needle is what a record has that has the field, whatever the names on the way
// to it: the object at the top that few events have, or else letters of the last
// name. Letters alone are written in one way, or as escapedLetters knows.
func needle(path string) []byte {
	for _, head := range [...]string{"requestObject", "responseObject"} {
		if rest, ok := strings.CutPrefix(path, head); ok && (rest == "" || rest[0] == '.') {
			return []byte(head)
		}
	}
	longest := ""
	for _, run := range strings.FieldsFunc(path[strings.LastIndexByte(path, '.')+1:], notLetter) {
		if len(run) > len(longest) {
			longest = run
		}
	}
	if len(longest) < minNeedle {
		return nil
	}
	return []byte(longest)
}

func notLetter(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }

// escapedLetters tells whether a text has letters written as escapes, as a name may be.
func escapedLetters(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return false
		}
		data = data[i+1:]
		if len(data) > 4 && data[0] == 'u' && data[1] == '0' && data[2] == '0' && data[3] >= '4' && data[3] <= '7' {
			return true
		}
	}
}
