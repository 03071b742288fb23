package testbed

import (
	"errors"
	"os"
	"path/filepath"
)

// kubeletShell runs kubelet in a mount namespace where it finds the kernel's
// settings as it wants to have them, which it would else change for the whole
// machine, and a /var/log and /var/lib/kubelet of its own. $0 is the cluster's folder: what is
// mounted below is shared with the machine, the rest is not.
const kubeletShell = `set -e
for p in /proc/sys/vm /proc/sys/kernel /proc/sys/kernel/keys /var/log /var/lib/kubelet; do
	mount --make-private "$(findmnt --noheadings --first-only --output TARGET --target "$p")"
done
pretend() {
	[ -e "/proc/sys/$1" ] || return 0
	echo "$2" >"$0/home/setting-$2"
	mount --bind "$0/home/setting-$2" "/proc/sys/$1"
}
pretend vm/overcommit_memory 1
pretend vm/panic_on_oom 0
pretend kernel/panic 10
pretend kernel/panic_on_oops 1
pretend kernel/keys/root_maxkeys 1000000
pretend kernel/keys/root_maxbytes 25000000
mount --bind "$0/log" /var/log
mount --bind "$0/fixed" /var/lib/kubelet
exec "$@"`

// kubeletFixed is where kubelet has its device plugins' socket, whatever its
// --root-dir is, and throws away another kubelet's.
const kubeletFixed = "/var/lib/kubelet"

// makeFixed makes that folder where it is not there, so that kubelet can have
// its own in its place. Whoever made it removes it where it is empty.
func (k *Kubernetes) makeFixed() error {
	if _, err := os.Stat(kubeletFixed); !os.IsNotExist(err) {
		return err
	}
	k.Made = kubeletFixed
	return errors.Join(k.save(), os.MkdirAll(kubeletFixed, 0o755))
}

func (k *Kubernetes) kubeletArgv() []string {
	return append([]string{
		"unshare", "--mount", "--propagation", "unchanged", "sh", "-c", kubeletShell, k.Dir,
		filepath.Join(binDir(kubernetesDir), "kubelet"),
		"--config=" + k.path("kubelet.json"), "--kubeconfig=" + k.path("kubelet.kubeconfig"),
		"--root-dir=" + k.KubeletRoot, "--cert-dir=" + k.pki(), "--hostname-override=" + k.NodeName,
		"--node-ip=" + k.Gateway4.String() + "," + k.Gateway6.String(), "--v=2",
	}, k.kubeletArgs...)
}

// kubeletConfig never evicts a pod or removes an image, whatever the machine's
// disk looks like: no image could be pulled again.
func (k *Kubernetes) kubeletConfig() any {
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"containerRuntimeEndpoint": "unix://" + k.Containerd.Address,
		"address":                  k.Gateway4.String(), "port": k.KubeletPort, "healthzPort": 0, "readOnlyPort": 0,
		"tlsCertFile": k.path("pki/kubelet-server.crt"), "tlsPrivateKeyFile": k.path("pki/kubelet-server.key"),
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false}, "webhook": map[string]any{"enabled": true},
			"x509": map[string]any{"clientCAFile": k.path("pki/ca.crt")},
		},
		"authorization": map[string]any{"mode": "Webhook"},
		"cgroupDriver":  "cgroupfs", "cgroupRoot": "/" + k.Containerd.Namespace, "failCgroupV1": false, "failSwapOn": false,
		"enforceNodeAllocatable": []string{"none"}, "localStorageCapacityIsolation": false,
		"evictionHard":                map[string]string{"memory.available": "1Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%", "imagefs.inodesFree": "0%"},
		"imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
		"makeIPTablesUtilChains": false, "oomScoreAdj": 0, "resolvConf": k.path("resolv.conf"),
		"podLogsDir": k.PodLogs, "volumePluginDir": k.path("kubelet/volumeplugins"),
		"nodeStatusUpdateFrequency": "2s", "syncFrequency": "10s", "nodeLeaseDurationSeconds": 40,
		"registerNode": true, "enableServer": true, "serializeImagePulls": false,
		"clusterDomain": "cluster.local", "clusterDNS": []string{k.ClusterDNS.String()},
	}
}
