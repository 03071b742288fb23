package containerd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/containers"
)

// criMetadata is the extension that containerd's CRI plugin keeps with a
// container.
const criMetadata = "io.cri-containerd.container.metadata"

const podLogs = "/var/log/pods"

// logFiles lists a container's log files that exist, rotated ones included, or
// says why there are none.
func logFiles(rec containers.Container, process *task.Process) ([]string, string) {
	dir, infix, note := logPlace(rec, process)
	return besides(dir, infix), note
}

// logPlace is the directory of a container's logs and what their names hold.
func logPlace(rec containers.Container, process *task.Process) (dir, infix, note string) {
	labels := rec.Labels
	switch {
	case labels[labelKind] == "sandbox":
		return "", "", ""
	case labels[labelContainer] != "":
		return criLogDir(rec), ".log", ""
	case labels[labelNerdctlDir] != "":
		return nerdctlLogDir(rec), "-json.log", ""
	case process.GetStdout() != "" && strings.HasPrefix(process.GetStdout(), "/"):
		return "", "", "logs: its output goes to a pipe (" + process.GetStdout() + "); what reads that is not known to containerd"
	case process.GetStdout() != "":
		return "", "", "logs: its output goes to " + process.GetStdout()
	}
	return "", "", "logs: containerd keeps none, and its output goes nowhere that it knows of"
}

// criLogDir is the directory of one container of a pod: kubelet keeps the
// logs of its earlier runs there too.
func criLogDir(rec containers.Container) string {
	var versioned struct{ Metadata struct{ LogPath string } }
	data := valueOf(rec.Extensions[criMetadata])
	if err := json.Unmarshal(data, &versioned); err == nil && filepath.IsAbs(versioned.Metadata.LogPath) {
		return filepath.Dir(filepath.Clean(versioned.Metadata.LogPath))
	}
	l := rec.Labels
	pod := strings.Join([]string{l[labelPodNamespace], l[labelPodName], l[labelPodUID]}, "_")
	if !plain(pod) || !plain(l[labelContainer]) {
		return ""
	}
	return filepath.Join(podLogs, pod, l[labelContainer])
}

// nerdctlLogDir is the label's directory, where it is one that can be this
// container's: labels can come from an image.
func nerdctlLogDir(rec containers.Container) string {
	dir := rec.Labels[labelNerdctlDir]
	if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || filepath.Base(dir) != rec.ID {
		return ""
	}
	return dir
}

// plain admits a name that is one element of a path.
func plain(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// besides lists the files of a directory whose names hold infix: the log in
// use, those that were rotated away and those that were compressed.
func besides(dir, infix string) []string {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var files []string
	for _, e := range entries {
		if strings.Contains(e.Name(), infix) && !e.IsDir() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	sort.Strings(files)
	return files
}
