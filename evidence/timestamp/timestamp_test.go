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
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	tsp "github.com/digitorus/timestamp"

	"amber/evidence/timestamp"
	"amber/evidence/timestamp/timestamptest"
)

// made is a token of a certificate that is its own root, with that as PEM.
func made(t testing.TB, c *x509.Certificate, at time.Time) (response, root []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(1), pkix.Name{CommonName: "self"}
	c.NotBefore, c.NotAfter = at.Add(-time.Hour), at.AddDate(1, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	ts := tsp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: at, Policy: asn1.ObjectIdentifier{1, 2}, AddTSACertificate: true}
	response, err = ts.CreateResponseWithOpts(c, key, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return response, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func usage(critical bool, oids ...asn1.ObjectIdentifier) []pkix.Extension {
	value, _ := asn1.Marshal(oids)
	return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: critical, Value: value}}
}

// A certificate must be for time stamping, for nothing else, and say that this
// is critical (RFC 3161, section 2.3).
func TestPurpose(t *testing.T) {
	stamping, server := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	for name, c := range map[string]struct {
		usage []pkix.Extension
		ok    bool
	}{
		"right":        {usage(true, stamping), true},
		"none":         {nil, false},
		"another":      {usage(true, server), false},
		"both":         {usage(true, stamping, server), false},
		"not critical": {usage(false, stamping), false},
	} {
		response, root := made(t, &x509.Certificate{ExtraExtensions: c.usage}, time.Now())
		k, err := timestamp.Parse(response)
		if err != nil {
			t.Fatal(name, err)
		}
		trust, err := timestamp.ParseTrust(root)
		if err != nil {
			t.Fatal(err)
		}
		err = trust.Check(k, nil, time.Now())
		if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "is not for time stamping and nothing else") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No changed byte within what is signed passes, and none makes Parse panic.
func TestEveryByte(t *testing.T) {
	a := timestamptest.New(t, time.Now().Add(time.Hour))
	sum := sha256.Sum256([]byte("x"))
	got, err := timestamp.Ask(context.Background(), a.URL, sum[:])
	if err != nil || len(got.CRLs) == 0 {
		t.Fatal(err, got)
	}
	trust, err := timestamp.ParseTrust(a.Roots)
	if err != nil {
		t.Fatal(err)
	}
	if err := trust.Check(got.Token, got.CRLs, time.Now()); err != nil {
		t.Fatal(err)
	}
	var passed []int
	for i := range got.Response {
		changed := append([]byte(nil), got.Response...)
		changed[i] ^= 0x55
		k, err := timestamp.Parse(changed)
		if err != nil || string(k.Chain()) != string(got.Token.Chain()) || trust.Check(k, got.CRLs, time.Now()) != nil {
			continue
		}
		passed = append(passed, i)
		if string(k.Digest) != string(sum[:]) || !k.Time.Equal(got.Token.Time) || k.Serial.Cmp(got.Token.Serial) != 0 {
			t.Errorf("byte %d: %+v", i, k)
		}
	}
	t.Logf("of %d bytes these are neither signed nor looked at: %v", len(got.Response), passed)
}

func TestAskRefuses(t *testing.T) {
	sum := sha256.Sum256(nil)
	for say, answer := range map[string]http.HandlerFunc{
		"it answers 404":       http.NotFound,
		"it answers with more": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, timestamp.MaxResponse+1)) },
		"bad time-stamp token": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0x30, 0x80}) },
		"rejected":             func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0x30, 5, 0x30, 3, 2, 1, 2}) },
	} {
		s := httptest.NewServer(answer)
		_, err := timestamp.Ask(context.Background(), s.URL, sum[:])
		s.Close()
		if err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
}

func TestParseTrustRefuses(t *testing.T) {
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{0}})
	bad := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0}})
	for _, data := range [][]byte{nil, []byte("x"), key, bad} {
		if _, err := timestamp.ParseTrust(data); err == nil {
			t.Errorf("%q is taken", data)
		}
	}
}

func FuzzParse(f *testing.F) {
	response, root := made(f, &x509.Certificate{ExtraExtensions: usage(true, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8})}, time.Now())
	f.Add(response)
	f.Add([]byte{0x30, 5, 0x30, 3, 2, 1, 2})
	f.Add([]byte{0x30, 0x80})
	trust, err := timestamp.ParseTrust(root)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := timestamp.Parse(data)
		if err != nil {
			if !errors.Is(err, timestamp.ErrToken) {
				t.Error(err)
			}
			return
		}
		_ = trust.Check(k, nil, k.Time)
		_, _ = k.Authority(), k.CheckLists(k.Chain())
	})
}
