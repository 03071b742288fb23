package auditd

import "bytes"

// Pair is a field of a record under the name that auditd gives it. The value has
// neither quotes nor, where the kernel writes the field so, hexadecimal any more.
type Pair struct {
	Key, Value []byte
}

// Pairs reads the fields of single records, for rules that name them. The zero
// value is ready; it is used by one goroutine.
type Pairs struct {
	pairs  []Pair
	fields []field
	buf    []byte
}

// Read gives the fields of a record, those within msg='…' and what auditd looked
// up (SYSCALL=execve) too, after its node and type. A system call has its name
// besides its number. Of a line that is no record there are none. All of it is
// valid until the next call.
func (p *Pairs) Read(line []byte) []Pair {
	p.pairs, p.fields, p.buf = p.pairs[:0], p.fields[:0], p.buf[:0]
	h, err := parseHeader(line)
	if err != nil {
		return nil
	}
	if h.node != nil {
		p.pairs = append(p.pairs, Pair{pairNode, h.node})
	}
	p.pairs = append(p.pairs, Pair{pairType, h.kind})
	p.fields, _ = splitFields(p.fields, h.body)
	args := string(h.kind) == "EXECVE"
	for i := range p.fields {
		p.add(&p.fields[i], args)
	}
	if string(h.kind) == "SYSCALL" {
		p.name()
	}
	return p.pairs
}

var pairNode, pairType, pairCall = []byte("node"), []byte("type"), []byte("syscall")

func (p *Pairs) add(f *field, args bool) {
	v := f.val
	if !f.quoted && f.from != added && (encoded(f.key) || args && argument(f.key)) {
		v = p.plain(f)
	}
	if string(f.key) == "key" { // several are parted by 0x01
		for k := range bytes.SplitSeq(v, []byte{1}) {
			p.pairs = append(p.pairs, Pair{f.key, k})
		}
		return
	}
	p.pairs = append(p.pairs, Pair{f.key, v})
}

// plain decodes a value that is in hexadecimal. The arguments in a process's
// title are parted by NULs, which are shown as spaces.
func (p *Pairs) plain(f *field) []byte {
	start := len(p.buf)
	out, ok := decodeHex(p.buf, f.val)
	if !ok {
		return f.val
	}
	p.buf = out
	v := out[start:len(out):len(out)]
	if string(f.key) == "proctitle" {
		for i, c := range v {
			if c == 0 {
				v[i] = ' '
			}
		}
	}
	return v
}

func argument(key []byte) bool {
	_, _, ok := pieceName(key)
	return ok
}

// name adds the name of the record's system call, unless auditd did.
func (p *Pairs) name() {
	var arch, call, name []byte
	for _, f := range p.fields {
		switch string(f.key) {
		case "arch":
			arch = f.val
		case "syscall":
			call = f.val
		case "SYSCALL":
			name = f.val
		}
	}
	if name == nil {
		start := len(p.buf)
		p.buf = append(p.buf, syscallName(archName(arch), call)...)
		name = p.buf[start:len(p.buf):len(p.buf)]
	}
	if len(name) > 0 {
		p.pairs = append(p.pairs, Pair{pairCall, name})
	}
}
