package aws

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	stampForm = "20060102T150405Z"
)

// Sign signs a request by AWS's Signature Version 4, with the SHA-256 of its
// body in hex. All its headers are signed.
func (c Credentials) Sign(req *http.Request, service, region, payload string, at time.Time) {
	stamp := at.UTC().Format(stampForm)
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Content-Sha256", payload)
	if c.Token != "" {
		req.Header.Set("X-Amz-Security-Token", c.Token)
	}
	names, headers := canonicalHeaders(req)
	canonical := strings.Join([]string{
		req.Method, req.URL.EscapedPath(), CanonicalQuery(req.URL.Query()), headers, names, payload,
	}, "\n")
	day := stamp[:8]
	scope := day + "/" + region + "/" + service + "/aws4_request"
	text := strings.Join([]string{algorithm, stamp, scope, Sum([]byte(canonical))}, "\n")
	key := []byte("AWS4" + c.Secret)
	for _, part := range []string{day, region, service, "aws4_request"} {
		key = mac(key, part)
	}
	req.Header.Set("Authorization", algorithm+" Credential="+c.Key+"/"+scope+", SignedHeaders="+names+", Signature="+hex.EncodeToString(mac(key, text)))
}

func canonicalHeaders(req *http.Request) (names, lines string) {
	all := map[string]string{"host": req.URL.Host}
	for name, values := range req.Header {
		if name == "Expect" || name == "User-Agent" { // which those on the way may change
			continue
		}
		all[strings.ToLower(name)] = strings.Join(values, ",")
	}
	var list []string
	for name := range all {
		list = append(list, name)
	}
	slices.Sort(list)
	for _, name := range list {
		lines += name + ":" + strings.TrimSpace(all[name]) + "\n"
	}
	return strings.Join(list, ";"), lines
}

// CanonicalQuery is a query as the signature has it: sorted, and escaped.
func CanonicalQuery(q url.Values) string {
	var parts []string
	for name, values := range q {
		for _, v := range values {
			parts = append(parts, Escape(name, false)+"="+Escape(v, false))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// Escape is the percent-encoding of the signature: all but A–Z a–z 0–9 - . _ ~,
// and slashes where they are to stay.
func Escape(s string, slash bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 || slash && c == '/' {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Sum is the SHA-256 of p in hex.
func Sum(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}
