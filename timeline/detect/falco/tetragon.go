package falco

import (
	"bytes"

	"amber/timeline/detect"
)

// tetragonField is what Tetragon alone has: containers, pods, ancestors and
// capabilities. It has no flags of opened files and no results of calls that its
// policy does not ask for.
func tetragonField(o operand) accessor {
	if o.field == "proc.aname" || o.field == "proc.aexepath" || o.field == "proc.aexe" {
		return ancestors(o)
	}
	if o.field == "proc.env" {
		return environment(o)
	}
	if o.hasArg {
		return nil
	}
	switch o.field {
	case "proc.vpid":
		return column("tetragon.container.pid")
	case "evt.type", "syscall.type":
		return tetragonCall
	case "proc.pname":
		return mapped(column("process.parent.executable"), basename)
	case "proc.pexepath":
		return column("process.parent.executable")
	case "proc.pexe":
		return mapped(column("process.parent.command_line", "process.parent.executable"), firstWord)
	case "proc.pcmdline":
		return column("process.parent.command_line")
	case "thread.cap_effective":
		return column("process.thread.capabilities.effective")
	case "thread.cap_permitted":
		return column("process.thread.capabilities.permitted")
	case "proc.is_exe_from_memfd":
		return fromMemory
	}
	return containerField(o.field)
}

func containerField(field string) accessor {
	switch field {
	case "container.id":
		return otherwise(mapped(column("container.id"), shortID), "host")
	case "container.full_id":
		return column("container.id")
	case "container.name":
		return otherwise(column("container.name"), "host")
	case "container.image":
		return column("container.image.name")
	case "container.image.repository":
		return mapped(column("container.image.name"), imageName)
	case "container.image.tag":
		return mapped(column("container.image.name"), imageTag)
	case "container.image.digest":
		return mapped(column("container.image.hash.all"), digest)
	case "container.type":
		return column("container.runtime")
	case "container.privileged":
		return column("container.security_context.privileged")
	case "k8s.ns.name", "k8smeta.ns.name":
		return column("orchestrator.namespace")
	case "k8s.pod.name", "k8smeta.pod.name":
		return column("orchestrator.resource.name")
	case "k8s.pod.uid", "k8s.pod.id", "k8smeta.pod.uid":
		return column("orchestrator.resource.id")
	}
	return nil
}

// tetragonCall is the system call behind a kind of event, or behind a traced
// function of the kernel.
func tetragonCall(s *scratch, v detect.View) bool {
	switch string(s.word(v, "event.action")) {
	case "executed":
		s.addString("execve")
	case "exited":
		s.addString("procexit")
	case "connected-to":
		s.addString("connect")
	case "accepted-connection-from":
		s.addString("accept")
	case "listen-for-connections":
		s.addString("listen")
	case "opened-file":
		s.addString("openat")
	default:
		call := s.word(v, "tetragon.function_name")
		i := bytes.Index(call, []byte("sys_"))
		if i < 0 {
			return false
		}
		call = call[i+len("sys_"):]
		call = bytes.TrimPrefix(bytes.TrimPrefix(call, []byte("enter_")), []byte("exit_"))
		s.add(call)
	}
	return true
}

// shortID is the first twelve characters, which is what Falco calls the id.
func shortID(buf, id []byte) ([]byte, bool) { return append(buf, id[:min(12, len(id))]...), true }

// imageName is an image without tag and digest; a registry's port is no tag.
func imageName(buf, image []byte) ([]byte, bool) {
	name, _ := splitImage(image)
	return append(buf, name...), true
}

func imageTag(buf, image []byte) ([]byte, bool) {
	_, tag := splitImage(image)
	return append(buf, tag...), len(tag) > 0
}

func splitImage(image []byte) (name, tag []byte) {
	image, _, _ = bytes.Cut(image, []byte("@"))
	if i := bytes.LastIndexByte(image, ':'); i > bytes.LastIndexByte(image, '/') {
		return image[:i], image[i+1:]
	}
	return image, nil
}

func digest(buf, hash []byte) ([]byte, bool) {
	return append(buf, hash[bytes.LastIndexByte(hash, '@')+1:]...), true
}
