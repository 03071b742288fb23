package prose

import (
	"bytes"

	"amber/timeline"
)

// engine finds the container in a request to dockerd, /v1.45/containers/web/exec.
func (r *Reader) engine(path []byte) {
	_, rest, ok := cut(path, "/containers/")
	name, what, ok2 := cut(rest, "/")
	if !ok || !ok2 {
		return
	}
	if isHex(name) {
		r.E.Str(timeline.ContainerID, name)
	} else {
		r.E.Str(timeline.ContainerName, name)
	}
	if string(what) == "exec" || string(what) == "attach" {
		r.E.Str(timeline.EventAction, what)
	}
}

// kubelet finds what a request to a kubelet's own API asks of which container:
// /exec/NAMESPACE/POD/CONTAINER?command=sh, /run/…?cmd=id.
func (r *Reader) kubelet(uri []byte) {
	path, query, _ := cut(uri, "?")
	verb, rest, _ := cut(bytes.TrimPrefix(path, []byte("/")), "/")
	switch string(verb) {
	case "exec", "run":
		r.E.Const(timeline.EventAction, "exec")
	case "attach":
		r.E.Const(timeline.EventAction, "attach")
	case "portForward":
		r.E.Const(timeline.EventAction, "port-forward")
	case "containerLogs":
	default:
		return
	}
	namespace, rest, ok := cut(rest, "/")
	pod, rest, _ := cut(rest, "/")
	if !ok {
		return
	}
	if _, last, ok := cutLast(rest, "/"); ok { // behind the uid
		rest = last
	}
	r.E.Str(timeline.OrchestratorNamespace, namespace)
	r.object("pod", pod)
	r.E.Str(timeline.ContainerName, rest)
	mark := len(r.Text)
	for part := range bytes.SplitSeq(query, []byte{'&'}) {
		key, v, _ := cut(part, "=")
		if string(key) != "command" && string(key) != "cmd" {
			continue
		}
		if len(r.Text) > mark {
			r.Text.Byte(' ')
		}
		r.Text.Unescaped(v)
	}
	r.E.Str(timeline.ProcessCommandLine, r.Text.Since(mark))
}
