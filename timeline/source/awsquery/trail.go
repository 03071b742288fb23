package awsquery

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// part is a cell of which the name is taken apart at its dots.
type part struct {
	rest, value []byte
	done        bool
}

// event makes an event of CloudTrail of its columns, which Insights names by
// their place in it: userIdentity.sessionContext.sessionIssuer.arn.
func (p *parser) event() []byte {
	p.parts = p.parts[:0]
	for _, c := range p.cells {
		p.parts = append(p.parts, part{rest: c.name, value: c.value})
	}
	b := append(p.data[:0], '{')
	if p.at != timeline.NoTime && p.get("eventtime") == nil {
		b = member(b, "eventTime", p.when)
	}
	p.data = append(tree(b, p.parts, 0), '}')
	return p.data
}

// maxNested bounds how deep the names of columns lead.
const maxNested = 32

// tree appends the members of an object, those of one object together.
func tree(b []byte, parts []part, depth int) []byte {
	for i := range parts {
		if parts[i].done {
			continue
		}
		name, _, deep := bytes.Cut(parts[i].rest, []byte{'.'})
		if !deep || depth == maxNested {
			parts[i].done = true
			b = leaf(b, parts[i].rest, parts[i].value)
			continue
		}
		var below []part
		for j := i; j < len(parts); j++ {
			first, rest, deep := bytes.Cut(parts[j].rest, []byte{'.'})
			if !parts[j].done && deep && bytes.Equal(first, name) {
				parts[j].done = true
				below = append(below, part{rest: rest, value: parts[j].value})
			}
		}
		b = append(tree(append(key(b, name), '{'), below, depth+1), '}')
	}
	return b
}

func key(b, name []byte) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(jsonscan.Quoted(b, name), ':')
}

// leaf appends a value. Athena writes a row and a list of them as text of its
// own, {type=IAMUser, principalid=AIDA…}.
func leaf(b, name, v []byte) []byte {
	b = key(b, name)
	if isRow(v) {
		mark := len(b)
		if out, rest, ok := value(b, v, 0); ok && len(rest) == 0 {
			return out
		}
		b = b[:mark]
	}
	return jsonscan.Quoted(b, v)
}

// isRow tells text of a row, or of a list of rows, from an object of JSON.
func isRow(v []byte) bool {
	v = bytes.TrimPrefix(v, []byte{'['})
	return len(v) > 1 && v[0] == '{' && (v[1] >= 'a' && v[1] <= 'z' || v[1] >= 'A' && v[1] <= 'Z')
}

// value reads one of a row: a row, a list, null or text, which goes on to where
// the next name or the end of the row is. Nothing in it is escaped.
func value(b, v []byte, depth int) (out, rest []byte, ok bool) {
	switch {
	case depth > maxNested || len(v) == 0:
		return b, v, false
	case isRow(v) && v[0] == '{':
		return fieldsOf(append(b, '{'), v[1:], depth)
	case isRow(v):
		return list(append(b, '['), v[1:], depth)
	}
	n := textEnd(v)
	if string(v[:n]) == "null" {
		return append(b, "null"...), v[n:], true
	}
	return jsonscan.Quoted(b, v[:n]), v[n:], true
}

func fieldsOf(b, v []byte, depth int) (out, rest []byte, ok bool) {
	for {
		name, after, found := bytes.Cut(v, []byte{'='})
		if !found || !isWord(name) {
			return b, v, false
		}
		b = append(jsonscan.Quoted(comma(b, '{'), camel(name)), ':')
		if b, v, ok = value(b, after, depth+1); !ok {
			if len(after) == 0 || after[0] != ',' && after[0] != '}' {
				return b, v, false
			}
			b, v = append(b, '"', '"'), after // nothing behind the sign
		}
		if rest, ok := bytes.CutPrefix(v, []byte{'}'}); ok {
			return append(b, '}'), rest, true
		}
		if v, ok = bytes.CutPrefix(v, []byte(", ")); !ok {
			return b, v, false
		}
	}
}

func list(b, v []byte, depth int) (out, rest []byte, ok bool) {
	for {
		if b, v, ok = value(comma(b, '['), v, depth+1); !ok {
			return b, v, false
		}
		if rest, ok := bytes.CutPrefix(v, []byte{']'}); ok {
			return append(b, ']'), rest, true
		}
		if v, ok = bytes.CutPrefix(v, []byte(", ")); !ok {
			return b, v, false
		}
	}
}

func comma(b []byte, open byte) []byte {
	if b[len(b)-1] != open {
		b = append(b, ',')
	}
	return b
}

// textEnd is where text ends: before a brace that closes, or a comma behind
// which a name stands.
func textEnd(v []byte) int {
	depth := 0
	for i, c := range v {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
		case ',':
			if depth == 0 && named(v[i:]) {
				return i
			}
		}
	}
	return len(v)
}

// named tells whether ", name=" stands here.
func named(v []byte) bool {
	if len(v) < 4 || v[1] != ' ' {
		return false
	}
	n := bytes.IndexByte(v[:min(len(v), 64)], '=')
	return n > 2 && isWord(v[2:n])
}

func isWord(b []byte) bool {
	for _, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != ':' {
			return false
		}
	}
	return len(b) > 0 && len(b) < 64
}

// camel is a name as CloudTrail writes it, of one that Athena has in small
// letters.
func camel(name []byte) []byte {
	for _, c := range [...]string{
		"principalId", "accountId", "accessKeyId", "userName", "invokedBy", "identityProvider", "sessionContext", "sessionIssuer",
		"mfaAuthenticated", "creationDate", "webIdFederationData", "federatedProvider", "ec2RoleDelivery", "sourceIdentity", "credentialId",
		"onBehalfOf", "userId", "identityStoreArn", "inScopeOf", "sourceArn", "sourceAccount", "issuerType", "credentialsIssuedTo", "assumedRoot",
		"tlsVersion", "cipherSuite", "clientProvidedHostHeader", "ARN",
	} {
		if len(name) == len(c) && c != "ARN" && bytes.EqualFold(name, []byte(c)) {
			return []byte(c)
		}
	}
	return name
}
