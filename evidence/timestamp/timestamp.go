// Package timestamp asks time-stamping authorities for tokens (RFC 3161) and
// verifies these offline. A token is kept as the authority answered, in DER, so
// that openssl takes it:
//
//	openssl ts -verify -data 002-dsse.sig -in 003-rfc3161.tsr -CAfile roots.pem -untrusted 003-rfc3161.pem
package timestamp

import (
	"bytes"
	"crypto"
	"crypto/sha1" //nolint:gosec // RFC 2634 names certificates by it; the signature covers more
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"
)

// MaxResponse is the most bytes that a token, its chain or its revocation data
// may have.
const MaxResponse = 1 << 20

// ErrToken is what a token that does not hold by itself gives.
var ErrToken = errors.New("bad time-stamp token")

// Token is an answer whose signature holds by the certificate that is in it.
// Whether that is anybody's who is trusted, Trust says.
type Token struct {
	Time     time.Time
	Accuracy time.Duration // zero where the authority does not say
	Digest   []byte        // SHA-256 of what was stamped
	Serial   *big.Int
	Policy   string
	signer   *x509.Certificate
	certs    []*x509.Certificate
	nonce    *big.Int
}

// Authority names who made it, by its certificate's subject.
func (t *Token) Authority() string { return t.signer.Subject.String() }

// Expires is when the certificate does.
func (t *Token) Expires() time.Time { return t.signer.NotAfter }

// Chain is the certificates that came with it, as PEM.
func (t *Token) Chain() []byte {
	var b bytes.Buffer
	for _, c := range t.certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.Bytes()
}

// Object identifiers of RFC 3161, RFC 2634 and RFC 5035.
var (
	oidTSTInfo       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidSigningCert   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidExtKeyUsage   = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// Parse reads an authority's answer and checks its signature.
func Parse(response []byte) (t *Token, err error) {
	defer func() { // the decoder of BER is not ours
		if p := recover(); p != nil {
			t, err = nil, fmt.Errorf("%w: it cannot be decoded: %v", ErrToken, p)
		}
	}()
	if len(response) > MaxResponse {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrToken, MaxResponse)
	}
	if err := checkDER(response, 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	ts, err := timestamp.ParseResponse(response)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	p7, err := pkcs7.Parse(ts.RawToken)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	signer := p7.GetOnlySigner()
	switch {
	case signer == nil:
		return nil, fmt.Errorf("%w: it has not its one signer's certificate", ErrToken)
	case ts.HashAlgorithm != crypto.SHA256 || len(ts.HashedMessage) != sha256.Size:
		return nil, fmt.Errorf("%w: it is not over a SHA-256", ErrToken)
	}
	if alg := p7.Signers[0].DigestAlgorithm.Algorithm; !strong(alg) {
		return nil, fmt.Errorf("%w: it is signed over a digest of the kind %s, which is not of SHA-2", ErrToken, alg)
	}
	if err := checkAttributes(p7, signer); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return &Token{
		Time: ts.Time.UTC(), Accuracy: ts.Accuracy, Digest: ts.HashedMessage, Serial: ts.SerialNumber,
		Policy: ts.Policy.String(), signer: signer, certs: ts.Certificates, nonce: ts.Nonce,
	}, nil
}

// strong tells the digests that no two texts can be made for.
func strong(alg asn1.ObjectIdentifier) bool {
	return alg.Equal(pkcs7.OIDDigestAlgorithmSHA256) || alg.Equal(pkcs7.OIDDigestAlgorithmSHA384) || alg.Equal(pkcs7.OIDDigestAlgorithmSHA512)
}

// checkAttributes sees that the signature is over a time-stamp and no other kind
// of content, and that it names the certificate.
func checkAttributes(p7 *pkcs7.PKCS7, signer *x509.Certificate) error {
	var kind asn1.ObjectIdentifier
	if err := p7.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &kind); err != nil || !kind.Equal(oidTSTInfo) {
		return errors.New("what is signed is no time-stamp")
	}
	var v2 struct {
		Certs []struct {
			Hash   pkix.AlgorithmIdentifier `asn1:"optional"`
			Digest []byte
			Issuer asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}
	if p7.UnmarshalSignedAttribute(oidSigningCertV2, &v2) == nil && len(v2.Certs) > 0 {
		sum := sha256.Sum256(signer.Raw)
		if alg := v2.Certs[0].Hash.Algorithm; len(alg) > 0 && !alg.Equal(pkcs7.OIDDigestAlgorithmSHA256) {
			return fmt.Errorf("it names its certificate by the hash %s, want SHA-256", alg)
		}
		return named(v2.Certs[0].Digest, sum[:])
	}
	var v1 struct {
		Certs []struct {
			Digest []byte
			Issuer asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}
	if p7.UnmarshalSignedAttribute(oidSigningCert, &v1) == nil && len(v1.Certs) > 0 {
		sum := sha1.Sum(signer.Raw) //nolint:gosec // see above
		return named(v1.Certs[0].Digest, sum[:])
	}
	return errors.New("it does not name its certificate")
}

func named(got, want []byte) error {
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return errors.New("it names another certificate than the one in it")
	}
	return nil
}
