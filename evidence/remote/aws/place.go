package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// agents are the hosts that a container's credentials may be asked of without
// TLS, besides this one: those of ECS and of EKS Pod Identity.
var agents = []string{"169.254.170.2", "169.254.170.23", "fd00:ec2::23"}

// container asks the agent of the container that this runs in.
func (f finder) container(ctx context.Context) (Credentials, error) {
	address := os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if path := os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); path != "" {
		address = "http://" + agents[0] + path
	}
	if address == "" {
		return Credentials{}, errNotThere
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && !trusted(u.Hostname()) {
		return Credentials{}, errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor a known agent: nothing is asked there")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Credentials{}, err
	}
	token := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if file := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		if token, err = readToken(file); err != nil {
			return Credentials{}, fmt.Errorf("reading the container's token: %w", err)
		}
	}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	return f.place(req, "the container's agent")
}

func trusted(host string) bool {
	for _, a := range agents {
		if host == a {
			return true
		}
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}

// place reads what an agent or an instance answers.
func (f finder) place(req *http.Request, from string) (Credentials, error) {
	data, err := f.ask(req, from)
	if err != nil {
		return Credentials{}, err
	}
	var g given
	if err := json.Unmarshal(data, &g); err != nil {
		return Credentials{}, fmt.Errorf("the answer of %s cannot be read: %w", from, err)
	}
	return g.credentials(from)
}

// metadataWait is how long an instance may take to answer for the first time:
// on most machines nobody is there.
const metadataWait = time.Second

// instance asks the machine's metadata service, version 2 alone.
func (f finder) instance(ctx context.Context) (Credentials, error) {
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return Credentials{}, errNotThere
	}
	base := cmp.Or(strings.TrimSuffix(os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), "/"), "http://169.254.169.254")
	f.http = &http.Client{Timeout: findTimeout, CheckRedirect: f.http.CheckRedirect, Transport: &http.Transport{
		DialContext: (&net.Dialer{Timeout: metadataWait}).DialContext, ResponseHeaderTimeout: 5 * metadataWait, // and no proxy
	}}
	defer f.http.CloseIdleConnections()
	token, err := f.metadata(ctx, http.MethodPut, base+"/latest/api/token", http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"300"}})
	if err != nil {
		return Credentials{}, errNotThere
	}
	const roles = "/latest/meta-data/iam/security-credentials/"
	head := http.Header{"X-Aws-Ec2-Metadata-Token": {token}}
	role, err := f.metadata(ctx, http.MethodGet, base+roles, head)
	if err != nil {
		return Credentials{}, fmt.Errorf("this instance has no role: %w", err)
	}
	role, _, _ = strings.Cut(role, "\n")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+roles+url.PathEscape(role), nil)
	if err != nil {
		return Credentials{}, err
	}
	req.Header = head
	return f.place(req, "the instance's role "+role)
}

func (f finder) metadata(ctx context.Context, method, address string, head http.Header) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return "", err
	}
	req.Header = head
	data, err := f.ask(req, "the instance's metadata service")
	return strings.TrimSpace(string(data)), err
}
