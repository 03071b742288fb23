package registry

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"amber/evidence/remote"
)

// Login is who one is to a registry. It comes from the environment or from
// Docker's configuration, never from a command line.
type Login struct{ User, Password, Token string }

func (l Login) empty() bool { return l == Login{} }

const maxConfig = 1 << 20

// FindLogin looks into AMBER_REGISTRY_USERNAME and AMBER_REGISTRY_PASSWORD, then
// into config.json of DOCKER_CONFIG (or ~/.docker) for what docker login has
// kept there, by itself or by a credential helper. None is no error.
func FindLogin(ctx context.Context, host string) (Login, error) {
	if u, p := os.Getenv("AMBER_REGISTRY_USERNAME"), os.Getenv("AMBER_REGISTRY_PASSWORD"); u != "" || p != "" {
		return Login{User: u, Password: p}, nil
	}
	dir := os.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return Login{}, nil
		}
		dir = filepath.Join(home, ".docker")
	}
	f, err := os.Open(filepath.Join(dir, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Login{}, nil
	}
	if err != nil {
		return Login{}, fmt.Errorf("reading the registry's login: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return Login{}, fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	l, err := parseLogin(ctx, data, host)
	if err != nil {
		return l, fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	return l, nil
}

func parseLogin(ctx context.Context, data []byte, host string) (Login, error) {
	var c struct {
		Auths       map[string]struct{ Auth, IdentityToken string } `json:"auths"`
		CredHelpers map[string]string                               `json:"credHelpers"`
		CredsStore  string                                          `json:"credsStore"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return Login{}, err
	}
	if h := c.CredHelpers[host]; h != "" {
		return askHelper(ctx, h, host)
	}
	for name, a := range c.Auths {
		if server(name) != host {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(a.Auth)
		user, password, ok := strings.Cut(strings.TrimRight(string(raw), "\x00"), ":")
		if err == nil && ok {
			return Login{User: user, Password: password, Token: a.IdentityToken}, nil
		}
	}
	if c.CredsStore != "" {
		return askHelper(ctx, c.CredsStore, host)
	}
	return Login{}, nil
}

// server is the host of a name in the configuration, which may be a URL.
func server(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
	name, _, _ = strings.Cut(name, "/")
	return name
}

// askHelper runs one of Docker's credential helpers. One that knows nothing of
// the host is no error.
func askHelper(ctx context.Context, name, host string) (Login, error) {
	if name != filepath.Base(name) {
		return Login{}, fmt.Errorf("the credential helper %q is no plain name", name)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker-credential-"+name, "get")
	cmd.Stdin = strings.NewReader(host)
	out, err := cmd.Output()
	if err != nil {
		if bytes.Contains(out, []byte("not found")) {
			return Login{}, nil
		}
		return Login{}, fmt.Errorf("asking docker-credential-%s: %w", name, err)
	}
	var x struct{ Username, Secret string }
	if err := json.Unmarshal(out, &x); err != nil {
		return Login{}, fmt.Errorf("asking docker-credential-%s: %w", name, err)
	}
	if x.Username == "<token>" {
		return Login{Token: x.Secret}, nil
	}
	return Login{User: x.Username, Password: x.Secret}, nil
}

func basic(l Login) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(l.User+":"+l.Password))
}

// authorise answers a challenge.
func (r *Client) authorise(ctx context.Context, challenges []string) error {
	for _, c := range challenges {
		scheme, rest, _ := strings.Cut(c, " ")
		var auth string
		var err error
		switch {
		case strings.EqualFold(scheme, "Basic") && !r.c.Login.empty():
			auth = basic(r.c.Login)
		case strings.EqualFold(scheme, "Bearer"):
			auth, err = r.token(ctx, parameters(rest))
		default:
			continue
		}
		if err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if auth == r.auth {
			break
		}
		r.auth = auth
		return nil
	}
	return &Error{Op: "logging in", Status: http.StatusUnauthorized}
}

// token gets one from the service that the registry names. A password goes
// nowhere without TLS.
func (r *Client) token(ctx context.Context, p map[string]string) (string, error) {
	u, err := url.Parse(p["realm"])
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("the registry names %q to log in at", p["realm"])
	}
	if u.Scheme == "http" && !remote.Loopback(u.Host) && !r.c.Login.empty() {
		return "", fmt.Errorf("the registry wants the login to be sent to %s, without TLS", u.Host)
	}
	q := u.Query()
	q.Set("service", p["service"])
	q.Set("scope", "repository:"+r.c.Repository+":pull,push")
	if p["scope"] != "" {
		q.Set("scope", p["scope"])
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	switch l := r.c.Login; {
	case l.Token != "" && l.User == "":
		req.Header.Set("Authorization", "Bearer "+l.Token)
	case !l.empty():
		req.Header.Set("Authorization", basic(l))
	}
	resp, err := r.c.HTTP.Do(req)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", readError(request{op: "logging in at " + u.Host}, resp)
	}
	defer resp.Body.Close()
	var x struct {
		Token  string `json:"token"`
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxConfig)).Decode(&x); err != nil {
		return "", fmt.Errorf("logging in at %s: %w", u.Host, err)
	}
	if x.Token == "" {
		x.Token = x.Access
	}
	if x.Token == "" || strings.ContainsAny(x.Token, "\r\n") {
		return "", fmt.Errorf("logging in at %s: there is no token in the answer", u.Host)
	}
	return "Bearer " + x.Token, nil
}

// parameters reads name="value", … of a challenge.
func parameters(s string) map[string]string {
	p := map[string]string{}
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		var value string
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			value, rest, _ = strings.Cut(quoted, `"`)
		} else {
			value, rest, _ = strings.Cut(rest, ",")
			rest = "," + rest
		}
		p[strings.ToLower(strings.Trim(name, " ,"))] = value
		_, s, _ = strings.Cut(rest, ",")
	}
	return p
}
