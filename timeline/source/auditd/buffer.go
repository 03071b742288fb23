package auditd

import "bytes"

// str and lower put text into the parser's buffer.
func (p *parser) str(s string) []byte {
	start := len(p.buf)
	p.buf = append(p.buf, s...)
	return p.buf[start:len(p.buf):len(p.buf)]
}

func (p *parser) lower(b []byte) []byte {
	start := len(p.buf)
	for _, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		p.buf = append(p.buf, c)
	}
	return p.buf[start:len(p.buf):len(p.buf)]
}

// decoded is a field's value, decoded where it is encoded.
func (p *parser) decoded(f field) []byte {
	if f.quoted || !encoded(f.key) {
		return f.val
	}
	start := len(p.buf)
	out, ok := decodeHex(p.buf, f.val)
	if !ok {
		return f.val
	}
	p.buf = out
	return p.buf[start:len(p.buf):len(p.buf)]
}

func (p *parser) copied(b []byte) []byte {
	start := len(p.buf)
	p.buf = append(p.buf, b...)
	return p.buf[start:len(p.buf):len(p.buf)]
}

// names counts names within an event. It keeps them from one event to the next,
// so that a name costs memory once.
type names struct {
	marks map[string]*mark
	event uint64
}

type mark struct {
	event uint64
	count int
}

// maxNames bounds what is kept.
const maxNames = 4096

func (n *names) next() {
	n.event++
	if n.marks == nil || len(n.marks) > maxNames {
		n.marks = map[string]*mark{}
	}
}

// again counts a name and gives how often this event had it before.
func (n *names) again(name []byte) int {
	m := n.marks[string(name)]
	if m == nil {
		m = &mark{}
		n.marks[string(name)] = m
	}
	if m.event != n.event {
		m.event, m.count = n.event, 0
	}
	m.count++
	return m.count - 1
}

// withoutNUL gives text in which spaces stand for NULs.
func (p *parser) withoutNUL(b []byte) []byte {
	b = bytes.TrimRight(b, "\x00")
	if bytes.IndexByte(b, 0) < 0 {
		return b
	}
	out := p.copied(b)
	for i, c := range out {
		if c == 0 {
			out[i] = ' '
		}
	}
	return out
}
