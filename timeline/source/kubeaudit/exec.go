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
		case "command", "cmd":
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

// kubelet reads what was asked of a node's kubelet through the API server, which
// sees a request to the node alone: /api/v1/nodes/NODE/proxy/exec/NS/POD[/UID]/NAME.
func (p *parser) kubelet() {
	_, path, ok := bytes.Cut(p.a.uri, []byte("/proxy/"))
	if !ok {
		return
	}
	path, _, _ = bytes.Cut(path, []byte{'?'})
	verb, path, _ := bytes.Cut(path, []byte{'/'})
	action := ""
	switch string(verb) {
	case "exec", "run":
		action = "exec"
	case "attach":
		action = "attach"
	case "portForward":
		action = "port-forward"
	case "containerLogs":
	default:
		return
	}
	namespace, path, _ := bytes.Cut(path, []byte{'/'})
	pod, path, _ := bytes.Cut(path, []byte{'/'})
	if i := bytes.LastIndexByte(path, '/'); i >= 0 { // behind the uid
		path = path[i+1:]
	}
	p.e.Str(timeline.OrchestratorNamespace, namespace)
	p.e.Put("kubernetes.pod.name", pod)
	p.e.Str(timeline.ContainerName, path)
	if action != "" {
		p.e.Const(timeline.EventAction, action)
		p.e.Put("kubernetes.audit.verb", p.a.verb)
		p.e.AddConst(timeline.EventCategory, "session")
		p.tag(true, action)
	}
	p.session()
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
