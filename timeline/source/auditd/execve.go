package auditd

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
)

// piece is an argument of EXECVE records, or a part of one that was too long for
// a record.
type piece struct {
	arg, part int
	val       []byte
	hex       bool
}

// pieceName reads aN and aN[K]; argc and aN_len are neither.
func pieceName(key []byte) (arg, part int, ok bool) {
	if len(key) < 2 || len(key) > 24 || key[0] != 'a' {
		return 0, 0, false
	}
	name, index, long := bytes.Cut(key[1:], []byte("["))
	if !digits(name, 8) || long && (!bytes.HasSuffix(index, []byte("]")) || !digits(index[:len(index)-1], 8)) {
		return 0, 0, false
	}
	arg, _ = strconv.Atoi(string(name))
	if long {
		part, _ = strconv.Atoi(string(index[:len(index)-1]))
	}
	return arg, part, true
}

// arguments puts a command line together, whatever the order of its records. It
// gives the arguments, which lie in the parser's buffers, and whether all that
// the records announce are there.
func (p *parser) arguments() (args [][]byte, whole bool) {
	argc := -1
	p.pieces = p.pieces[:0]
	for i := range p.recs {
		if string(p.recs[i].kind) != "EXECVE" {
			continue
		}
		for _, f := range p.recs[i].fields {
			if f.from != outer {
				continue
			}
			if string(f.key) == "argc" {
				argc, _ = strconv.Atoi(string(f.val))
			} else if arg, part, ok := pieceName(f.key); ok {
				p.pieces = append(p.pieces, piece{arg, part, f.val, !f.quoted})
			}
		}
	}
	slices.SortStableFunc(p.pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.arg, b.arg), cmp.Compare(a.part, b.part))
	})
	return p.assemble(argc)
}

func (p *parser) assemble(argc int) (args [][]byte, whole bool) {
	args, whole = p.args[:0], true
	for i := 0; i < len(p.pieces); {
		n, start, parts := p.pieces[i].arg, len(p.buf), 0
		whole = whole && n == len(args)
		for ; i < len(p.pieces) && p.pieces[i].arg == n; i++ {
			whole = whole && p.pieces[i].part == parts
			parts++
			p.appendPiece(p.pieces[i])
		}
		args = append(args, p.buf[start:len(p.buf):len(p.buf)])
	}
	p.args = args
	return args, whole && (argc < 0 || argc == len(args))
}

func (p *parser) appendPiece(a piece) {
	if a.hex {
		if out, ok := decodeHex(p.buf, a.val); ok {
			p.buf = out
			return
		}
	}
	p.buf = append(p.buf, a.val...)
}
