package timestamp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/digitorus/timestamp"
)

// timeout is how long an authority, or a list of revoked certificates, is
// waited for.
const timeout = 30 * time.Second

// Answer is what was got for a digest.
type Answer struct {
	Token    *Token
	Response []byte   // DER, as it came
	CRLs     []byte   // revocation lists and OCSP answers, PEM; empty where none was to be had
	Warnings []string // why not
}

// Ask has the authority at url stamp a SHA-256, and fetches what its
// certificates name of revocation lists. An answer to anything else is refused.
func Ask(ctx context.Context, url string, digest []byte) (*Answer, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	q := timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: digest, Certificates: true, Nonce: nonce}
	body, err := q.Marshal()
	if err != nil {
		return nil, err
	}
	a := &Answer{}
	if a.Response, err = fetch(ctx, http.MethodPost, url, body); err != nil {
		return nil, fmt.Errorf("asking %s for the time: %w", url, err)
	}
	a.Token, err = Parse(a.Response)
	switch {
	case err != nil:
	case !bytes.Equal(a.Token.Digest, digest):
		err = fmt.Errorf("%w: it is over another digest than was asked for", ErrToken)
	case a.Token.nonce == nil || a.Token.nonce.Cmp(nonce) != 0:
		err = fmt.Errorf("%w: it answers another request", ErrToken)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	a.revocation(ctx)
	a.status(ctx)
	return a, nil
}

// revocation fetches the lists that the certificates name.
func (a *Answer) revocation(ctx context.Context) {
	seen := map[string]bool{}
	for _, c := range a.Token.certs {
		for _, at := range c.CRLDistributionPoints {
			if seen[at] || !strings.HasPrefix(at, "http://") && !strings.HasPrefix(at, "https://") || len(seen) == 8 {
				continue
			}
			seen[at] = true
			block, err := fetchList(ctx, at)
			if err == nil && len(a.CRLs)+len(block) > MaxResponse {
				err = errors.New("it is too large to be kept")
			}
			if err != nil {
				a.Warnings = append(a.Warnings, fmt.Sprintf("the revocation list %s: %v", at, err))
				continue
			}
			a.CRLs = append(a.CRLs, block...)
		}
	}
}

func fetchList(ctx context.Context, url string) ([]byte, error) {
	data, err := fetch(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	if _, err := x509.ParseRevocationList(data); err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: data}), nil
}

func fetch(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	return send(ctx, method, url, "application/timestamp-query", body)
}

func send(ctx context.Context, method, url, kind string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		q.Header.Set("Content-Type", kind)
	}
	p, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer p.Body.Close()
	if p.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", p.Status)
	}
	data, err := io.ReadAll(io.LimitReader(p.Body, MaxResponse+1))
	if err == nil && len(data) > MaxResponse {
		err = fmt.Errorf("it answers with more than %d bytes", MaxResponse)
	}
	return data, err
}
