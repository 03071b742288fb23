package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	findTimeout = 30 * time.Second // of one call to a service
	maxGiven    = 1 << 20          // of what a service or program may answer
)

// finder asks for credentials what a profile, or the place, points to.
type finder struct {
	http   *http.Client
	region string
}

// newClient follows no redirect: what is asked is asked of that service
// alone.
func newClient() *http.Client {
	return &http.Client{Timeout: findTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// byProfile resolves a profile. Through are the profiles that led to it.
func (f finder) byProfile(ctx context.Context, name string, through []string) (Credentials, error) {
	if slices.Contains(through, name) {
		return Credentials{}, fmt.Errorf("the profile %s takes its credentials from itself (source_profile)", name)
	}
	p, err := profile(name)
	if err != nil {
		return Credentials{}, err
	}
	if p["region"] != "" {
		f.region = p["region"]
	}
	if role := p["role_arn"]; role != "" && p["web_identity_token_file"] != "" {
		return f.webIdentity(ctx, role, p["role_session_name"], p["web_identity_token_file"])
	}
	c, err := f.held(ctx, name, p, through)
	if err != nil || p["role_arn"] == "" {
		return c, err
	}
	return f.assume(ctx, c, p)
}

// held are the credentials of a profile itself, before it takes on a role.
func (f finder) held(ctx context.Context, name string, p map[string]string, through []string) (Credentials, error) {
	switch {
	case p["source_profile"] == name && p["aws_access_key_id"] == "":
		return Credentials{}, fmt.Errorf("the profile %s takes its credentials from itself (source_profile)", name)
	case p["source_profile"] != "" && p["source_profile"] != name && p["role_arn"] != "":
		return f.byProfile(ctx, p["source_profile"], append(slices.Clip(through), name))
	case p["aws_access_key_id"] != "" && p["aws_secret_access_key"] != "":
		return Credentials{p["aws_access_key_id"], p["aws_secret_access_key"], p["aws_session_token"], "the profile " + name}, nil
	case p["sso_session"] != "" || p["sso_start_url"] != "":
		return f.singleSignOn(ctx, name, p)
	case p["credential_process"] != "":
		return byProcess(ctx, name, p["credential_process"])
	}
	return f.byPlace(ctx)
}

// given is what a program, a container's agent or an instance answers.
type given struct {
	Version         int
	AccessKeyId     string // the vendor's name of it
	SecretAccessKey string
	Token           string
	SessionToken    string
}

func (g given) credentials(from string) (Credentials, error) {
	if g.AccessKeyId == "" || g.SecretAccessKey == "" {
		return Credentials{}, fmt.Errorf("%s gave no access key", from)
	}
	return Credentials{g.AccessKeyId, g.SecretAccessKey, g.Token + g.SessionToken, from}, nil
}

// byProcess runs a profile's credential_process, as the AWS tools do: by the
// shell. The line is of the user's own file.
func byProcess(ctx context.Context, name, line string) (Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*findTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.WaitDelay = time.Second
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	from := "the credential_process of the profile " + name
	if err != nil {
		return Credentials{}, fmt.Errorf("%s: %w: %s", from, err, lastLine(complaint.String()))
	}
	var g given
	if err := json.Unmarshal(out, &g); err != nil || g.Version != 1 {
		return Credentials{}, fmt.Errorf("%s does not print a JSON document of version 1", from)
	}
	return g.credentials(from)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// errNotThere says that a place gives no credentials.
var errNotThere = errors.New("not there")

// byPlace asks what this runs in: a container's agent (ECS, EKS Pod Identity),
// or the instance.
func (f finder) byPlace(ctx context.Context) (Credentials, error) {
	for _, ask := range []func(context.Context) (Credentials, error){f.container, f.instance} {
		if c, err := ask(ctx); !errors.Is(err, errNotThere) {
			return c, err
		}
	}
	return Credentials{}, ErrNoCredentials
}

// ask makes a call and gives the answer's body; from names who is asked.
func (f finder) ask(req *http.Request, from string) ([]byte, error) {
	resp, err := f.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxGiven))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s refuses: %s: %s", from, resp.Status, refusal(data))
	}
	return data, nil
}
