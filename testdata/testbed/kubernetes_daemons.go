package testbed

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// startContainerd starts containerd with its CRI plugin and imports the images.
func (k *Kubernetes) startContainerd() error {
	c, err := Up(k.Dir, Version2(), WithPath(binDir(criuDir)), k.withCRI(), func(c *Containerd) { c.Owner = k.Owner })
	if err != nil {
		return err
	}
	k.Containerd = c
	if err := c.image(criNamespace, pauseImage, []string{"/bin/sleep", "2147483647"}); err != nil {
		return fmt.Errorf("importing the sandboxes' image: %w", err)
	}
	return k.ImportImage(BusyboxImage)
}

// ImportImage makes an image that pods may use: busybox with further layers.
// Pods must have imagePullPolicy: Never.
func (k *Kubernetes) ImportImage(ref string, layers ...Layer) error {
	if err := k.Containerd.image(criNamespace, ref, shell, layers...); err != nil {
		return fmt.Errorf("importing %s: %w", ref, err)
	}
	return nil
}

const pauseImage = "amber.test/pause:latest"

// withCRI configures the CRI plugin: its runc, network and sandboxes are kept
// in the cluster's folder, and no profile is loaded into the kernel.
func (k *Kubernetes) withCRI() Option {
	return func(c *Containerd) {
		c.cri = fmt.Sprintf(`[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = %q
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      Root = %q
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = [%q]
    conf_dir = %q
    use_internal_loopback = true
`, pauseImage, filepath.Join(k.Dir, "runc"), binDir(cniDir), k.path("cni"))
	}
}

func (k *Kubernetes) startControlPlane() error {
	if err := k.start("etcd", k.etcdArgv()); err != nil {
		return err
	}
	argv, err := k.apiServerArgv()
	if err != nil {
		return err
	}
	if err := k.start("kube-apiserver", argv); err != nil {
		return err
	}
	return k.waitAPI()
}

func (k *Kubernetes) etcdArgv() []string {
	ca, cert, key := k.path("pki/ca.crt"), k.path("pki/etcd.crt"), k.path("pki/etcd.key")
	return []string{
		filepath.Join(binDir(etcdDir), "etcd"), "--name=amber", "--data-dir=" + k.path("etcd"),
		"--listen-client-urls=" + k.etcdClient, "--advertise-client-urls=" + k.etcdClient,
		"--listen-peer-urls=" + k.etcdPeer, "--initial-advertise-peer-urls=" + k.etcdPeer, "--initial-cluster=amber=" + k.etcdPeer,
		"--client-cert-auth", "--trusted-ca-file=" + ca, "--cert-file=" + cert, "--key-file=" + key,
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + ca, "--peer-cert-file=" + cert, "--peer-key-file=" + key,
		"--log-outputs=stderr",
	}
}

func (k *Kubernetes) apiServerArgv() ([]string, error) {
	u, err := url.Parse(k.Server)
	if err != nil {
		return nil, err
	}
	pki := func(name string) string { return filepath.Join(k.pki(), name) }
	return append([]string{
		filepath.Join(binDir(kubernetesDir), "kube-apiserver"),
		"--etcd-servers=" + k.etcdClient, "--etcd-cafile=" + pki("ca.crt"),
		"--etcd-certfile=" + pki("etcd.crt"), "--etcd-keyfile=" + pki("etcd.key"),
		"--bind-address=" + u.Hostname(), "--advertise-address=" + u.Hostname(), "--secure-port=" + u.Port(),
		"--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
		"--client-ca-file=" + pki("ca.crt"), "--cert-dir=" + k.pki(),
		"--kubelet-certificate-authority=" + pki("ca.crt"), "--kubelet-client-certificate=" + pki("apiserver-kubelet.crt"),
		"--kubelet-client-key=" + pki("apiserver-kubelet.key"), "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pki("service-accounts.key"), "--service-account-signing-key-file=" + pki("service-accounts.key"),
		"--service-cluster-ip-range=" + k.ServiceCIDR4.String() + "," + k.ServiceCIDR6.String(),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--audit-log-path=" + k.AuditLog, "--audit-policy-file=" + k.path("audit-policy.json"),
		"--shutdown-delay-duration=0s", "--profiling=false",
	}, k.apiArgs...), nil
}

// startNode starts what stands on the API server.
func (k *Kubernetes) startNode() error {
	bin := binDir(kubernetesDir)
	return errors.Join(
		makeCGroups(k.Containerd.Namespace),
		k.start("kube-controller-manager", []string{
			filepath.Join(bin, "kube-controller-manager"), "--kubeconfig=" + k.path("kube-controller-manager.kubeconfig"),
			"--leader-elect=false", "--secure-port=0", "--use-service-account-credentials=true",
			"--service-account-private-key-file=" + k.path("pki/service-accounts.key"), "--root-ca-file=" + k.path("pki/ca.crt"),
			"--allocate-node-cidrs=true", "--cluster-cidr=" + k.PodCIDR4.String() + "," + k.PodCIDR6.String(),
			"--node-cidr-mask-size-ipv4=24", "--node-cidr-mask-size-ipv6=64",
			"--service-cluster-ip-range=" + k.ServiceCIDR4.String() + "," + k.ServiceCIDR6.String(),
		}),
		k.start("kube-scheduler", []string{
			filepath.Join(bin, "kube-scheduler"), "--kubeconfig=" + k.path("kube-scheduler.kubeconfig"),
			"--leader-elect=false", "--secure-port=0",
		}),
		k.makeFixed(),
		k.start("kubelet", k.kubeletArgv()),
	)
}

func (k *Kubernetes) start(name string, argv []string) error {
	// In the record first: one that is not in there is looked for by what is.
	k.Daemons[name] = daemon{Argv: argv}
	if err := k.save(); err != nil {
		return err
	}
	p, err := spawn(k.path(name+".log"), k.env(), argv...)
	if err != nil {
		return err
	}
	k.Daemons[name] = daemon{Argv: argv, Process: p}
	return k.save()
}

func (k *Kubernetes) env() []string {
	return []string{
		"PATH=" + binDir(kubernetesDir) + ":/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + k.path("home"), "KUBECONFIG=" + k.Kubeconfig, "TMPDIR=" + os.TempDir(),
	}
}

// Kill ends one of the cluster's daemons at once ("kube-apiserver", "kubelet",
// "kube-controller-manager", "kube-scheduler", "etcd"): as if it had crashed.
func (k *Kubernetes) Kill(name string) error {
	d, ok := k.Daemons[name]
	if !ok {
		return fmt.Errorf("the cluster has no daemon %s", name)
	}
	return d.Process.kill()
}

// Restart starts a daemon again that is killed or running, and waits until
// the API server answers and the node is Ready, unless etcd or the API server
// is dead.
func (k *Kubernetes) Restart(name string) error {
	if err := k.Kill(name); err != nil {
		return err
	}
	// Another cluster may have taken away the folder that it had made first.
	if err := errors.Join(k.makeFixed(), k.start(name, k.Daemons[name].Argv)); err != nil {
		return err
	}
	for _, needed := range []string{"etcd", "kube-apiserver"} {
		if !k.Daemons[needed].Process.alive() {
			return nil
		}
	}
	if err := k.waitAPI(); err != nil {
		return err
	}
	return k.waitUp()
}

// log is the end of a daemon's log.
func (k *Kubernetes) log(name string) string {
	data, _ := os.ReadFile(k.path(name + ".log"))
	if len(data) > 4096 {
		data = data[len(data)-4096:]
	}
	return string(data)
}

// patience is for what the machine does in seconds when it is not busy.
const patience = 2 * time.Minute
