// Package timestamptest is a time-stamping authority for tests: openssl ts
// answers, behind HTTP.
package timestamptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Authority answers at URL. Its root, and the lists of what it has revoked, are
// what a verifier is given.
type Authority struct {
	URL   string
	Roots []byte // PEM

	dir     string
	openssl string
	root    *x509.Certificate
	rootKey *ecdsa.PrivateKey
	mu      sync.Mutex
	revoked []x509.RevocationListEntry
	answer  []byte // given to all, where it is set
	own     *x509.Certificate
	silent  bool // of the responder
}

const policy = `[tsa]
default_tsa = it
[it]
serial = serial
crypto_device = builtin
digests = sha256
default_policy = 1.2.3.4.1
accuracy = secs:1
ess_cert_id_alg = sha256
signer_digest = sha256
`

// New starts an authority whose certificate ends at that time. Without openssl
// the test is skipped.
func New(t testing.TB, ends time.Time) *Authority {
	t.Helper()
	a := &Authority{dir: t.TempDir()}
	var err error
	if a.openssl, err = exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.URL = server.URL
	must(t, a.certificates(ends))
	for name, text := range map[string]string{"ts.cnf": policy, "serial": "01\n"} {
		must(t, os.WriteFile(a.path(name), []byte(text), 0o600))
	}
	return a
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (a *Authority) path(name string) string { return filepath.Join(a.dir, name) }

// serial of the authority's certificate, which its root signs.
const serial = 7

func (a *Authority) certificates(ends time.Time) (err error) {
	if a.rootKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	begins := time.Now().Add(-time.Hour)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root " + a.URL}, NotBefore: begins, NotAfter: begins.AddDate(30, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if a.root, err = certify(root, root, a.rootKey, a.rootKey); err != nil {
		return err
	}
	a.Roots = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return err
	}
	own, err := certify(&x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "authority " + a.URL}, NotBefore: begins, NotAfter: ends,
		KeyUsage: x509.KeyUsageDigitalSignature, CRLDistributionPoints: []string{a.URL + "/crl"}, OCSPServer: []string{a.URL + "/ocsp"},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}, a.root, key, a.rootKey)
	if err != nil {
		return err
	}
	a.own = own
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"root.pem": {Type: "CERTIFICATE", Bytes: a.root.Raw}, "cert.pem": {Type: "CERTIFICATE", Bytes: own.Raw}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(a.path(name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func certify(c, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, byKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Revoke enters the authority's certificate into the list.
func (a *Authority) Revoke(at time.Time, reason int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revoked = append(a.revoked, x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: at, ReasonCode: reason})
}

// List is the list of revoked certificates, as PEM.
func (a *Authority) List() ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour), RevokedCertificateEntries: a.revoked,
	}, a.root, a.rootKey)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), err
}

// Answer has the authority give this answer, whatever it is asked.
func (a *Authority) Answer(der []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = der
}

// ServeHTTP answers a query, or gives the list.
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	give := a.reply
	switch r.URL.Path {
	case "/crl":
		give = func(io.Reader) ([]byte, error) { return a.List() }
	case "/ocsp":
		give = a.status
	}
	data, err := give(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(data)
}

// Status is what the responder says of the authority's certificate, as PEM.
func (a *Authority) Status() ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := ocsp.Response{Status: ocsp.Good, SerialNumber: a.own.SerialNumber, ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, r := range a.revoked {
		s.Status, s.RevokedAt, s.RevocationReason = ocsp.Revoked, r.RevocationTime, r.ReasonCode
	}
	der, err := ocsp.CreateResponse(a.root, a.root, s, a.rootKey)
	return pem.EncodeToMemory(&pem.Block{Type: "OCSP RESPONSE", Bytes: der}), err
}

// Silence keeps the responder from answering.
func (a *Authority) Silence() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.silent = true
}

func (a *Authority) status(query io.Reader) ([]byte, error) {
	data, err := io.ReadAll(query)
	if err != nil {
		return nil, err
	}
	q, err := ocsp.ParseRequest(data)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	silent := a.silent
	a.mu.Unlock()
	if silent || q.SerialNumber.Cmp(a.own.SerialNumber) != 0 {
		return nil, errors.New("it does not answer that")
	}
	block, err := a.Status()
	if err != nil {
		return nil, err
	}
	b, _ := pem.Decode(block)
	return b.Bytes, nil
}

func (a *Authority) reply(query io.Reader) ([]byte, error) {
	data, err := io.ReadAll(query)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answer != nil {
		return a.answer, nil
	}
	if err := os.WriteFile(a.path("query"), data, 0o600); err != nil {
		return nil, err
	}
	c := exec.Command(a.openssl, "ts", "-reply", "-config", "ts.cnf", "-queryfile", "query", "-signer", "cert.pem", "-inkey", "key.pem", "-chain", "root.pem", "-out", "reply")
	c.Dir = a.dir
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("openssl ts: %w: %s", err, out)
	}
	return os.ReadFile(a.path("reply"))
}
