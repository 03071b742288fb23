package strace

import "bytes"

type kind int

const (
	isNone kind = iota
	isCall
	isResumed
	isSignal
	isExit
	isAttached
)

// line is a line taken apart.
type line struct {
	kind       kind
	pid, clock []byte
	name       []byte // of the call or the signal
	args       []byte // of a call, without its parentheses where they are closed
	result     []byte
	took       []byte
	unfinished bool
}

func cut(b []byte, sep string) (before, after []byte, ok bool) { return bytes.Cut(b, []byte(sep)) }

// read takes a line apart: "[pid N] " or "N ", a time, and what happened.
func (l *line) read(b []byte) {
	*l = line{}
	if rest, ok := bytes.CutPrefix(b, []byte("strace: Process ")); ok {
		pid, what, _ := cut(rest, " ")
		if l.pid = pid; digits(pid) && (string(what) == "attached" || string(what) == "detached") {
			l.kind = isAttached
		}
		return
	}
	b = l.head(b)
	switch {
	case bytes.HasPrefix(b, []byte("+++ ")) && bytes.HasSuffix(b, []byte(" +++")) && len(b) > 8:
		l.kind, l.args = isExit, b[4:len(b)-4]
	case bytes.HasPrefix(b, []byte("--- ")) && bytes.HasSuffix(b, []byte(" ---")) && len(b) > 8:
		l.kind = isSignal
		l.name, l.args, _ = cut(b[4:len(b)-4], " ")
	case bytes.HasPrefix(b, []byte("<... ")):
		name, rest, ok := cut(b[5:], " resumed>")
		if ok && isName(name) {
			l.kind, l.name = isResumed, name
			l.end(rest)
		}
	default:
		l.call(b)
	}
}

// head reads process and time.
func (l *line) head(b []byte) []byte {
	if rest, ok := bytes.CutPrefix(b, []byte("[pid ")); ok {
		pid, more, ok := cut(rest, "]")
		pid = bytes.TrimLeft(pid, " ")
		if ok && digits(pid) {
			l.pid, b = pid, bytes.TrimLeft(more, " ")
		}
	} else if w, more := word(b); digits(w) && len(w) <= 8 {
		l.pid, b = w, more
	}
	if w, more := word(b); isClock(w) {
		l.clock, b = w, more
	}
	return b
}

func word(b []byte) (first, rest []byte) {
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		return b, nil
	}
	return b[:i], bytes.TrimLeft(b[i:], " ")
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// isClock knows 15:04:05, with decimals, and seconds since 1970.
func isClock(b []byte) bool {
	whole, fraction, ok := cut(b, ".")
	if ok && !digits(fraction) {
		return false
	}
	if len(whole) == 8 && whole[2] == ':' && whole[5] == ':' {
		return digits(whole[:2]) && digits(whole[3:5]) && digits(whole[6:])
	}
	return digits(whole) && (len(whole) >= 9 || ok)
}

func isName(b []byte) bool {
	for _, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return len(b) > 0 && len(b) < 40
}

// call reads "openat(AT_FDCWD, "/x", O_RDONLY) = 3 <0.000012>".
func (l *line) call(b []byte) {
	name, rest, ok := cut(b, "(")
	if !ok || !isName(name) {
		return
	}
	l.kind, l.name = isCall, name
	l.end(rest)
	if !l.unfinished && (len(l.result) == 0 || l.result[0] != '?' && l.result[0] != '-' && (l.result[0] < '0' || l.result[0] > '9')) {
		l.kind = isNone
	}
}

// end reads a call's arguments, and how it ended. Arguments may hold anything in
// quotes, so that the end is looked for from the right.
func (l *line) end(b []byte) {
	for _, mark := range [...]string{" <unfinished ...>", "<unfinished ...>"} {
		if args, ok := bytes.CutSuffix(b, []byte(mark)); ok {
			l.args, l.unfinished = args, true
			return
		}
	}
	i := lastEnd(b)
	if i < 0 {
		l.args = b
		return
	}
	l.args = b[:i]
	result := bytes.TrimLeft(b[i+1:], " ")
	result = bytes.TrimPrefix(result, []byte("= "))
	if j := bytes.LastIndex(result, []byte(" <")); j >= 0 && bytes.HasSuffix(result, []byte(">")) && isSeconds(result[j+2:len(result)-1]) {
		l.took, result = result[j+2:len(result)-1], result[:j]
	}
	l.result = result
}

func isSeconds(b []byte) bool {
	whole, fraction, ok := cut(b, ".")
	return ok && digits(whole) && digits(fraction)
}

// lastEnd is the parenthesis before the last " = ".
func lastEnd(b []byte) int {
	for end := len(b); end > 0; {
		i := bytes.LastIndex(b[:end], []byte(" = "))
		if i < 0 {
			return -1
		}
		j := i
		for j > 0 && b[j-1] == ' ' {
			j--
		}
		if j > 0 && b[j-1] == ')' {
			return j - 1
		}
		end = i
	}
	return -1
}
