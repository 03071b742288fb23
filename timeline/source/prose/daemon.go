package prose

import (
	"bytes"

	"amber/timeline"
)

// Klog reads a line of klog's: "I1122 13:05:01.123456    1234 kubelet.go:2100]
// "SyncLoop ADD" source="api" pods=["shop/web"]". It has neither year nor zone.
func (r *Reader) Klog(line []byte) bool {
	level := klogLevel(line)
	if level == "" {
		return false
	}
	head, text, ok := cut(line, "] ")
	if !ok || len(head) > 160 {
		head, text, ok = cut(line, "]")
		if !ok || len(head) > 160 {
			return false
		}
	}
	if len(head) <= 21 {
		return false
	}
	thread, where := word(head[21:])
	file, number, ok := cutLast(where, ":")
	month, dayOf := number2(line[1:3]), number2(line[3:5])
	if !ok || month < 1 || dayOf < 1 || number2(line[6:8]) < 0 {
		return false
	}
	e := r.E
	e.Time, _ = NearYear(r.Written, month, dayOf, line[6:21])
	r.zoneless(true)
	e.Const(timeline.LogLevel, level)
	e.Put("process.thread.id", thread)
	e.Put("log.origin.file.name", file)
	e.Put("log.origin.file.line", number)
	r.said(text)
	return true
}

// klogLevel is the word for the letter that a line of klog's begins with.
func klogLevel(b []byte) string {
	if len(b) < 30 || b[5] != ' ' || b[8] != ':' || b[11] != ':' || b[14] != '.' {
		return ""
	}
	switch b[0] {
	case 'I':
		return "info"
	case 'W':
		return "warning"
	case 'E':
		return "error"
	case 'F':
		return "fatal"
	}
	return ""
}

// said reads klog's structured messages, `"words" key="value"`, and what is
// prose.
func (r *Reader) said(text []byte) {
	words, rest, ok := quoted(text)
	if !ok {
		r.E.Str(timeline.Message, text)
		r.act(text)
		return
	}
	words = r.unquoted(words)
	r.E.Str(timeline.Message, text)
	r.act(words)
	r.fields(rest)
}

// acts are what kubelet, containerd and dockerd say of the life of containers,
// by how it begins.
var acts = [...]struct{ begins, action, category, kind string }{
	{"SyncLoop ADD", "pod_added", "process", "start"},
	{"SyncLoop DELETE", "pod_deleted", "process", "end"},
	{"SyncLoop REMOVE", "pod_removed", "process", "end"},
	{"SyncLoop (PLEG)", "container_changed", "process", "change"},
	{"Killing container", "container_kill", "process", "end"},
	{"RemoveContainer", "container_remove", "process", "deletion"},
	{"CreateContainer within", "container_create", "process", "creation"},
	{"CreateContainer ", "container_create", "process", "creation"},
	{"StartContainer", "container_start", "process", "start"},
	{"StopContainer", "container_stop", "process", "end"},
	{"RunPodSandbox", "sandbox_run", "process", "start"},
	{"StopPodSandbox", "sandbox_stop", "process", "end"},
	{"RemovePodSandbox", "sandbox_remove", "process", "deletion"},
	{"PullImage", "image_pull", "package", "installation"},
	{"Pulled image", "image_pull", "package", "installation"},
	{"Pulling image", "image_pull", "package", "installation"},
	{"ExecSync", "exec", "process", "start"},
	{"Exec for", "exec", "process", "start"},
	{"Attach for", "attach", "process", "access"},
	{"ImageCreate", "image_pull", "package", "installation"},
	{"ImageDelete", "image_delete", "package", "deletion"},
	{"shim disconnected", "shim_disconnected", "process", "end"},
	{"received container exit event", "container_exit", "process", "end"},
	{"starting signal loop", "shim_started", "process", "start"},
	{"Created container", "container_create", "process", "creation"},
	{"Started container", "container_start", "process", "start"},
	{"Stopped container", "container_stop", "process", "end"},
	{"Removed container", "container_remove", "process", "deletion"},
	{"Ran pod sandbox", "sandbox_run", "process", "start"},
	{"Stopped pod sandbox", "sandbox_stop", "process", "end"},
	{"Removed pod sandbox", "sandbox_remove", "process", "deletion"},
	{"Container failed liveness probe", "probe_failed", "process", "error"},
	{"Probe failed", "probe_failed", "process", "error"},
	{"Eviction manager: ", "eviction", "process", "info"},
	{"ignoring event", "container_event", "process", "info"},
	{"Starting up", "daemon_start", "process", "start"},
	{"Daemon shutdown complete", "daemon_stop", "process", "end"},
	{"starting containerd", "daemon_start", "process", "start"},
	{"Starting kubelet", "daemon_start", "process", "start"},
	{"Calling ", "api_call", "api", "access"},
	{"HTTP", "api_call", "web", "access"},
}

// act names what a message tells, and takes from it the container and the image
// that it names.
func (r *Reader) act(m []byte) {
	for _, a := range &acts {
		if rest, ok := has(m, a.begins); ok {
			r.E.Const(timeline.EventAction, a.action)
			r.kinds(a.category, a.kind)
			r.about(a.action, rest)
			return
		}
	}
}

// about finds a container's id and an image in what containerd and CRI-O say:
// `StartContainer for "ID" returns successfully`, `PullImage "NAME" returns …`,
// `Created container ID: NS/POD/NAME`.
func (r *Reader) about(action string, rest []byte) {
	e := r.E
	if action == "api_call" {
		method, path := word(rest)
		if len(path) > 0 && path[0] == '/' {
			e.Str(timeline.HTTPMethod, method)
			e.Str(timeline.URL, path)
			r.engine(path)
		}
		return
	}
	if _, code, ok := cut(rest, " exit_status:"); ok {
		code, _ = word(code)
		r.number(timeline.ProcessExitCode, code)
	}
	if _, command, ok := cutLast(rest, " with command ["); ok && action == "exec" {
		command, _, _ = cutLast(command, "]")
		e.Str(timeline.ProcessCommandLine, command)
	}
	if sandbox, ok := has(rest, ` sandbox "`); ok { // the container's own id comes with the answer
		r.inSandbox(sandbox)
	} else if _, after, ok := cut(rest, `"`); ok {
		name, _, _ := cut(after, `"`)
		switch {
		case action == "image_pull":
			e.Str(timeline.ContainerImageName, name)
		case isHex(name):
			e.Str(timeline.ContainerID, name)
		}
	} else if w, more := word(rest); isHex(bytes.TrimRight(w, ":,")) {
		e.Str(timeline.ContainerID, bytes.TrimRight(w, ":,"))
		r.podPath(more)
	}
	switch {
	case bytes.Contains(rest, []byte(" returns successfully")), bytes.Contains(rest, []byte(" returns image reference")), bytes.Contains(rest, []byte(" returns container id")), bytes.Contains(rest, []byte(" returns sandbox id")):
		r.outcome(true)
	case bytes.Contains(rest, []byte("failed")):
		r.outcome(false)
	}
	if _, meta, ok := cut(rest, "&ContainerMetadata{Name:"); ok {
		name, _, _ := cut(meta, ",")
		e.Str(timeline.ContainerName, name)
	}
	if _, meta, ok := cut(rest, "&PodSandboxMetadata{Name:"); ok {
		name, meta, _ := cut(meta, ",")
		r.object("pod", name)
		if _, uid, ok := cut(meta, "Uid:"); ok {
			uid, meta, _ = cut(uid, ",")
			e.Str(timeline.OrchestratorResourceID, uid)
		}
		if _, ns, ok := cut(meta, "Namespace:"); ok {
			ns, _, _ = cut(ns, ",")
			e.Str(timeline.OrchestratorNamespace, ns)
		}
	}
}

// inSandbox reads `ID" for container &ContainerMetadata{…} returns container id "ID"`.
func (r *Reader) inSandbox(rest []byte) {
	sandbox, rest, _ := cut(rest, `"`)
	if isHex(sandbox) {
		r.E.Put("container.sandbox.id", sandbox)
	}
	if _, id, ok := cut(rest, ` returns container id "`); ok {
		if id, _, _ = cut(id, `"`); isHex(id) {
			r.E.Str(timeline.ContainerID, id)
		}
	}
}

// podPath reads CRI-O's NAMESPACE/POD/CONTAINER.
func (r *Reader) podPath(b []byte) {
	path, _ := word(b)
	namespace, rest, ok := cut(path, "/")
	pod, name, ok2 := cut(rest, "/")
	if ok {
		r.E.Str(timeline.OrchestratorNamespace, namespace)
		r.object("pod", pod)
	}
	if ok2 {
		r.E.Str(timeline.ContainerName, name)
	}
}
