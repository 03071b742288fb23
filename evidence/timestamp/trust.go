package timestamp

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// skew is how much later than the verifier's clock an authority's may be.
const skew = time.Minute

// Trust is whom a verifier believes about the time: the roots of authorities,
// and lists of revoked certificates that were got since.
type Trust struct {
	roots []*x509.Certificate
	crls  []*x509.RevocationList
}

// ParseTrust reads PEM: certificates of roots, and revocation lists (X509 CRL).
func ParseTrust(data []byte) (*Trust, error) {
	t := &Trust{}
	if err := parsePEM(data, &t.roots, &t.crls); err != nil {
		return nil, err
	}
	if len(t.roots) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	return t, nil
}

func parsePEM(data []byte, certs *[]*x509.Certificate, crls *[]*x509.RevocationList) error {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil
		}
		data = rest
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return err
			}
			*certs = append(*certs, c)
		case "X509 CRL":
			l, err := x509.ParseRevocationList(block.Bytes)
			if err != nil {
				return err
			}
			*crls = append(*crls, l)
		default:
			return fmt.Errorf("it holds a %q; want CERTIFICATE or X509 CRL", block.Type)
		}
	}
}

// Check says, by a sentence, why the token is not to be believed by somebody who
// looks at the time at: now, or a time at which it is known to have been there.
// crls is revocation data in PEM that was kept with it.
func (t *Trust) Check(k *Token, crls []byte, at time.Time) error {
	c := k.signer
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(c.UnknownExtKeyUsage) > 0 || !critical(c) {
		return fmt.Errorf("the certificate of %s is not for time stamping and nothing else", k.Authority())
	}
	switch {
	case k.Time.After(at.Add(k.Accuracy + skew)):
		return fmt.Errorf("it is from the future: it says %s, and is looked at as of %s", stamp(k.Time), stamp(at))
	case k.Time.Before(c.NotBefore) || k.Time.After(c.NotAfter):
		return fmt.Errorf("it says %s, when the certificate of %s was not valid (%s to %s)", stamp(k.Time), k.Authority(), stamp(c.NotBefore), stamp(c.NotAfter))
	case at.After(c.NotAfter):
		return fmt.Errorf("the certificate of %s has expired (%s): verify as of a time at which the token is known to have been there (--at), or see a later token that covers it", k.Authority(), stamp(c.NotAfter))
	}
	chain, err := t.chain(k, at)
	if err != nil {
		return fmt.Errorf("the certificate of %s does not lead to a trusted root: %w", k.Authority(), err)
	}
	return t.revoked(chain, crls, k.Time)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func critical(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidExtKeyUsage) {
			return e.Critical
		}
	}
	return false
}

func (t *Trust) chain(k *Token, at time.Time) ([]*x509.Certificate, error) {
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}}
	for _, c := range t.roots {
		o.Roots.AddCert(c)
	}
	for _, c := range k.certs {
		o.Intermediates.AddCert(c)
	}
	chains, err := k.signer.Verify(o)
	if err != nil {
		return nil, err
	}
	return chains[0], nil
}

// Reasons for which all that a key has signed falls, whenever that was (RFC
// 5280, section 5.3.1).
const (
	keyCompromise = 1
	caCompromise  = 2
	aaCompromise  = 10
)

// revoked looks each certificate of a chain up in the lists that its issuer has
// signed. Without a list nothing is known.
func (t *Trust) revoked(chain []*x509.Certificate, kept []byte, made time.Time) error {
	var none []*x509.Certificate
	var lists []*x509.RevocationList
	if err := parsePEM(kept, &none, &lists); err != nil {
		return fmt.Errorf("the revocation data kept with it: %w", err)
	}
	lists = append(lists, t.crls...)
	for i, c := range chain[:len(chain)-1] {
		for _, l := range lists {
			if !bytes.Equal(l.RawIssuer, c.RawIssuer) || l.CheckSignatureFrom(chain[i+1]) != nil {
				continue
			}
			if err := listed(c, l, made); err != nil {
				return err
			}
		}
	}
	return nil
}

func listed(c *x509.Certificate, l *x509.RevocationList, made time.Time) error {
	for _, e := range l.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(c.SerialNumber) != 0 {
			continue
		}
		if fatal := e.ReasonCode == keyCompromise || e.ReasonCode == caCompromise || e.ReasonCode == aaCompromise; fatal || !made.Before(e.RevocationTime) {
			return fmt.Errorf("the certificate of %s was revoked at %s (reason %d)", c.Subject, stamp(e.RevocationTime), e.ReasonCode)
		}
	}
	return nil
}

// CheckLists sees that revocation data that was kept with a token is PEM of
// lists that certificates of the token issued, or their issuers.
func (t *Token) CheckLists(data []byte) error {
	var certs []*x509.Certificate
	var lists []*x509.RevocationList
	if err := parsePEM(data, &certs, &lists); err != nil {
		return err
	}
	var again []byte
	for _, l := range lists {
		for _, c := range t.certs {
			if bytes.Equal(c.RawSubject, l.RawIssuer) && l.CheckSignatureFrom(c) != nil {
				return errors.New("a revocation list is not signed by its issuer")
			}
		}
		again = append(again, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: l.Raw})...)
	}
	if !bytes.Equal(again, data) {
		return errors.New("it is not revocation lists in PEM and nothing else")
	}
	return nil
}
