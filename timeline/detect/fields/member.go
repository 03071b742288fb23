package fields

import (
	"bytes"
	"strings"

	"amber/timeline/detect"
)

// member finds a field in a member of the record, where the event tells where that
// lies: most rules ask for what is in few of them, and most events lack it. False is
// that the record has to be read.
func (v *View) member(dst []detect.Value, path string) ([]detect.Value, bool) {
	if v.event == nil {
		return dst, false
	}
	m := v.memos.of(path)
	if !m.split {
		m.split = true
		m.head, m.rest, _ = strings.Cut(path, ".")
	}
	json, number := v.event.GetMember(m.head)
	switch {
	case number < 0 || m.rest == "" && len(path) > len(m.head):
		return dst, false
	case len(json) == 0 || m.rest != "" && !opens(json):
		return dst, true
	}
	for len(v.at) <= number {
		v.at = append(v.at, 0)
	}
	if v.at[number] == 0 {
		node, ok := v.members.add(json)
		if !ok { // a value that is no object, or one too many
			return dst, false
		}
		v.at[number] = node + 1
	}
	return v.members.below(dst, v.at[number]-1, m.rest, exact), true
}

// opens tells of a value's text that it is an object or a list.
func opens(json []byte) bool {
	json = bytes.TrimLeft(json, " \t\r\n")
	return len(json) > 0 && (json[0] == '{' || json[0] == '[')
}
