package prose

import (
	"bytes"

	"amber/timeline"
)

// maxPairs bounds the keys of a line that become fields.
const maxPairs = 64

// pair is the next key=value of a line, and the rest; not ok is that there is
// none. A value may be in quotes, in which escapes are undone.
func (r *Reader) pair(b []byte) (key, value, rest []byte, ok bool) {
	b = bytes.TrimLeft(b, " ")
	n := keyLength(b)
	if n == 0 || n == len(b) || b[n] != '=' {
		return nil, nil, b, false
	}
	key, b = b[:n], b[n+1:]
	switch {
	case len(b) > 0 && b[0] == '"':
		v, rest, ok := quoted(b)
		if !ok {
			return key, b[1:], nil, true // the quotes do not end
		}
		return key, r.unquoted(v), rest, true
	case len(b) > 0 && (b[0] == '{' || b[0] == '['):
		if end := object(b); end > 0 {
			return key, b[:end], b[end:], true
		}
	}
	value, rest = word(b)
	if len(b) > 0 && b[0] == ' ' { // key= and nothing
		return key, nil, b, true
	}
	return key, value, rest, true
}

// keyLength is how many bytes of a key a text begins with.
func keyLength(b []byte) int {
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '-', c == '.', c == '/', c >= '0' && c <= '9' && i > 0:
		default:
			return i
		}
		if i > 64 {
			return 0
		}
	}
	return len(b)
}

// object is where what begins with a bracket ends, 0 where it does not.
func object(b []byte) int {
	depth, in := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case in && c == '\\':
			i++
		case c == '"':
			in = !in
		case in:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// unquoted undoes the escapes of a string of Go's or JSON's.
func (r *Reader) unquoted(v []byte) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v
	}
	mark := len(r.Text)
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c == '\\' && i+1 < len(v) {
			i++
			switch c = v[i]; c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			case '"', '\\', '/', '\'':
			default:
				r.Text.Byte('\\')
			}
		}
		r.Text.Byte(c)
	}
	return r.Text.Since(mark)
}

// fields are the pairs that a line ends with.
func (r *Reader) fields(b []byte) {
	for range maxPairs {
		key, v, rest, ok := r.pair(b)
		if !ok {
			if w, after := word(b); len(w) > 0 { // a word that is none
				b = after
				continue
			}
			return
		}
		r.field(key, v)
		b = rest
	}
	r.E.Put("log.rest", b)
}

// field puts a key that daemons of nodes use into its column, and any other
// under log.fields.
func (r *Reader) field(key, v []byte) {
	e := r.E
	if len(v) == 0 {
		return
	}
	switch string(key) {
	case "err", "error":
		e.Str(timeline.ErrorMessage, v)
	case "pod", "podName", "pod_name", "pod-name", "k8sPodName":
		r.object("pod", v)
	case "pods": // ["shop/web-1"]
		if name, ok := has(v, `["`); ok && bytes.Count(v, []byte(`"`)) == 2 {
			r.object("pod", bytes.TrimSuffix(name, []byte(`"]`)))
		}
	case "namespace", "podNamespace", "pod-namespace", "k8sNamespace":
		if string(v) == "k8s.io" || string(v) == "moby" { // containerd's own word
			break
		}
		e.Str(timeline.OrchestratorNamespace, v)
	case "podUID", "pod_uid":
		e.Str(timeline.OrchestratorResourceID, v)
	case "service", "node", "deployment", "job", "daemonset", "replicaset", "secret", "configmap":
		if !e.Has(timeline.OrchestratorResourceName) {
			r.object(string(key), v)
		}
	case "containerID", "container", "container_id", "sandboxID":
		if _, id, ok := cut(v, "://"); ok {
			v = id
		}
		if isHex(v) {
			e.Str(timeline.ContainerID, v)
		} else if string(key) == "container" {
			e.Str(timeline.ContainerName, v)
		}
	case "containerName":
		e.Str(timeline.ContainerName, v)
	case "image", "imageName":
		e.Str(timeline.ContainerImageName, v)
	case "pid", "PID":
		r.number(timeline.ProcessPID, v)
	case "description": // CRI-O's
		if bytes.Count(v, []byte("/")) == 2 {
			r.podPath(v)
		}
	case "exitCode", "exit_status", "exitStatus":
		r.number(timeline.ProcessExitCode, v)
	case "user", "username":
		e.Str(timeline.UserName, v)
	case "path", "file":
		e.Str(timeline.FilePath, v)
	case "verb", "method":
		e.Str(timeline.HTTPMethod, v)
	case "URI", "url", "uri":
		e.Str(timeline.URL, v)
		r.kubelet(v)
	case "id": // containerd's
		if len(v) == 64 && isHex(v) && !e.Has(timeline.ContainerID) {
			e.Str(timeline.ContainerID, v)
		}
	case "userAgent", "user-agent":
		e.Str(timeline.UserAgent, v)
	case "srcIP", "remote", "clientIP", "remoteAddr":
		r.endpoint(timeline.SourceIP, timeline.SourcePort, v)
	case "resp", "status":
		if len(v) == 3 {
			r.number(timeline.HTTPStatus, v)
		}
	}
	e.More(r.Text.Named("log.fields.", key), v)
}

// object sets the object that a line is about, NAMESPACE/NAME or NAME.
func (r *Reader) object(kind string, v []byte) {
	if namespace, name, ok := cut(v, "/"); ok {
		r.E.Str(timeline.OrchestratorNamespace, namespace)
		v = name
	}
	r.E.Str(timeline.OrchestratorResourceType, kindName(kind))
	r.E.Str(timeline.OrchestratorResourceName, v)
}

func kindName(kind string) []byte {
	switch kind {
	case "pod":
		return []byte("pods")
	case "node":
		return []byte("nodes")
	case "service":
		return []byte("services")
	case "secret":
		return []byte("secrets")
	case "configmap":
		return []byte("configmaps")
	}
	return []byte(kind)
}

// endpoint reads "10.0.0.1:443", "[::1]:443" or an address alone.
func (r *Reader) endpoint(ip, port timeline.Field, v []byte) bool {
	v = bytes.Trim(v, `"`)
	if bytes.Count(v, []byte(":")) > 1 && v[0] != '[' && isIP(v) { // IPv6 has a port in brackets alone
		r.E.Str(ip, v)
		return true
	}
	host, n, ok := cutLast(v, ":")
	host = bytes.Trim(host, "[]")
	if ok && isIP(host) && number5(n) {
		r.E.Str(ip, host)
		r.number(port, n)
		return true
	}
	if v = bytes.Trim(v, "[]"); isIP(v) {
		r.E.Str(ip, v)
		return true
	}
	return false
}

func number5(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 5
}

// isHex reports an id of a container's.
func isHex(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(b) >= 12 && len(b) <= 64
}
