package kubeaudit

import (
	"bytes"

	"amber/timeline"
)

// session reads what an exec, attach or port-forward was asked for. The query
// has it: command=sh&command=-c&command=id&container=web&stdin=true&tty=true.
func (p *parser) session() {
	_, query, ok := bytes.Cut(p.a.uri, []byte{'?'})
	if !ok {
		return
	}
	var args [maxList][]byte
	n := 0
	for len(query) > 0 {
		var part []byte
		part, query, _ = bytes.Cut(query, []byte{'&'})
		key, value, _ := bytes.Cut(part, []byte{'='})
		switch string(key) {
		case "command":
			if n < len(args) {
				args[n] = p.text.Unescaped(value)
				n++
			}
		case "container":
			p.e.Str(timeline.ContainerName, p.text.Unescaped(value))
		case "stdin":
			p.e.Put("kubernetes.audit.exec.stdin", value)
		case "tty":
			p.e.Put("kubernetes.audit.exec.tty", value)
		case "ports":
			p.e.Put("kubernetes.audit.portforward.ports", p.text.Unescaped(value))
		}
	}
	p.e.Str(timeline.ProcessCommandLine, p.commandLine(args[:n]))
	if n > 0 {
		p.e.Str(timeline.ProcessExecutable, args[0])
	}
}

// commandLine quotes the arguments as a shell wants them.
func (p *parser) commandLine(args [][]byte) []byte {
	mark := len(p.text)
	for i, arg := range args {
		if i > 0 {
			p.text.Byte(' ')
		}
		p.text.Word(arg)
	}
	return p.text.Since(mark)
}
