package aws

import (
	"context"
	"crypto/sha1" // it names a file
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// singleSignOn asks for the keys of a role by the token that "aws sso login"
// left behind (IAM Identity Center, GetRoleCredentials). The token is never
// renewed here: that takes a browser.
func (f finder) singleSignOn(ctx context.Context, name string, p map[string]string) (Credentials, error) {
	again := fmt.Errorf("the profile %s needs a login: aws sso login --profile %s", name, name)
	at, err := signOnOf(p)
	if err != nil {
		return Credentials{}, fmt.Errorf("the profile %s: %w", name, err)
	}
	token, err := cachedToken(at.key)
	if err != nil || !token.Expires.After(time.Now()) {
		return Credentials{}, again
	}
	query := url.Values{"role_name": {p["sso_role_name"]}, "account_id": {p["sso_account_id"]}}
	f.region = at.region
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.endpoint("portal.sso", "AWS_ENDPOINT_URL_SSO")+"/federation/credentials?"+query.Encode(), nil)
	if err != nil {
		return Credentials{}, err
	}
	req.Header.Set("X-Amz-Sso_bearer_token", token.Token)
	data, err := f.ask(req, "the single sign-on of the profile "+name)
	if err != nil {
		return Credentials{}, err
	}
	var answer struct {
		Role given `json:"roleCredentials"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return Credentials{}, fmt.Errorf("the single sign-on's answer cannot be read: %w", err)
	}
	return answer.Role.credentials("the single sign-on of the profile " + name)
}

// signOn is where a profile signs on: what the token's file is named after,
// and the region of it.
type signOn struct{ key, region string }

func signOnOf(p map[string]string) (signOn, error) {
	if p["sso_session"] == "" {
		return signOn{p["sso_start_url"], p["sso_region"]}, nil
	}
	s, err := section(sharedFile("AWS_CONFIG_FILE", "config"), "sso-session "+p["sso_session"])
	if err == nil && s["sso_region"] == "" {
		err = fmt.Errorf("there is no [sso-session %s] with a region", p["sso_session"])
	}
	return signOn{p["sso_session"], s["sso_region"]}, err
}

type ssoToken struct {
	Token   string    `json:"accessToken"`
	Expires time.Time `json:"expiresAt"`
}

func cachedToken(key string) (t ssoToken, err error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return t, err
	}
	sum := sha1.Sum([]byte(key))
	text, err := readToken(filepath.Join(home, ".aws", "sso", "cache", strings.ToLower(hex.EncodeToString(sum[:]))+".json"))
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal([]byte(text), &t)
}
