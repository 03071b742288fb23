// Package nodelog reads the files that the daemons of a node and of the control
// plane write themselves: kubelet, kube-proxy, kube-apiserver, etcd and the
// controllers (klog, in text and in JSON, and zap), containerd, dockerd, CRI-O,
// Cilium and Flannel (logfmt, and dockerd in JSON), Calico and Multus.
//
// klog writes neither year nor zone: the year is that in which the file was last
// written, the zone is taken for UTC.
package nodelog

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/prose"
)

// Source is the source "node-log".
func Source() timeline.Source {
	return prose.Form{Name: "node-log", Dataset: "kubernetes.node_logs", Category: "process", Read: read}.Source()
}

func read(r *prose.Reader, line []byte) int {
	switch {
	case len(line) > 0 && line[0] == '{':
		if r.Objects(line) {
			if bytes.Contains(line, []byte(`"msg":`)) {
				return 66
			}
			return 40
		}
	case r.Klog(line):
		return 96
	case r.Logfmt(line):
		return 88
	case r.CNI(line):
		return 80
	}
	return 0
}
