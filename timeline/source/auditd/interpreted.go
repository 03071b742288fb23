package auditd

import (
	"bytes"
	"net/netip"
	"strconv"

	"amber/timeline"
)

// interpreted reads what ausearch -i prints: times of day and names instead of
// numbers, and values without their quotes. The date is that of the locale C or
// en_US, month first; the time has no zone, and is taken for UTC.

// parseDay reads "11/22/2026 13:05:01.123:456" and "11/22/26 …".
func parseDay(s []byte) (timeline.Time, bool) {
	date, rest, ok := bytes.Cut(s, []byte(" "))
	i := bytes.LastIndexByte(rest, ':')
	if !ok || i < 0 || !digits(rest[i+1:], 20) {
		return timeline.NoTime, false
	}
	month, date, ok := bytes.Cut(date, []byte("/"))
	day, year, ok2 := bytes.Cut(date, []byte("/"))
	if !ok || !ok2 || len(month) != 2 || len(day) != 2 {
		return timeline.NoTime, false
	}
	var buf [64]byte
	iso := buf[:0]
	if len(year) == 2 {
		iso = append(iso, "20"...)
	}
	iso = append(append(append(append(append(iso, year...), '-'), month...), '-'), day...)
	iso = append(append(iso, 'T'), rest[:min(i, 24)]...)
	t, zone, ok := timeline.ParseTime(iso)
	return t, ok && !zone
}

// splitInterpreted appends the fields of a record's body: a value goes on to the
// next name, for it has no quotes.
func splitInterpreted(to []field, kind, body []byte) (fields []field, text []byte) {
	for len(body) > 0 && len(to) < maxFields {
		if body = bytes.TrimLeft(body, " "); len(body) == 0 {
			break
		}
		n := keyEnd(body)
		if n == 0 || n >= len(body) || body[n] != '=' {
			n = max(wordEnd(body), 1)
			text = appendWord(text, body[:n])
			body = body[n:]
			continue
		}
		f := field{key: body[:n], quoted: true}
		body = body[n+1:]
		end := valueEnd(body)
		if string(kind) == "PROCTITLE" {
			end = len(body)
		}
		f.val, body = bytes.TrimRight(body[:end], " "), body[end:]
		if string(f.key) == "msg" && len(f.val) > 0 && f.val[0] == '\'' {
			inside, _ := splitInterpreted(nil, nil, bytes.Trim(append(f.val[:len(f.val):len(f.val)], body...), "' "))
			for _, g := range inside {
				if g.from == outer {
					g.from = inner
				}
				to = append(to, g)
			}
			break
		}
		to = append(to, named(f))
	}
	if len(to) >= maxFields && len(body) > 0 {
		text = appendWord(text, body)
	}
	return to, text
}

// valueEnd is where the next " name=" begins, or the end.
func valueEnd(b []byte) int {
	if len(b) > 0 && b[0] == '{' {
		if i := bytes.IndexByte(b, '}'); i >= 0 {
			return i + 1
		}
	}
	for i := 0; i < len(b); i++ {
		if b[i] != ' ' {
			continue
		}
		for j := i + 1; j < len(b); j++ {
			if c := b[j]; c == '=' && j > i+1 {
				return i
			} else if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
				break
			}
		}
	}
	return len(b)
}

// named gives a field that is a name by now the key that an enriched record has
// for names.
func named(f field) field {
	if string(f.val) == "(null)" || string(f.val) == "(none)" || string(f.val) == "?" {
		f.quoted = false // absent
	}
	upper := ""
	switch string(f.key) {
	case "uid":
		upper = "UID"
	case "auid":
		upper = "AUID"
	case "gid":
		upper = "GID"
	case "euid":
		upper = "EUID"
	case "suid":
		upper = "SUID"
	case "fsuid":
		upper = "FSUID"
	case "egid":
		upper = "EGID"
	case "sgid":
		upper = "SGID"
	case "fsgid":
		upper = "FSGID"
	case "id":
		upper = "ID"
	case "ouid":
		upper = "OUID"
	case "ogid":
		upper = "OGID"
	case "syscall":
		upper = "SYSCALL"
	case "arch":
		upper = "ARCH"
	}
	if upper != "" && !digits(f.val, 20) {
		f.key, f.from = []byte(upper), added
	}
	return f
}

// exitName is the error in "ENOENT(No such file or directory)".
func exitName(v []byte) []byte {
	name, _, ok := bytes.Cut(v, []byte("("))
	if ok && len(name) > 1 && name[0] == 'E' {
		return name
	}
	return nil
}

// spelled reads "{ saddr_fam=inet laddr=203.0.113.9 lport=443 }", and what older
// versions write: "inet host:203.0.113.9 serv:443".
func (p *parser) spelled(v []byte) bool {
	var a address
	words := bytes.Fields(bytes.Trim(v, "{} "))
	if len(words) > 0 && bytes.IndexByte(words[0], '=') < 0 {
		a.family = family(words[0])
	}
	for _, w := range words {
		key, value, ok := bytes.Cut(w, []byte("="))
		if !ok {
			key, value, ok = bytes.Cut(w, []byte(":"))
		}
		if !ok {
			continue
		}
		switch string(key) {
		case "saddr_fam", "fam":
			a.family = family(value)
		case "laddr", "host":
			a.ip, _ = netip.ParseAddr(string(value))
		case "lport", "serv":
			n, _ := strconv.ParseUint(string(value), 10, 16)
			a.port = uint16(n)
		case "path":
			a.path = value
		}
	}
	if a.family == "" {
		return false
	}
	p.addr = a
	return true
}

func family(v []byte) string {
	switch string(v) {
	case "inet":
		return "inet"
	case "inet6":
		return "inet6"
	case "local", "unix":
		return "unix"
	}
	return ""
}
