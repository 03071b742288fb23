package critical

import (
	"path"
	"slices"
	"strings"

	"amber/container/procfs"
	"amber/evidence/safetext"
)

// role is something that a node or a cluster stands on, and the names by which
// it is known. Names can be taken by anybody: a reason says which name it was.
type role struct {
	what     string
	programs []string // file names of executables
	images   []string // last element of an image's name, or its last two
	labels   []string // values of the labels of labelKeys; names of containers
}

var roles = []role{
	{
		what: "a container runtime or the kubelet",
		programs: []string{
			"containerd", "dockerd", "crio", "kubelet", "k3s", "rke2", "podman", "conmon", "cri-dockerd",
			"containerd-shim", "containerd-shim-runc-v2", "k0s", "microk8s",
		},
		images: []string{"containerd", "dockerd", "dind", "kubelet", "hyperkube", "kindest/node", "rancher/k3s", "rancher/rke2"},
		labels: []string{"kubelet", "containerd", "dockerd"},
	},
	{
		what: "the node's network (CNI agent or kube-proxy)",
		programs: []string{
			"calico-node", "cilium-agent", "flanneld", "kube-proxy", "antrea-agent", "weaver", "kube-router",
			"ovnkube", "ovs-vswitchd", "ovsdb-server", "kindnetd", "aws-k8s-agent", "azure-cns", "multus-daemon", "canal",
		},
		images: []string{
			"calico/node", "cilium/cilium", "flannel", "kube-proxy", "antrea-agent-ubuntu", "antrea-ubuntu", "weave-kube",
			"kube-router", "kube-ovn", "kindnetd", "amazon-k8s-cni", "azure-cns", "multus-cni", "calico-node", "mirrored-calico-node",
		},
		labels: []string{
			"calico-node", "cilium", "cilium-agent", "kube-flannel", "flannel", "kube-proxy", "antrea-agent", "weave-net",
			"kube-router", "ovnkube-node", "ovs-ovn", "kindnet", "aws-node", "azure-cns", "multus", "canal", "netd",
		},
	},
	{
		what:     "the cluster's or the node's name service (DNS)",
		programs: []string{"coredns", "kube-dns", "systemd-resolved", "node-cache", "dnsmasq-nanny"},
		images:   []string{"coredns", "k8s-dns-kube-dns", "k8s-dns-node-cache", "k8s-dns-dnsmasq-nanny"},
		labels:   []string{"kube-dns", "coredns", "node-local-dns", "k8s-dns-node-cache"},
	},
	{
		what: "a CSI storage driver",
		images: []string{
			"csi-node-driver-registrar", "csi-attacher", "csi-provisioner", "csi-resizer", "csi-snapshotter", "cephcsi",
			"aws-ebs-csi-driver", "aws-efs-csi-driver", "azuredisk-csi", "azurefile-csi", "gcp-compute-persistent-disk-csi-driver",
			"longhorn-manager", "longhorn-engine", "secrets-store-csi-driver", "csi-node", "vsphere-csi-driver", "nfsplugin", "smbplugin",
		},
		labels: []string{
			"node-driver-registrar", "csi-node-driver-registrar", "ebs-csi-node", "efs-csi-node", "csi-rbdplugin", "csi-cephfsplugin",
			"longhorn-manager", "longhorn-csi-plugin", "csi-azuredisk-node", "csi-azurefile-node", "gcp-compute-persistent-disk-csi-driver",
		},
	},
	{
		what:     "a part of the control plane",
		programs: []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "cloud-controller-manager"},
		images:   []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "cloud-controller-manager"},
		labels:   []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "cloud-controller-manager"},
	},
}

// labelKeys are the labels of pods and containers whose values are looked at.
var labelKeys = []string{
	"k8s-app", "app", "name", "component", "app.kubernetes.io/name", "app.kubernetes.io/component",
	"io.kubernetes.container.name",
}

// programs looks at what each process executes. "comm" is not asked, since a
// process may set it; the path may lie too, inside the container.
func (s *subject) programs() {
	dark := 0
	for _, pid := range s.pids {
		if pid == s.host.self.PID {
			continue
		}
		exe := procfs.Exe(pid)
		if exe == "" {
			dark++
			continue
		}
		for _, r := range roles {
			if slices.Contains(r.programs, path.Base(exe)) {
				s.because("it runs %s: process %d executes %s", r.what, pid, safetext.Line(exe))
			}
		}
		s.storage(pid, path.Base(exe))
	}
	if dark > 0 {
		s.unsure("what %d of its %d processes execute", dark, len(s.pids))
	}
}

// names looks at the container's image, labels and names.
func (s *subject) names() {
	image := Repository(s.Image.Ref)
	for _, r := range roles {
		if one, two := lastElements(image); one != "" && (slices.Contains(r.images, one) || slices.Contains(r.images, two)) {
			s.because("it is %s: its image is %s", r.what, safetext.Line(image))
		}
		for _, key := range labelKeys {
			if v := s.Labels[key]; v != "" && slices.Contains(r.labels, v) {
				s.because("it is %s: its label %s is %s", r.what, key, safetext.Line(v))
			}
		}
		if s.Pod != nil && system(s.Pod.Namespace) && slices.Contains(r.labels, s.Pod.Container) {
			s.because("it is %s: it is the container %s of %s", r.what, safetext.Line(s.Pod.Container), safetext.Line(s.Pod.Namespace))
		}
	}
}

// static: pods that the kubelet runs from files of its node. Their uid is a
// hash, 32 hexadecimal digits without dashes.
func (s *subject) static() {
	if s.Labels["tier"] == "control-plane" {
		s.because("it is a part of the control plane: its label tier is control-plane")
	}
	source := s.Labels["kubernetes.io/config.source"]
	if s.Spec != nil && source == "" {
		source = s.Spec.Annotations["kubernetes.io/config.source"]
	}
	switch {
	case source == "file" || source == "http":
		s.because("it is a static pod of this node: kubernetes.io/config.source is %s", source)
	case s.Pod != nil && len(s.Pod.UID) == 32 && strings.Trim(s.Pod.UID, "0123456789abcdef") == "":
		s.because("it is a static pod of this node: its uid %s is a file's hash", s.Pod.UID)
	case s.Pod != nil && s.Pod.Namespace == "kube-system" && (s.Pod.Container == "etcd" || s.Labels["component"] == "etcd"):
		s.because("it is a part of the control plane: etcd in kube-system")
	}
}

// system reports whether a namespace is one where clusters keep their own.
func system(ns string) bool {
	return strings.HasPrefix(ns, "kube-") || slices.Contains([]string{
		"calico-system", "tigera-operator", "cilium", "antrea-system", "weave", "openshift-sdn",
		"openshift-ovn-kubernetes", "openshift-dns", "longhorn-system", "rook-ceph",
	}, ns)
}

// Repository is an image's reference without tag and digest.
func Repository(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		ref = ref[:i]
	}
	return ref
}

func lastElements(image string) (one, two string) {
	one = path.Base(image)
	if image == "" {
		return "", ""
	}
	return one, path.Base(path.Dir(image)) + "/" + one
}
