package timestamp_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	tsp "github.com/digitorus/timestamp"

	"amber/evidence/timestamp"
	"amber/evidence/timestamp/timestamptest"
)

// A certificate that was revoked without a reason takes all of its tokens with
// it, those of before too (RFC 3161, section 4); one for a harmless reason does
// not.
func TestRevokedWithoutReason(t *testing.T) {
	sum := sha256.Sum256([]byte("x"))
	for _, c := range []struct {
		reason int
		says   string
	}{{0, "no reason is given"}, {4, ""}, {1, "(reason 1)"}} {
		a := timestamptest.New(t, time.Now().Add(time.Hour))
		got, err := timestamp.Ask(context.Background(), a.URL, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		a.Revoke(time.Now().Add(time.Minute), c.reason)
		list, err := a.List()
		if err != nil {
			t.Fatal(err)
		}
		status, err := a.Status()
		if err != nil {
			t.Fatal(err)
		}
		trust, err := timestamp.ParseTrust(a.Roots)
		if err != nil {
			t.Fatal(err)
		}
		for what, kept := range map[string][]byte{"list": list, "answer": status} {
			err = trust.Check(got.Token, kept, time.Now())
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("reason %d, by its %s: %v", c.reason, what, err)
			}
		}
	}
}

// by is a token that is as exact and is signed over such a digest.
func by(t *testing.T, accuracy time.Duration, digest crypto.Hash) (response, root []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "self"}, NotBefore: at.Add(-time.Hour), NotAfter: at.Add(time.Hour),
		ExtraExtensions: usage(true, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	ts := tsp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: at, Accuracy: accuracy, Policy: asn1.ObjectIdentifier{1, 2}, AddTSACertificate: true}
	if response, err = ts.CreateResponseWithOpts(c, key, digest); err != nil {
		t.Fatal(err)
	}
	return response, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// A time to within years is none, and no excuse for one that is to come.
func TestAccuracy(t *testing.T) {
	for accuracy, ok := range map[time.Duration]bool{time.Second: true, time.Minute: true, 87600 * time.Hour: false} {
		response, root := by(t, accuracy, crypto.SHA256)
		k, err := timestamp.Parse(response)
		if err != nil {
			t.Fatal(err)
		}
		trust, err := timestamp.ParseTrust(root)
		if err != nil {
			t.Fatal(err)
		}
		err = trust.Check(k, nil, time.Now())
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "that is no time") {
			t.Errorf("%s: %v", accuracy, err)
		}
	}
}

// A signature over a SHA-1 is none.
func TestSignedOverSHA1(t *testing.T) {
	response, _ := by(t, time.Second, crypto.SHA1)
	_, err := timestamp.Parse(response)
	if !errors.Is(err, timestamp.ErrToken) || !strings.Contains(err.Error(), "which is not of SHA-2") {
		t.Error(err)
	}
	for _, h := range []crypto.Hash{crypto.SHA384, crypto.SHA512} {
		response, _ := by(t, time.Second, h)
		if _, err := timestamp.Parse(response); err != nil {
			t.Error(h, err)
		}
	}
}
