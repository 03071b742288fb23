package containerlog

import (
	"path/filepath"
	"strings"

	"amber/timeline"
)

// PlaceOf is what a path tells, as records carry it in Group: namespace, pod, its
// uid, the container's name and id, with tabs between, which no name of these has.
// Paths are those of kubelet, /var/log/pods/NAMESPACE_POD_UID/CONTAINER/N.log and
// /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log, and Docker's,
// containers/ID/ID-json.log and containers/ID/local-logs/container.log.
func PlaceOf(path string) []byte {
	base := strings.TrimSuffix(filepath.Base(path), ".gz")
	dir := filepath.Base(filepath.Dir(path))
	if name, _, ok := strings.Cut(base, "-json.log"); ok && isID(name) {
		return fields("", "", "", "", name)
	}
	if name, ok := strings.CutSuffix(base, ".log"); ok && strings.Count(name, "_") == 2 {
		parts := strings.Split(name, "_")
		if i := strings.LastIndexByte(parts[2], '-'); i > 0 && isID(parts[2][i+1:]) {
			return fields(parts[1], parts[0], "", parts[2][:i], parts[2][i+1:])
		}
	}
	if id := filepath.Base(filepath.Dir(filepath.Dir(path))); dir == "local-logs" && strings.HasPrefix(base, "container.log") && isID(id) {
		return fields("", "", "", "", id)
	}
	pod := strings.Split(filepath.Base(filepath.Dir(filepath.Dir(path))), "_")
	if len(pod) == 3 && base != "" && base[0] >= '0' && base[0] <= '9' {
		return fields(pod[0], pod[1], pod[2], dir, "")
	}
	return nil
}

func fields(values ...string) []byte {
	for _, v := range values {
		if strings.ContainsAny(v, "\t\x00") {
			return nil
		}
	}
	return []byte(strings.Join(values, "\t"))
}

func isID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// place puts what the path tells into the event.
func place(e *timeline.Event, group []byte) {
	for i := 0; len(group) > 0 && i < 5; i++ {
		n := 0
		for n < len(group) && group[n] != '\t' {
			n++
		}
		v := group[:n]
		group = group[min(n+1, len(group)):]
		switch i {
		case 0:
			e.Str(timeline.OrchestratorNamespace, v)
		case 1:
			e.Str(timeline.OrchestratorResourceName, v)
			if n > 0 {
				e.Const(timeline.OrchestratorResourceType, "pods")
			}
		case 2:
			e.Str(timeline.OrchestratorResourceID, v)
		case 3:
			e.Str(timeline.ContainerName, v)
		case 4:
			e.Str(timeline.ContainerID, v)
		}
	}
}
