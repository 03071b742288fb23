package timestamp

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// typeOCSP is the PEM type of an answer of a certificate's responder (RFC 6960),
// kept beside the revocation lists.
const typeOCSP = "OCSP RESPONSE"

// status asks the responders that the token's certificates name, of those whose
// issuer came with the token.
func (a *Answer) status(ctx context.Context) {
	asked := 0
	for _, c := range a.Token.certs {
		issuer := a.Token.issuer(c)
		for _, at := range c.OCSPServer {
			if issuer == nil || asked == 8 || !strings.HasPrefix(at, "http://") && !strings.HasPrefix(at, "https://") {
				continue
			}
			asked++
			block, err := askStatus(ctx, at, c, issuer)
			if err == nil && len(a.CRLs)+len(block) > MaxResponse {
				err = errors.New("it is too large to be kept")
			}
			if err != nil {
				a.Warnings = append(a.Warnings, fmt.Sprintf("the OCSP responder %s: %v", at, err))
				continue
			}
			a.CRLs = append(a.CRLs, block...)
		}
	}
}

func askStatus(ctx context.Context, url string, c, issuer *x509.Certificate) ([]byte, error) {
	q, err := ocsp.CreateRequest(c, issuer, nil)
	if err != nil {
		return nil, err
	}
	data, err := send(ctx, http.MethodPost, url, "application/ocsp-request", q)
	if err != nil {
		return nil, err
	}
	if _, err := ocsp.ParseResponseForCert(data, c, issuer); err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: typeOCSP, Bytes: data}), nil
}

// issuer is the certificate of the token that issued c; nil where it is not in
// there, or is c itself.
func (t *Token) issuer(c *x509.Certificate) *x509.Certificate {
	for _, by := range t.certs {
		if by != c && bytes.Equal(by.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(by) == nil {
			return by
		}
	}
	return nil
}

// checkStatus sees that an answer is about a certificate of the token, and
// signed for its issuer, where that came with the token.
func (t *Token) checkStatus(data []byte) error {
	r, err := ocsp.ParseResponse(data, nil)
	if err != nil {
		return fmt.Errorf("an OCSP answer: %w", err)
	}
	if !wrapped(data) {
		return errors.New("an OCSP answer: what is around it is not in DER")
	}
	for _, c := range t.certs {
		if c.SerialNumber.Cmp(r.SerialNumber) != 0 {
			continue
		}
		if issuer := t.issuer(c); issuer != nil {
			_, err := ocsp.ParseResponseForCert(data, c, issuer)
			return err
		}
	}
	return errors.New("an OCSP answer is about no certificate of the token")
}

// wrapped tells whether what stands around the signed part, which no signature
// covers, is as it must be (RFC 6960, section 4.2.1), so that no bit of it can be
// another.
func wrapped(data []byte) bool {
	var answer struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type     asn1.ObjectIdentifier
			Response []byte
		} `asn1:"explicit,tag:0"`
	}
	if rest, err := asn1.Unmarshal(data, &answer); err != nil || len(rest) > 0 {
		return false
	}
	again, err := asn1.Marshal(answer)
	return err == nil && bytes.Equal(again, data)
}

// answered looks a certificate up in the answers that its issuer has signed, or
// somebody for it.
func answered(c, issuer *x509.Certificate, answers [][]byte, made time.Time) error {
	for _, data := range answers {
		r, err := ocsp.ParseResponseForCert(data, c, issuer)
		if err != nil || r.Status != ocsp.Revoked {
			continue
		}
		reason := r.RevocationReason
		if reason == ocsp.Unspecified { // which stands for one that is not given, too: the parser does not part them
			reason = noReason
		}
		if err := revokedAt(c, r.RevokedAt, reason, made); err != nil {
			return err
		}
	}
	return nil
}
