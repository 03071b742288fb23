package testbed

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
)

func (k *Kubernetes) pki() string          { return filepath.Join(k.Dir, "pki") }
func (k *Kubernetes) path(p string) string { return filepath.Join(k.Dir, p) }

// apiAddress is the first address of the Services' network, which is always
// that of the Service "kubernetes": the API server listens there itself, at the
// port that the Service has where that is free, and no kube-proxy is needed.
func (k *Kubernetes) apiAddress() netip.Addr { return k.ServiceCIDR4.Addr().Next() }

func (k *Kubernetes) makeDirs() error {
	for _, dir := range []string{"pki", "cni", "log", "fixed", "pods", "kubelet/volumeplugins", "home"} {
		if err := os.MkdirAll(k.path(dir), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// writeFiles writes the daemons' keys and configuration.
func (k *Kubernetes) writeFiles() error {
	if err := k.choosePorts(); err != nil {
		return err
	}
	if err := k.writeCertificates(); err != nil {
		return err
	}
	for file, content := range map[string]any{
		"kubelet.json": k.kubeletConfig(), "cni/10-amber.conflist": k.cniConfig(), "audit-policy.json": auditPolicy(),
	} {
		data, err := json.MarshalIndent(content, "", "\t")
		if err != nil {
			return err
		}
		if err := os.WriteFile(k.path(file), data, 0o600); err != nil {
			return err
		}
	}
	// For pods that have the node's name servers: not this machine's.
	return os.WriteFile(k.path("resolv.conf"), []byte("nameserver "+k.ClusterDNS.String()+"\n"), 0o644)
}

// choosePorts finds ports that are free at addresses which are ours alone.
func (k *Kubernetes) choosePorts() error {
	ports, err := freePorts(k.Gateway4, 3)
	if err != nil {
		return err
	}
	k.KubeletPort, k.KubeletURL = int(ports[0].Port()), "https://"+ports[0].String()
	k.etcdClient, k.etcdPeer = "https://"+ports[1].String(), "https://"+ports[2].String()
	api := netip.AddrPortFrom(k.apiAddress(), 443)
	l, err := net.Listen("tcp", api.String())
	if err != nil { // somebody has the port at all addresses
		other, err := freePorts(api.Addr(), 1)
		if err != nil {
			return err
		}
		k.Server = "https://" + other[0].String()
		return nil
	}
	k.Server = "https://" + api.String()
	return l.Close()
}

func (k *Kubernetes) writeCertificates() error {
	ca, err := newAuthority(k.pki())
	if err != nil {
		return fmt.Errorf("making the cluster's authority: %w", err)
	}
	_, key, err := ca.sign(certificate("service-accounts", nil))
	if err != nil {
		return err
	}
	if err := writeKey(filepath.Join(k.pki(), "service-accounts.key"), key); err != nil {
		return err
	}
	gateway, api := net.IP(k.Gateway4.AsSlice()), net.IP(k.apiAddress().AsSlice())
	for _, c := range []struct {
		file, name, group string
		addrs             []net.IP
	}{
		{"etcd", "etcd", "", []net.IP{gateway}},
		{"apiserver", "kube-apiserver", "", []net.IP{api}},
		{"apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters", nil},
		{"kubelet-server", k.NodeName, "", []net.IP{gateway}},
		{"admin", "kubernetes-admin", "system:masters", nil},
		{"kubelet", "system:node:" + k.NodeName, "system:nodes", nil},
		{"kube-controller-manager", "system:kube-controller-manager", "", nil},
		{"kube-scheduler", "system:kube-scheduler", "", nil},
	} {
		var groups []string
		if c.group != "" {
			groups = []string{c.group}
		}
		if err := ca.issue(c.file, c.name, groups, c.addrs...); err != nil {
			return err
		}
	}
	for _, user := range []string{"admin", "kubelet", "kube-controller-manager", "kube-scheduler"} {
		if err := k.certConfig(k.path(user+".kubeconfig"), user); err != nil {
			return err
		}
	}
	return nil
}

// cniConfig gives pods an address of each family. The bridge is there already
// and has its addresses, so that the plugin changes no setting of the machine.
func (k *Kubernetes) cniConfig() any {
	subnet := func(p netip.Prefix, gateway netip.Addr) []any {
		return []any{map[string]any{"subnet": p.String(), "gateway": gateway.String()}}
	}
	return map[string]any{"cniVersion": "1.0.0", "name": k.cniName(), "plugins": []any{map[string]any{
		"type": "bridge", "bridge": k.Bridge, "isGateway": false, "hairpinMode": true,
		"ipam": map[string]any{
			"type": "host-local", "dataDir": k.path("cni-state"),
			"ranges": []any{subnet(k.PodCIDR4, k.Gateway4), subnet(k.PodCIDR6, k.Gateway6)},
			"routes": []any{map[string]any{"dst": "0.0.0.0/0"}, map[string]any{"dst": "::/0"}},
		},
	}}}
}

// cniName is the network's name, by which the files of CNI's cache begin.
func (k *Kubernetes) cniName() string { return "amber-test-" + k.Bridge }

// auditPolicy keeps the bodies of what responders ask for; of the rest, who
// did what.
func auditPolicy() any {
	resources := []string{
		"pods", "pods/exec", "pods/attach", "pods/portforward", "pods/eviction", "pods/ephemeralcontainers",
		"pods/binding", "pods/status", "secrets", "configmaps", "serviceaccounts", "serviceaccounts/token",
	}
	named := map[string][]string{
		"": resources, "apps": {"*"}, "batch": {"*"}, "networking.k8s.io": {"*"},
		"rbac.authorization.k8s.io": {"*"}, "admissionregistration.k8s.io": {"*"},
	}
	var groups []any
	for _, g := range []string{"", "apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io", "admissionregistration.k8s.io"} {
		groups = append(groups, map[string]any{"group": g, "resources": named[g]})
	}
	return map[string]any{
		"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": []string{"RequestReceived"},
		"rules": []any{
			map[string]any{"level": "RequestResponse", "resources": groups},
			map[string]any{"level": "Metadata"},
		},
	}
}
