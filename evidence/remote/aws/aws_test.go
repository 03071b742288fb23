package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSign is the example of AWS's documentation for a GET of an object
// ("Signature Calculations for the Authorization Header", its first one).
func TestSign(t *testing.T) {
	req, err := http.NewRequest(http.MethodGet, "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=0-9")
	c := Credentials{Key: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	c.Sign(req, "s3", "us-east-1", Sum(nil), time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))
	const want = "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
	if got := req.Header.Get("Authorization"); !strings.HasSuffix(got, want) {
		t.Errorf("%s", got)
	}
}

// bare is a home without credentials, on a machine that is no instance.
func bare(t *testing.T) (write func(name, text string)) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return func(name, text string) {
		t.Helper()
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func find(t *testing.T) (Credentials, error) {
	t.Helper()
	return Find(context.Background())
}

// want holds what is found to a key, a secret and a token.
func want(t *testing.T, key, secret, token string) {
	t.Helper()
	if c, err := find(t); err != nil || c.Key != key || c.Secret != secret || c.Token != token {
		t.Errorf("%s, %s, %s from %s, %v; want %s, %s, %s", c.Key, c.Secret, c.Token, c.From, err, key, secret, token)
	}
}

func wantError(t *testing.T, part string) {
	t.Helper()
	if c, err := find(t); err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("%+v, %v; want %q", c, err, part)
	}
}

func TestKeys(t *testing.T) {
	write := bare(t)
	wantError(t, "no credentials for AWS")
	if r := Region(); r != DefaultRegion {
		t.Errorf("region %s", r)
	}
	write(".aws/credentials", "# mine\n[default]\naws_access_key_id = a\naws_secret_access_key=b=/+\n\n[lab]\naws_access_key_id=c\naws_secret_access_key=d\naws_session_token=e\n")
	write(".aws/config", "[default]\nregion=eu-central-1\n[profile  half ] ; it is\naws_access_key_id=x\n")
	want(t, "a", "b=/+", "")
	if r := Region(); r != "eu-central-1" {
		t.Errorf("region %s", r)
	}
	t.Setenv("AWS_PROFILE", "lab")
	want(t, "c", "d", "e")
	t.Setenv("AWS_PROFILE", "half")
	wantError(t, "no credentials")
	t.Setenv("AWS_ACCESS_KEY_ID", "f")
	wantError(t, "only one of")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "g")
	want(t, "f", "g", "")
}

func TestProcess(t *testing.T) {
	write := bare(t)
	write(".aws/config", `[default]
credential_process = echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","SessionToken":"c"}'
[profile old]
credential_process = echo '{"Version":2,"AccessKeyId":"a","SecretAccessKey":"b"}'
[profile broken]
credential_process = echo first >&2; echo the vault is locked >&2; exit 3
[profile empty]
credential_process = echo '{"Version":1}'
`)
	want(t, "a", "b", "c")
	for name, part := range map[string]string{"old": "version 1", "broken": "the vault is locked", "empty": "gave no access key"} {
		t.Setenv("AWS_PROFILE", name)
		wantError(t, part)
	}
}

// fakeAWS answers as STS, single sign-on, an agent and an instance's metadata
// service do, after AWS's documentation. The real services cannot be had here.
type fakeAWS struct{ asked []string }

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	f.asked = append(f.asked, r.Method+" "+r.URL.Path+" "+r.Form.Get("Action"))
	keys := func(key, token string) string {
		return fmt.Sprintf("<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>%s</SessionToken></Credentials>", key, token)
	}
	refuse := func(code string) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Code>%s</Code><Message>not you</Message></Error></ErrorResponse>`, code)
	}
	switch {
	case r.Form.Get("Action") == "AssumeRole":
		if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/sts/aws4_request") || r.Form.Get("Version") != "2011-06-15" || r.Form.Get("ExternalId") != "x1" {
			refuse("AccessDenied")
			return
		}
		key, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
		fmt.Fprint(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>`+keys("assumed-by-"+key, r.Form.Get("RoleSessionName"))+`</AssumeRoleResult></AssumeRoleResponse>`)
	case r.Form.Get("Action") == "AssumeRoleWithWebIdentity":
		if r.Form.Get("WebIdentityToken") != "jwt" || r.Header.Get("Authorization") != "" {
			refuse("InvalidIdentityToken")
			return
		}
		fmt.Fprint(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>`+keys("web", "t")+`</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
	case r.URL.Path == "/federation/credentials" && r.Header.Get("X-Amz-Sso_bearer_token") == "sso-token":
		fmt.Fprintf(w, `{"roleCredentials":{"accessKeyId":%q,"secretAccessKey":"s","sessionToken":"t","expiration":1795000000000}}`, r.Form.Get("role_name")+"@"+r.Form.Get("account_id"))
	case r.URL.Path == "/agent" && r.Header.Get("Authorization") == "pod":
		fmt.Fprint(w, `{"RoleArn":"arn","AccessKeyId":"agent","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-22T20:00:00Z"}`)
	case r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut:
		fmt.Fprint(w, "v2")
	case strings.HasPrefix(r.URL.Path, "/latest/meta-data/iam/security-credentials/") && r.Header.Get("X-Aws-Ec2-Metadata-Token") == "v2":
		if strings.HasSuffix(r.URL.Path, "/node role") {
			fmt.Fprint(w, `{"Code":"Success","AccessKeyId":"instance","SecretAccessKey":"s","Token":"t"}`)
			return
		}
		fmt.Fprint(w, "node role\n")
	default:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message":"no such thing"}`)
	}
}

func fake(t *testing.T) (*fakeAWS, string) {
	f := &fakeAWS{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	return f, server.URL
}

func TestRoles(t *testing.T) {
	write := bare(t)
	_, _ = fake(t)
	write("token", "jwt\n")
	write(".aws/credentials", "[base]\naws_access_key_id=a\naws_secret_access_key=b\n")
	write(".aws/config", `[profile base]
[profile audit]
role_arn = arn:aws:iam::111122223333:role/audit
source_profile = base
external_id = x1
region = eu-west-1
[profile twice]
role_arn = arn:aws:iam::111122223333:role/deep
source_profile = audit
external_id = x1
role_session_name = night
region = eu-west-1
[profile refused]
role_arn = arn:aws:iam::111122223333:role/audit
source_profile = base
[profile ring]
role_arn = arn:aws:iam::111122223333:role/a
source_profile = ring2
[profile ring2]
role_arn = arn:aws:iam::111122223333:role/b
source_profile = ring
[profile self]
role_arn = arn:aws:iam::111122223333:role/a
source_profile = self
[profile code]
role_arn = arn:aws:iam::111122223333:role/a
source_profile = base
mfa_serial = arn:aws:iam::111122223333:mfa/me
[profile web]
role_arn = arn:aws:iam::111122223333:role/web
web_identity_token_file = `+filepath.Join(os.Getenv("HOME"), "token")+"\n")
	for name, keys := range map[string][3]string{
		"audit": {"assumed-by-a", "s", "amber"}, "twice": {"assumed-by-assumed-by-a", "s", "night"}, "web": {"web", "s", "t"},
	} {
		t.Setenv("AWS_PROFILE", name)
		want(t, keys[0], keys[1], keys[2])
	}
	for name, part := range map[string]string{"refused": "403 Forbidden: AccessDenied: not you", "ring": "from itself", "self": "from itself", "code": "mfa_serial"} {
		t.Setenv("AWS_PROFILE", name)
		wantError(t, part)
	}
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", filepath.Join(os.Getenv("HOME"), "token"))
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod")
	want(t, "web", "s", "t")
	write("token", "another")
	wantError(t, "InvalidIdentityToken")
}

func TestSingleSignOn(t *testing.T) {
	write := bare(t)
	_, _ = fake(t)
	write(".aws/config", `[default]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = audit
[sso-session corp]
sso_region = eu-central-1
sso_start_url = https://corp.awsapps.com/start
[profile legacy]
sso_start_url = https://old.awsapps.com/start
sso_region = eu-central-1
sso_account_id = 444455556666
sso_role_name = read
`)
	wantError(t, "aws sso login --profile default")
	token := func(file string, until time.Time) {
		data, _ := json.Marshal(map[string]any{"accessToken": "sso-token", "expiresAt": until.UTC().Format(time.RFC3339)})
		write(".aws/sso/cache/"+file+".json", string(data))
	}
	token("ee0bfd2552fbd840c02cc48b6e823320543c450f", time.Now().Add(-time.Minute))
	wantError(t, "aws sso login")
	token("ee0bfd2552fbd840c02cc48b6e823320543c450f", time.Now().Add(time.Hour))
	want(t, "audit@111122223333", "s", "t")
	token("33d5ca4bf3b1a62edb96b47f7c203034a43ac435", time.Now().Add(time.Hour))
	t.Setenv("AWS_PROFILE", "legacy")
	want(t, "read@444455556666", "s", "t")
}

func TestPlaces(t *testing.T) {
	write := bare(t)
	f, url := fake(t)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
	want(t, "instance", "s", "t")
	write("token", "pod")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", filepath.Join(os.Getenv("HOME"), "token"))
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url+"/agent")
	want(t, "agent", "s", "t")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "other")
	wantError(t, "no such thing")
	before := len(f.asked)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://203.0.113.7/agent")
	wantError(t, "neither https nor a known agent")
	if len(f.asked) != before {
		t.Error("somebody else was asked")
	}
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
	wantError(t, "no credentials for AWS")
}

func FuzzProfile(f *testing.F) {
	f.Add("[default]\na=b\n", "default")
	f.Add("[profile x]\n=\n[", "x")
	f.Fuzz(func(_ *testing.T, text, name string) { _, _ = parseSection(strings.NewReader(text), []string{name}) })
}
