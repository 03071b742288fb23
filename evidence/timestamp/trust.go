package timestamp

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// skew is how much later than the verifier's clock an authority's may be.
const skew = time.Minute

// worst is the least accuracy that is worth something. What an authority says of
// its own time to within years says nothing, and lies in every future.
const worst = time.Hour

// Trust is whom a verifier believes about the time: the roots of authorities,
// and lists of revoked certificates that were got since.
type Trust struct {
	roots []*x509.Certificate
	crls  []*x509.RevocationList
	ocsp  [][]byte
}

// ParseTrust reads PEM: certificates of roots, revocation lists (X509 CRL), and
// OCSP answers.
func ParseTrust(data []byte) (*Trust, error) {
	p, err := parsePEM(data)
	if err != nil {
		return nil, err
	}
	t := &Trust{p.certs, p.crls, p.ocsp}
	if len(t.roots) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	return t, nil
}

// parsed is what PEM held.
type parsed struct {
	certs []*x509.Certificate
	crls  []*x509.RevocationList
	ocsp  [][]byte
	again []byte // the revocation data, encoded once more
}

func parsePEM(data []byte) (p parsed, err error) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return p, nil
		}
		data = rest
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return p, err
			}
			p.certs = append(p.certs, c)
		case "X509 CRL":
			l, err := x509.ParseRevocationList(block.Bytes)
			if err != nil {
				return p, err
			}
			p.crls = append(p.crls, l)
			p.again = append(p.again, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: l.Raw})...)
		case typeOCSP:
			p.ocsp = append(p.ocsp, block.Bytes)
			p.again = append(p.again, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
		default:
			return p, fmt.Errorf("it holds a %q; want CERTIFICATE, X509 CRL or %s", block.Type, typeOCSP)
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
	case k.Accuracy > worst:
		return fmt.Errorf("it says %s to within %s: that is no time", stamp(k.Time), k.Accuracy)
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
	p, err := parsePEM(kept)
	if err != nil {
		return fmt.Errorf("the revocation data kept with it: %w", err)
	}
	lists, answers := append(p.crls, t.crls...), append(p.ocsp, t.ocsp...)
	for i, c := range chain[:len(chain)-1] {
		for _, l := range lists {
			if !bytes.Equal(l.RawIssuer, c.RawIssuer) || l.CheckSignatureFrom(chain[i+1]) != nil {
				continue
			}
			if err := listed(c, l, made); err != nil {
				return err
			}
		}
		if err := answered(c, chain[i+1], answers, made); err != nil {
			return err
		}
	}
	return nil
}

func listed(c *x509.Certificate, l *x509.RevocationList, made time.Time) error {
	for _, e := range l.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(c.SerialNumber) != 0 {
			continue
		}
		reason := e.ReasonCode
		if !slices.ContainsFunc(e.Extensions, func(x pkix.Extension) bool { return x.Id.Equal(oidReason) }) {
			reason = noReason
		}
		if err := revokedAt(c, e.RevocationTime, reason, made); err != nil {
			return err
		}
	}
	return nil
}

// noReason stands for one that is not given. No token of such a certificate is
// believed then, whenever it was made (RFC 3161, section 4, 1).
const noReason = -1

var oidReason = asn1.ObjectIdentifier{2, 5, 29, 21}

// revokedAt says whether that touches what was made at a time.
func revokedAt(c *x509.Certificate, at time.Time, reason int, made time.Time) error {
	if reason == noReason {
		return fmt.Errorf("the certificate of %s was revoked at %s, and no reason is given: so none of its tokens is believed (RFC 3161, section 4)", c.Subject, stamp(at))
	}
	if fatal := reason == keyCompromise || reason == caCompromise || reason == aaCompromise; fatal || !made.Before(at) {
		return fmt.Errorf("the certificate of %s was revoked at %s (reason %d)", c.Subject, stamp(at), reason)
	}
	return nil
}

// CheckLists sees that revocation data that was kept with a token is PEM of
// lists that certificates of the token issued, or their issuers.
func (t *Token) CheckLists(data []byte) error {
	p, err := parsePEM(data)
	if err != nil {
		return err
	}
	for _, answer := range p.ocsp {
		if err := t.checkStatus(answer); err != nil {
			return err
		}
	}
	for _, l := range p.crls {
		if err := t.checkList(l); err != nil {
			return err
		}
	}
	if !bytes.Equal(p.again, data) {
		return errors.New("it is not revocation lists and OCSP answers in PEM and nothing else")
	}
	return nil
}

// checkList wants a list of an issuer in the chain, signed by it. A token need
// not hold the root; a list of the root's is then for who trusts it to check.
func (t *Token) checkList(l *x509.RevocationList) error {
	issuer := false
	for _, c := range t.certs {
		if bytes.Equal(c.RawSubject, l.RawIssuer) && l.CheckSignatureFrom(c) != nil {
			return errors.New("a revocation list is not signed by its issuer")
		}
		issuer = issuer || bytes.Equal(c.RawSubject, l.RawIssuer) || bytes.Equal(c.RawIssuer, l.RawIssuer)
	}
	if !issuer {
		return errors.New("a revocation list is of nobody who issued the token's certificates")
	}
	return nil
}
