package prose

import "bytes"

// Told calls each for the key=value pairs of a text in which values are not
// quoted, as Falco's rules and sysdig write them: a value goes on to the blank
// before the next key. What stands before the first key is given back.
func Told(b []byte, each func(key, value []byte)) (lead []byte) {
	from, end := nextKey(b, 0)
	if from < 0 {
		return bytes.TrimRight(b, " ")
	}
	lead = b[:from]
	for from >= 0 {
		next, nextEnd := nextKey(b, end+1)
		stop := len(b)
		if next >= 0 {
			stop = next
		}
		each(b[from:end], bytes.TrimRight(b[end+1:stop], " "))
		from, end = next, nextEnd
	}
	return bytes.TrimRight(lead, " (|")
}

// maxKey bounds a key's length.
const maxKey = 48

// nextKey finds the next key that begins at i or behind a blank or a bracket: its
// place, and that of the sign behind it; -1 of none.
func nextKey(b []byte, i int) (from, end int) {
	for i < len(b) {
		n := bytes.IndexByte(b[i:], '=')
		if n < 0 {
			return -1, -1
		}
		end = i + n
		from = end
		for from > i && end-from < maxKey && isKeyByte(b[from-1]) {
			from--
		}
		if from < end && b[from] > '9' && (from == 0 || b[from-1] == ' ' || b[from-1] == '(') {
			return from, end
		}
		i = end + 1
	}
	return -1, -1
}

func isKeyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '[' || c == ']'
}
