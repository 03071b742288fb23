package testbed

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// KubernetesVersion is what kubelet and the API server say they are.
const KubernetesVersion = "v1.36.3"

// criNamespace is containerd's namespace of Kubernetes' containers.
const criNamespace = "k8s.io"

// Kubernetes is a real cluster of one node: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler and a kubelet on a private containerd
// 2.1.9 with CRIU. Pods have an IPv4 and an IPv6 address on a bridge of the
// cluster's own; nothing enforces NetworkPolicy and there is no kube-proxy and
// no DNS (see DNS), but the Service "kubernetes" answers pods at its ClusterIP. All
// addresses, names and cgroups are the cluster's own, so that several run
// beside each other. Pods reach the node, each other and the Peers, and
// nothing of the world outside. No setting of the machine is changed.
//
// Its images (Containers of namespace "k8s.io") are BusyboxImage and those
// given to ImportImage; pods must say imagePullPolicy: Never.
type Kubernetes struct {
	Dir        string      `json:"dir"`        // holds everything below
	Containerd *Containerd `json:"-"`          // Containerd.Address is the CRI's socket as well
	Kubeconfig string      `json:"kubeconfig"` // of a cluster admin
	Server     string      `json:"server"`     // https://IP:PORT of the API server; pods reach it, too
	NodeName   string      `json:"node_name"`
	KubeletURL string      `json:"kubelet_url"` // https://GATEWAY:PORT

	KubeletPort  int          `json:"kubelet_port"` // at Gateway4 alone
	KubeletRoot  string       `json:"kubelet_root"` // kubelet's --root-dir: pods/UID/…
	PodLogs      string       `json:"pod_logs"`     // kubelet's podLogsDir: NS_POD_UID/CONTAINER/0.log
	AuditLog     string       `json:"audit_log"`    // JSON lines
	Bridge       string       `json:"bridge"`       // the pods' link on the node
	Gateway4     netip.Addr   `json:"gateway4"`     // the node's address on the bridge: the node's InternalIP, whence probes come
	Gateway6     netip.Addr   `json:"gateway6"`
	PodCIDR4     netip.Prefix `json:"pod_cidr4"` // 10.x.y.0/24
	PodCIDR6     netip.Prefix `json:"pod_cidr6"` // fdxx:…::/64
	ServiceCIDR4 netip.Prefix `json:"service_cidr4"`
	ServiceCIDR6 netip.Prefix `json:"service_cidr6"`

	ClusterDNS netip.Addr `json:"cluster_dns"` // the pods' name server; nobody is there but for DNS

	Table   int               `json:"table"`          // the routing table of what pods send
	Daemons map[string]daemon `json:"daemons"`        // by the program's name
	Made    string            `json:"made,omitempty"` // a folder of the machine's that was not there
	Owner   process           `json:"owner,omitzero"`

	etcdClient, etcdPeer string // URLs
	apiArgs, kubeletArgs []string
	client               func() (*http.Client, error) // as the admin
}

// daemon is how a program of the cluster was started.
type daemon struct {
	Argv    []string `json:"argv"`
	Process process  `json:"process"`
}

// KubeOption changes how a cluster is started.
type KubeOption func(*Kubernetes)

// APIServerArgs adds flags to those of kube-apiserver.
func APIServerArgs(args ...string) KubeOption {
	return func(k *Kubernetes) { k.apiArgs = append(k.apiArgs, args...) }
}

// KubeletArgs adds flags to those of kubelet.
func KubeletArgs(args ...string) KubeOption {
	return func(k *Kubernetes) { k.kubeletArgs = append(k.kubeletArgs, args...) }
}

// UpKubernetes starts a cluster that keeps all it has in dir and outlives this
// process; Down takes it down. It returns when the node is Ready and pods can
// be made.
func UpKubernetes(dir string, opts ...KubeOption) (*Kubernetes, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("Kubernetes needs root")
	}
	if err := Fetch("containerd1", "containerd2", "kubernetes", "etcd", "cni", "criu"); err != nil {
		return nil, err
	}
	k := newKubernetes(dir)
	for _, o := range opts {
		o(k)
	}
	if err := k.up(); err != nil {
		return nil, errors.Join(err, k.Down())
	}
	return k, nil
}

func newKubernetes(dir string) *Kubernetes {
	k := &Kubernetes{
		Dir: dir, Daemons: map[string]daemon{},
		Kubeconfig: filepath.Join(dir, "admin.kubeconfig"), AuditLog: filepath.Join(dir, "audit.log"),
		KubeletRoot: filepath.Join(dir, "kubelet"), PodLogs: filepath.Join(dir, "pods"),
	}
	k.client = sync.OnceValues(k.adminClient)
	return k
}

// up is the order in which things come up. What has no record yet cannot be
// taken down by another process, so the record comes first.
func (k *Kubernetes) up() error {
	for _, step := range []func() error{
		k.plan, k.save, k.shareDir, k.makeNetwork, k.makeDirs, k.startContainerd, k.writeFiles,
		k.startControlPlane, k.startNode, k.save, k.waitUp,
	} {
		if err := step(); err != nil {
			return fmt.Errorf("bringing up Kubernetes: %w", err)
		}
	}
	return nil
}

// shareDir makes the folder a mount whose mounts below are seen by the kubelet
// and by containerd alike, though the kubelet has a mount namespace of its own.
func (k *Kubernetes) shareDir() error {
	if err := syscall.Mount(k.Dir, k.Dir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding %s on itself: %w", k.Dir, err)
	}
	if err := syscall.Mount("", k.Dir, "", unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing the mounts below %s: %w", k.Dir, err)
	}
	return nil
}

func (k *Kubernetes) record() string { return filepath.Join(k.Dir, "kubernetes.json") }

func (k *Kubernetes) save() error {
	data, err := json.MarshalIndent(k, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(k.record(), data, 0o600)
}

// OpenKubernetes finds a cluster again that UpKubernetes started in dir, also
// after the process that called it has gone.
func OpenKubernetes(dir string) (*Kubernetes, error) {
	k, err := readKubernetes(dir)
	if err != nil {
		return nil, err
	}
	switch k.Containerd, err = Open(dir); {
	case errors.Is(err, os.ErrNotExist):
		return k, nil // it came not so far
	case err != nil:
		return nil, err
	case k.Containerd.Daemon.alive():
		return k, k.Containerd.connect()
	}
	return k, nil
}

func readKubernetes(dir string) (*Kubernetes, error) {
	k := newKubernetes(dir)
	data, err := os.ReadFile(k.record())
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, k); err != nil {
		return nil, fmt.Errorf("reading the cluster's record in %s: %w", dir, err)
	}
	if k.Dir != dir {
		return nil, fmt.Errorf("the cluster's record in %s is of another", dir)
	}
	return k, nil
}
