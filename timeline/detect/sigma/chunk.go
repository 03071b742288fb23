package sigma

import (
	"bytes"
)

// chunk is the text of one document, and the line at which it begins.
type chunk struct {
	line int
	text []byte
}

// split parts a file at its document marks, so that one that is no YAML does not
// take those behind it along.
func split(data []byte) []chunk {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var list []chunk
	line, start, first := 1, 0, 1
	for at := 0; at < len(data); line++ {
		end := bytes.IndexByte(data[at:], '\n') + 1
		if end == 0 {
			end = len(data) - at
		}
		if mark(data[at : at+end]) {
			list = append(list, chunk{first, data[start:at]})
			start, first = at+end, line+1
			if more := bytes.TrimSpace(data[at+3 : at+end]); len(more) > 0 && more[0] != '#' {
				start, first = at+3, line // a document may begin behind its mark
			}
		}
		at += end
	}
	return append(list, chunk{first, data[start:]})
}

func mark(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// blank reports a document of comments alone.
func blank(text []byte) bool {
	for l := range bytes.Lines(text) {
		if l = bytes.TrimSpace(l); len(l) > 0 && l[0] != '#' && !bytes.Equal(l, []byte("...")) {
			return false
		}
	}
	return true
}
