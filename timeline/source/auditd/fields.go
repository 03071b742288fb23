package auditd

import (
	"bytes"
	"encoding/hex"
)

// field is one key=value of a record. From says which part of the record it is
// from, for the same name means another thing there.
type field struct {
	key, val []byte
	quoted   bool
	from     part
}

type part uint8

const (
	outer part = iota
	inner      // of msg='…': what a program in user space wrote
	added      // behind 0x1D: what auditd looked up
)

// splitFields appends the fields of a record's body. Words that are no field go
// to the text.
func splitFields(to []field, body []byte) (fields []field, text []byte) {
	if i := bytes.LastIndexByte(body, 0x1d); i >= 0 {
		to, _ = scanFields(to, body[i+1:], added)
		body = body[:i]
	}
	return scanFields(to, body, outer)
}

func scanFields(to []field, s []byte, from part) ([]field, []byte) {
	var text []byte
	for {
		s = bytes.TrimLeft(s, " ,:(\t")
		if len(s) == 0 {
			return to, text
		}
		if len(to) >= maxFields {
			return to, appendWord(text, s)
		}
		if from == outer && escaped(s) {
			s = s[len(separated):]
		}
		n := keyEnd(s)
		if n == len(s) || s[n] != '=' || n == 0 {
			n = max(wordEnd(s), 1)
			text = appendWord(text, s[:n])
			s = s[n:]
			continue
		}
		f := field{key: s[:n], from: from}
		if f.val, f.quoted, s = scanValue(s[n+1:], f.key); f.quoted && from == outer && string(f.key) == "msg" {
			var words []byte
			to, words = scanFields(to, f.val, inner)
			if len(words) > 0 {
				text = appendWord(text, words)
			}
			continue
		}
		if from == outer && upper(f.key) {
			f.from = added
		}
		to = append(to, f)
	}
}

// separated is the 0x1D between a record and what auditd looked up, as rsyslog
// writes it. Others lose it, or put a space there: only what was looked up is
// spelled in capitals.
const separated = "#035"

func escaped(s []byte) bool {
	after, ok := bytes.CutPrefix(s, []byte(separated))
	return ok && len(after) > 0 && after[0] >= 'A' && after[0] <= 'Z'
}

func upper(key []byte) bool {
	for _, c := range key {
		if (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func appendWord(text, word []byte) []byte {
	if len(text) > 0 {
		text = append(text, ' ')
	}
	return append(text, word...)
}

func keyEnd(s []byte) int {
	for i, c := range s {
		if c == '=' || c == ' ' || c == '"' || c == '\'' || c == '{' || c == '\t' {
			return i
		}
	}
	return len(s)
}

// wordEnd is the end of a word, or of a list in braces.
func wordEnd(s []byte) int {
	end := byte(' ')
	if s[0] == '{' {
		end = '}'
	}
	i := bytes.IndexByte(s, end)
	switch {
	case i < 0:
		return len(s)
	case end == '}':
		return i + 1
	}
	return i
}

// scanValue reads what follows a "=". Nothing is escaped in quotes: what has a
// quote in it, the kernel writes in hexadecimal.
func scanValue(s, key []byte) (val []byte, quoted bool, rest []byte) {
	if len(s) == 0 {
		return nil, false, nil
	}
	switch s[0] {
	case '"':
		if i := bytes.IndexByte(s[1:], '"'); i >= 0 {
			return s[1 : 1+i], true, s[i+2:]
		}
		return s[1:], true, nil
	case '\'':
		i := bytes.IndexByte(s[1:], '\'')
		if string(key) == "msg" {
			i = bytes.LastIndexByte(s[1:], '\'') // what it holds may hold quotes
		}
		if i >= 0 {
			return s[1 : 1+i], true, s[i+2:]
		}
		return s[1:], true, nil
	case '{':
		if i := bytes.IndexByte(s, '}'); i >= 0 {
			return bytes.TrimSpace(s[1:i]), true, s[i+1:]
		}
	}
	i := bytes.IndexByte(s, ' ')
	if i < 0 {
		i = len(s)
	}
	if j := bytes.IndexByte(s[:i], '#'); j >= 0 && escaped(s[j:]) {
		i = j
	}
	return trimValue(s[:i]), false, s[i:]
}

// trimValue takes off what old programs put behind a value: "(addr=?, res=failed)".
func trimValue(v []byte) []byte {
	if len(v) > 0 && v[0] == '(' {
		return bytes.TrimRight(v, ",")
	}
	return bytes.TrimRight(v, ",)")
}

// absent reports the ways in which a value is said not to be there.
func absent(f field) bool {
	if f.quoted {
		return len(f.val) == 0
	}
	switch string(f.val) {
	case "", "?", "(null)", "(none)", "(unknown)", "<no_memory>":
		return true
	}
	return false
}

// unset reports an id that was never set: -1 as an unsigned number of 32 bits.
func unset(v []byte) bool {
	return string(v) == "4294967295" || string(v) == "-1" || string(v) == "unset"
}

// encoded reports the fields that the kernel, or a program through libaudit,
// writes in hexadecimal when they hold what cannot stand in quotes. Others may
// look like it and are not: the registers a0 to a3 of a SYSCALL record.
func encoded(key []byte) bool {
	switch string(key) {
	case "acct", "banners", "cgroup", "cmd", "comm", "cwd", "data", "device", "dir", "exe", "file", "grp", "info",
		"key", "name", "new-device", "new-disk", "new-fs", "new-mem", "ocomm", "old-device", "old-disk", "old-fs",
		"path", "proctitle", "profile", "root_dir", "srcname", "sw", "target", "vm", "watch", "invalid_context":
		return true
	}
	return false
}

// decodeHex appends the bytes that an even number of upper-case hexadecimal
// digits stand for.
func decodeHex(to, v []byte) ([]byte, bool) {
	if len(v) == 0 || len(v)%2 != 0 {
		return to, false
	}
	for _, c := range v {
		if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return to, false
		}
	}
	n := len(to)
	out, err := hex.AppendDecode(to, v)
	if err != nil {
		return to[:n], false
	}
	return out, true
}
