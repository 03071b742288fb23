package tetragon

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"amber/timeline"
)

// longest is how many bytes of an argument are rendered; the record has it
// whole.
const longest = 512

// arguments renders the arguments of a traced function, "path=/etc/passwd, 627".
func (p *parser) arguments() {
	s := &p.s
	if s.Kind() != '[' {
		s.Skip()
		return
	}
	for ok := s.Array(); ok; ok = s.NextElement() {
		v, n, isInt := p.argument()
		if isInt {
			p.mask = n
		}
		if len(p.args) > 0 {
			p.args = append(p.args, ", "...)
		}
		p.args = append(p.args, v...)
	}
}

// argument reads a KprobeArgument and renders it; n is its number, where it is
// one.
func (p *parser) argument() (text []byte, n int64, isInt bool) {
	s := &p.s
	if s.Kind() != '{' {
		return clip(s.Text()), 0, false
	}
	start := len(p.buf)
	for ok := s.Object(); ok; ok = s.NextMember() {
		key := s.Key()
		if string(key) == "label" {
			s.Skip()
			continue
		}
		if len(p.buf) > start {
			p.buf = append(p.buf, ' ')
		}
		switch string(key) {
		case "int_arg", "uint_arg", "long_arg", "size_arg":
			v := s.Text()
			n, isInt = number(v)
			p.buf = append(p.buf, v...)
		case "string_arg":
			v := s.Text()
			if p.text == nil {
				p.text = v
			}
			p.buf = append(p.buf, clip(v)...)
		case "bytes_arg":
			p.bytes(s.Text())
		case "truncated_bytes_arg":
			p.truncated()
		case "file_arg", "path_arg", "linux_binprm_arg":
			p.path()
		case "sock_arg", "skb_arg":
			p.each(p.socket)
			p.buf = p.sock.render(p.buf)
		case "sockaddr_arg":
			p.each(p.sockaddr)
			p.buf = p.sock.render(p.buf)
		default:
			p.buf = append(append(p.buf, bytes.TrimSuffix(key, []byte("_arg"))...), '=')
			p.render(s.Kind())
		}
	}
	return p.buf[start:len(p.buf):len(p.buf)], n, isInt
}

func number(v []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil
}

// render appends a value as text: an object as "name=value name=value".
func (p *parser) render(kind byte) {
	if kind != '{' {
		p.buf = append(p.buf, clip(p.s.Text())...)
		return
	}
	p.buf = append(p.buf, '{')
	first := true
	p.each(func(key []byte) {
		if !first {
			p.buf = append(p.buf, ' ')
		}
		first = false
		p.buf = append(append(p.buf, key...), '=')
		p.buf = append(p.buf, clip(p.s.Text())...)
	})
	p.buf = append(p.buf, '}')
}

// clip cuts text at the bound, and says so. The buffer behind it is not touched.
func clip(v []byte) []byte {
	if len(v) <= longest {
		return v
	}
	return append(v[:longest:longest], "…"...)
}

// bytes appends what base64 holds.
func (p *parser) bytes(v []byte) {
	cut := v
	if most := base64.StdEncoding.EncodedLen(longest + longest%3); len(v) > most {
		cut = v[:most]
	}
	out, err := base64.StdEncoding.AppendDecode(p.buf, cut)
	if err != nil {
		p.buf = append(p.buf, clip(v)...)
		return
	}
	p.buf = out
	if len(cut) < len(v) {
		p.buf = append(p.buf, "…"...)
	}
}

func (p *parser) truncated() {
	p.each(func(key []byte) {
		switch v := p.s.Text(); string(key) {
		case "bytes_arg":
			p.bytes(v)
		case "orig_size":
			p.buf = append(append(append(p.buf, " (of "...), v...), " bytes)"...)
		}
	})
}

// path appends a file's path; the first is what the event is about.
func (p *parser) path() {
	var mount, path, flags, mode []byte
	p.each(func(key []byte) {
		switch v := p.s.Text(); string(key) {
		case "mount":
			mount = v
		case "path":
			path = v
		case "flags":
			flags = v
		case "permission":
			mode = v
		}
	})
	start := len(p.buf)
	p.buf = append(append(p.buf, mount...), path...)
	if whole := p.buf[start:len(p.buf):len(p.buf)]; !p.ev.Has(timeline.FilePath) {
		p.ev.Str(timeline.FilePath, whole)
		p.ev.Str(timeline.FileMode, mode)
	}
	if len(flags) > 0 {
		p.buf = append(append(append(p.buf, " ("...), flags...), ')')
	}
}
