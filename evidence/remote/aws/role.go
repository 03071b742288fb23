package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// session names amber in AWS's own records, where the profile names nothing
// else.
const session = "amber"

// assume takes on the role of a profile (STS AssumeRole).
func (f finder) assume(ctx context.Context, by Credentials, p map[string]string) (Credentials, error) {
	if p["mfa_serial"] != "" {
		return Credentials{}, errors.New("the role " + p["role_arn"] + " asks for a code (mfa_serial): export the keys (aws configure export-credentials --format env)")
	}
	form := url.Values{"Action": {"AssumeRole"}, "RoleArn": {p["role_arn"]}, "RoleSessionName": {cmp.Or(p["role_session_name"], session)}}
	for key, name := range map[string]string{"external_id": "ExternalId", "duration_seconds": "DurationSeconds"} {
		if p[key] != "" {
			form.Set(name, p[key])
		}
	}
	c, err := f.sts(ctx, form, func(req *http.Request, body string) {
		by.Sign(req, "sts", f.region, Sum([]byte(body)), time.Now())
	})
	c.From = p["role_arn"] + ", by " + by.From
	return c, err
}

// webIdentity takes on a role by the token of another issuer (STS
// AssumeRoleWithWebIdentity): of a pod's service account, of a workflow.
func (f finder) webIdentity(ctx context.Context, role, name, file string) (Credentials, error) {
	token, err := readToken(file)
	if err != nil {
		return Credentials{}, fmt.Errorf("reading the web identity's token: %w", err)
	}
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {role}, "RoleSessionName": {cmp.Or(name, session)}, "WebIdentityToken": {token}}
	c, err := f.sts(ctx, form, func(*http.Request, string) {}) // the token says who asks
	c.From = role + ", by the token in " + file
	return c, err
}

// readToken reads a file that holds a token and nothing else.
func readToken(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return strings.TrimSpace(string(data)), err
}

// sts makes a call of the Security Token Service, version 2011-06-15.
func (f finder) sts(ctx context.Context, form url.Values, sign func(*http.Request, string)) (Credentials, error) {
	form.Set("Version", "2011-06-15")
	body := form.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.endpoint("sts", "AWS_ENDPOINT_URL_STS")+"/", strings.NewReader(body))
	if err != nil {
		return Credentials{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	sign(req, body)
	data, err := f.ask(req, "STS "+form.Get("Action")+" of "+form.Get("RoleArn"))
	if err != nil {
		return Credentials{}, err
	}
	var answer struct {
		Assumed given `xml:"AssumeRoleResult>Credentials"`
		Web     given `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if err := xml.Unmarshal(data, &answer); err != nil {
		return Credentials{}, fmt.Errorf("the answer of STS cannot be read: %w", err)
	}
	if answer.Web.SecretAccessKey != "" {
		return answer.Web.credentials("STS")
	}
	return answer.Assumed.credentials("STS")
}

// endpoint is a service's own in the region, unless a variable names another.
func (f finder) endpoint(service string, variables ...string) string {
	for _, name := range append(variables, "AWS_ENDPOINT_URL") {
		if e := os.Getenv(name); e != "" {
			return strings.TrimSuffix(e, "/")
		}
	}
	return "https://" + service + "." + f.region + "." + Domain(f.region)
}

// Domain is what the names of AWS's services end in, in a region.
func Domain(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// refusal is what a service says in an error's body, in its XML or JSON.
func refusal(data []byte) string {
	var x struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	var j struct{ Message, Code string }
	if xml.Unmarshal(data, &x) == nil && x.Code != "" {
		return cut(x.Code + ": " + x.Message)
	}
	if json.Unmarshal(data, &j) == nil && j.Message != "" {
		return cut(strings.TrimPrefix(j.Code+": "+j.Message, ": "))
	}
	return cut(strings.TrimSpace(string(data)))
}

func cut(s string) string { return s[:min(len(s), 500)] }
