// Package testbed brings up real container runtimes for tests, benchmarks and
// the demo: private daemons in folders of their own, from binaries that
// fetch.sh keeps in a cache. Nothing of the machine's own is touched.
package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// The folders of the cache, as fetch.sh names them.
const (
	containerd1Dir = "containerd-1.6.20"
	containerd2Dir = "containerd-2.1.9"
	dockerDir      = "docker-26.1.5"
	bashDir        = "bash-5.2"
	kubernetesDir  = "kubernetes-1.36.3"
	etcdDir        = "etcd-3.4.23"
	cniDir         = "cni-1.1.1"
	criuDir        = "criu-4.1.1"
	podmanDir      = "podman-4.3.1"
	podman5Dir     = "podman-5.4.2"
	tmuxDir        = "tmux-3.3a"
	softHSMDir     = "softhsm-2.6.1"
	swtpmDir       = "swtpm-0.7.1"
	nftDir         = "nft-1.0.6"
	minioDir       = "minio-20260212"
	registryDir    = "registry-3.1.2"
)

// CacheDir is where fetch.sh keeps what it got.
func CacheDir() string {
	if dir := os.Getenv("AMBER_TESTBED_CACHE"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/root"
	}
	return filepath.Join(home, ".cache", "amber-testbed")
}

// Source is the folder of this package, where fetch.sh is.
func Source() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// Fetch gets what is not cached yet: "containerd1", "containerd2", "docker",
// "bash", "kubernetes", "etcd", "cni", "criu", "auditd", "tmux", "podman", "podman-trixie", "criu-sid", "minio", "registry", "softhsm", "swtpm", "nft".
func Fetch(what ...string) error {
	script := os.Getenv("AMBER_TESTBED_FETCH")
	if script == "" {
		script = filepath.Join(Source(), "fetch.sh")
	}
	out, err := exec.Command(script, what...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("fetching %v: %w\n%s", what, err, out)
	}
	return nil
}

// KubernetesBin is the folder of kubectl and Kubernetes' daemons.
func KubernetesBin() string { return binDir(kubernetesDir) }

// TmuxBin is the folder of tmux.
func TmuxBin() string { return binDir(tmuxDir) }

// SoftHSM is the folder of pkcs11-tool (bin) and of SoftHSM's module (lib).
func SoftHSM() string { return filepath.Join(CacheDir(), softHSMDir) }

// SWTPM is the program of a TPM in software.
func SWTPM() string { return filepath.Join(binDir(swtpmDir), "swtpm") }

// BusyboxProgram is the static program, which containerd1 comes with.
func BusyboxProgram() string { return filepath.Join(binDir(containerd1Dir), "busybox") }

// NFT is the program nft.
func NFT() string { return filepath.Join(binDir(nftDir), "nft") }

func binDir(name string) string { return filepath.Join(CacheDir(), name, "bin") }
