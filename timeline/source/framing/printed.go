package framing

import "bytes"

// Printed is the object in a line of a container's log in CRI's form,
// "TIME stdout F {…}"; any other line is itself. Agents such as Tetragon print
// their records so, but so can whatever else runs in a container: no source
// recognises such a file, and only a user who names the source has it read.
func Printed(line []byte) []byte {
	if len(line) < len("2006-01-02T15:04:05Z stdout F {}") || line[0] < '0' || line[0] > '9' {
		return line
	}
	i := bytes.IndexByte(line[:min(len(line), 40)], ' ')
	if i < 20 || line[10] != 'T' {
		return line
	}
	for _, stream := range [...]string{" stdout F ", " stderr F "} {
		if text, ok := bytes.CutPrefix(line[i:], []byte(stream)); ok && len(text) > 0 && text[0] == '{' {
			return text
		}
	}
	return line
}
