package gcp

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"amber/timeline/fetch/oauth"
)

const (
	scope      = "https://www.googleapis.com/auth/logging.read"
	tokenURL   = "https://oauth2.googleapis.com/token" // #nosec: an address
	maxKeyFile = 1 << 20
)

// ErrNoCredentials says that there are none.
var ErrNoCredentials = errors.New("no credentials for Google Cloud: set CLOUDSDK_AUTH_ACCESS_TOKEN (gcloud auth print-access-token), or GOOGLE_APPLICATION_CREDENTIALS to a key file, or have those of gcloud auth application-default login, or of the instance that this runs on")

// FindCredentials looks at CLOUDSDK_AUTH_ACCESS_TOKEN, then at the file that
// GOOGLE_APPLICATION_CREDENTIALS names, then at that of gcloud's
// application-default login, then asks the metadata service of the instance, or
// of the pod with workload identity, that this runs on.
func FindCredentials(ctx context.Context, client *http.Client) (*oauth.Tokens, error) {
	if token := os.Getenv("CLOUDSDK_AUTH_ACCESS_TOKEN"); token != "" {
		return &oauth.Tokens{From: "CLOUDSDK_AUTH_ACCESS_TOKEN", Fixed: token}, nil
	}
	path := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS")
	if path == "" {
		home, err := os.UserHomeDir()
		if err == nil {
			path = filepath.Join(home, ".config", "gcloud", "application_default_credentials.json")
			_, err = os.Stat(path)
		}
		if err != nil {
			return instance(ctx)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxKeyFile {
		return nil, fmt.Errorf("the credentials %s: want a small file: %w", path, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials: %w", err)
	}
	t, err := parseCredentials(data)
	if err != nil {
		return nil, fmt.Errorf("the credentials %s: %w", path, err)
	}
	t.HTTP, t.From = client, t.From+" ("+path+")"
	return t, nil
}

// instance asks the metadata service.
func instance(ctx context.Context) (*oauth.Tokens, error) {
	host := cmp.Or(os.Getenv("GCE_METADATA_HOST"), "169.254.169.254")
	address := "http://" + host + "/computeMetadata/v1/instance/service-accounts/default/token?" + url.Values{"scopes": {scope}}.Encode()
	if t := oauth.Instance(ctx, "the instance's service account", address, http.Header{"Metadata-Flavor": {"Google"}}); t != nil {
		return t, nil
	}
	return nil, ErrNoCredentials
}

type keyFile struct {
	Type         string `json:"type"`
	Email        string `json:"client_email"`
	KeyID        string `json:"private_key_id"`
	Key          string `json:"private_key"`
	TokenURI     string `json:"token_uri"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Refresh      string `json:"refresh_token"`
}

func parseCredentials(data []byte) (*oauth.Tokens, error) {
	var f keyFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.TokenURI == "" {
		f.TokenURI = tokenURL
	}
	switch f.Type {
	case "authorized_user":
		return &oauth.Tokens{From: "a user's login", Ask: oauth.Post(tokenURL, func(time.Time) (url.Values, error) {
			return url.Values{"grant_type": {"refresh_token"}, "client_id": {f.ClientID}, "client_secret": {f.ClientSecret}, "refresh_token": {f.Refresh}}, nil
		})}, nil
	case "service_account":
		key, err := parseKey(f.Key)
		if err != nil {
			return nil, err
		}
		return &oauth.Tokens{From: f.Email, Ask: oauth.Post(f.TokenURI, func(now time.Time) (url.Values, error) {
			assertion, err := f.assertion(key, now)
			return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}, err
		})}, nil
	}
	return nil, fmt.Errorf("of the type %q, which amber does not use: set CLOUDSDK_AUTH_ACCESS_TOKEN to what gcloud auth print-access-token prints", f.Type)
}

func parseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("private_key is no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("private_key: %w", err)
	}
	k, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("private_key is no RSA key")
	}
	return k, nil
}

// assertion is the JWT of RFC 7523 that the account signs.
func (f keyFile) assertion(key *rsa.PrivateKey, now time.Time) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": f.KeyID})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{"iss": f.Email, "scope": scope, "aud": f.TokenURI, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), err
}
