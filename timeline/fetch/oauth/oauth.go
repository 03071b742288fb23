// Package oauth gets bearer tokens from a token endpoint (RFC 6749, 4.4 and 6;
// RFC 7523 for what a service account signs) or an instance's metadata service,
// and keeps one until it is nearly over.
package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"amber/timeline/fetch"
)

// Tokens gives tokens. The zero value with a Fixed one gives that.
type Tokens struct {
	From  string // where the credentials were found, for people
	Fixed string // a token that somebody else got

	HTTP *http.Client
	// Ask makes the next request for a token.
	Ask func(ctx context.Context, now time.Time) (*http.Request, error)

	token string
	until time.Time
}

// Post asks a token endpoint with a form.
func Post(endpoint string, form func(now time.Time) (url.Values, error)) func(context.Context, time.Time) (*http.Request, error) {
	return func(ctx context.Context, now time.Time) (*http.Request, error) {
		f, err := form(now)
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(f.Encode()))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		return req, err
	}
}

// metadataWait is how long an instance's metadata service may take to answer:
// on most machines nobody is there.
const metadataWait = time.Second

// Instance gives tokens of the metadata service of the machine that this runs
// on, which is asked for one at once; nil where nobody answers there. No proxy
// is asked in between.
func Instance(ctx context.Context, from, address string, head http.Header) *Tokens {
	t := &Tokens{From: from, HTTP: &http.Client{
		Timeout:       5 * metadataWait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DialContext: (&net.Dialer{Timeout: metadataWait}).DialContext, DisableKeepAlives: true},
	}}
	t.Ask = func(ctx context.Context, _ time.Time) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err == nil {
			req.Header = head
		}
		return req, err
	}
	if t.renew(ctx) != nil {
		return nil
	}
	return t
}

// Sign puts a token into a request.
func (t *Tokens) Sign(ctx context.Context, req *http.Request) error {
	token := t.Fixed
	if token == "" {
		if err := t.renew(ctx); err != nil {
			return fmt.Errorf("getting a token by %s: %w", t.From, err)
		}
		token = t.token
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

func (t *Tokens) renew(ctx context.Context) error {
	now := time.Now()
	if t.token != "" && now.Before(t.until) {
		return nil
	}
	req, err := t.Ask(ctx, now)
	if err != nil {
		return err
	}
	resp, err := fetch.Send(t.HTTP, req, "the token endpoint")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Token string      `json:"access_token"`
		For   json.Number `json:"expires_in"` // seconds; some write it as a string
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	seconds, _ := answer.For.Int64()
	if answer.Token == "" {
		return fmt.Errorf("the answer has no access_token")
	}
	t.token, t.until = answer.Token, now.Add(time.Duration(max(0, seconds-60))*time.Second)
	return nil
}
