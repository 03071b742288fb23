package auditd

import (
	"bytes"

	"amber/evidence/record"
	"amber/timeline"
)

// commandLine is the arguments of EXECVE, else the process's title, which the
// process can change and the kernel cuts at 128 bytes.
func (p *parser) commandLine() {
	title := p.title()
	if p.find("EXECVE") == nil {
		if !p.ev.Has(timeline.ProcessCommandLine) {
			p.ev.Str(timeline.ProcessCommandLine, title)
		}
		return
	}
	args, whole := p.arguments()
	line := p.withoutNUL(p.joined(args))
	p.ev.Str(timeline.ProcessCommandLine, line)
	if !bytes.Equal(title, line) && len(title) > 0 && !bytes.HasPrefix(line, title) {
		p.ev.Put("process.title", title)
	}
	if ambiguous(args) {
		p.ev.Put("process.args", p.argsJSON(args))
	}
	if !whole {
		p.put("auditd.incomplete", p.str("EXECVE"))
	}
}

func (p *parser) title() []byte {
	a := p.find("PROCTITLE")
	if a == nil {
		return nil
	}
	for _, f := range a.fields {
		if string(f.key) == "proctitle" && !absent(f) {
			return p.withoutNUL(p.decoded(f))
		}
	}
	return nil
}

func (p *parser) joined(args [][]byte) []byte {
	start := len(p.buf)
	for i, a := range args {
		if i > 0 {
			p.buf = append(p.buf, ' ')
		}
		p.buf = append(p.buf, a...)
	}
	return p.buf[start:len(p.buf):len(p.buf)]
}

// ambiguous reports arguments that the joined line does not tell apart.
func ambiguous(args [][]byte) bool {
	for _, a := range args {
		if len(a) == 0 || bytes.ContainsAny(a, " \t\n") {
			return true
		}
	}
	return false
}

func (p *parser) argsJSON(args [][]byte) []byte {
	start := len(p.buf)
	for i, a := range args {
		p.buf = append(p.buf, ",["[b2i(i == 0)])
		p.buf = record.AppendString(p.buf, string(bytes.ToValidUTF8(a, []byte("\uFFFD"))))
	}
	p.buf = append(p.buf, ']')
	return p.buf[start:len(p.buf):len(p.buf)]
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
