package testbed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the certificates of one cluster; its key is not kept.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority writes ca.crt into dir.
func newAuthority(dir string) (*authority, error) {
	a := &authority{dir: dir}
	template := certificate("amber-test", nil)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage |= x509.KeyUsageCertSign
	a.cert = template
	der, key, err := a.sign(template)
	if err != nil {
		return nil, err
	}
	a.key = key
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return a, writePEM(filepath.Join(dir, "ca.crt"), "CERTIFICATE", der)
}

func certificate(name string, groups []string, addrs ...net.IP) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: groups},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: addrs, DNSNames: []string{name, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"},
	}
}

// sign makes a key and has its certificate signed, by the key itself where
// there is no authority yet.
func (a *authority) sign(template *x509.Certificate) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, signer)
	return der, key, err
}

// issue writes FILE.crt and FILE.key for a name in groups at addresses.
func (a *authority) issue(file, name string, groups []string, addrs ...net.IP) error {
	der, key, err := a.sign(certificate(name, groups, addrs...))
	if err != nil {
		return fmt.Errorf("making the certificate of %s: %w", name, err)
	}
	if err := writePEM(filepath.Join(a.dir, file+".crt"), "CERTIFICATE", der); err != nil {
		return err
	}
	return writeKey(filepath.Join(a.dir, file+".key"), key)
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(file, "EC PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// writeKubeconfig writes a kubeconfig whose user has these fields: "token", or
// "client-certificate-data" and "client-key-data". It stands alone: it names no
// other file.
func (k *Kubernetes) writeKubeconfig(file string, user map[string]any) error {
	ca, err := os.ReadFile(filepath.Join(k.pki(), "ca.crt"))
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "amber-test",
		"clusters": []any{map[string]any{"name": "amber-test", "cluster": map[string]any{
			"server": k.Server, "certificate-authority-data": ca,
		}}},
		"users":    []any{map[string]any{"name": "amber-test", "user": user}},
		"contexts": []any{map[string]any{"name": "amber-test", "context": map[string]any{"cluster": "amber-test", "user": "amber-test"}}},
	}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// certConfig writes the kubeconfig of a certificate.
func (k *Kubernetes) certConfig(file, cert string) error {
	crt, err := os.ReadFile(filepath.Join(k.pki(), cert+".crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(k.pki(), cert+".key"))
	if err != nil {
		return err
	}
	return k.writeKubeconfig(file, map[string]any{"client-certificate-data": crt, "client-key-data": key})
}
