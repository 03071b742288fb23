package azure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"amber/timeline/fetch/oauth"
)

// ErrNoCredentials says that there are none.
var ErrNoCredentials = errors.New("no credentials for Azure: set AZURE_ACCESS_TOKEN (az account get-access-token --query accessToken -o tsv), or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or run where there is a workload or managed identity")

// FindCredentials looks at AZURE_ACCESS_TOKEN, then at the variables of an
// application with a secret or a federated token (workload identity), then asks
// for the managed identity of the place that this runs in. Authority is
// AZURE_AUTHORITY_HOST, or the public cloud's.
func FindCredentials(ctx context.Context, client *http.Client, endpoint string) (*oauth.Tokens, error) {
	if token := os.Getenv("AZURE_ACCESS_TOKEN"); token != "" {
		return &oauth.Tokens{From: "AZURE_ACCESS_TOKEN", Fixed: token}, nil
	}
	a := application{os.Getenv("AZURE_TENANT_ID"), os.Getenv("AZURE_CLIENT_ID"), os.Getenv("AZURE_CLIENT_SECRET"), os.Getenv("AZURE_FEDERATED_TOKEN_FILE")}
	endpoint = strings.TrimSuffix(endpoint, "/")
	if a.tenant != "" && a.id != "" && (a.secret != "" || a.file != "") {
		authority := strings.TrimSuffix(cmp.Or(os.Getenv("AZURE_AUTHORITY_HOST"), login), "/")
		return &oauth.Tokens{
			From: "the application " + a.id + " of tenant " + a.tenant, HTTP: client,
			Ask: oauth.Post(authority+"/"+url.PathEscape(a.tenant)+"/oauth2/v2.0/token", func(time.Time) (url.Values, error) {
				return a.form(endpoint + "/.default")
			}),
		}, nil
	}
	return managed(ctx, a.id, endpoint)
}

type application struct{ tenant, id, secret, file string }

// form asks by the secret, or by the token in the file, which is read anew each
// time: others renew it.
func (a application) form(scope string) (url.Values, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {a.id}, "scope": {scope}}
	if a.secret != "" {
		form.Set("client_secret", a.secret)
		return form, nil
	}
	f, err := os.Open(a.file)
	if err != nil {
		return nil, fmt.Errorf("the federated token: %w", err)
	}
	defer f.Close()
	token, err := io.ReadAll(io.LimitReader(f, 64<<10))
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", strings.TrimSpace(string(token)))
	return form, err
}

// managed asks an App Service's endpoint, or the metadata service of a virtual
// machine; id chooses one of several identities.
func managed(ctx context.Context, id, endpoint string) (*oauth.Tokens, error) {
	query := url.Values{"resource": {endpoint}}
	if id != "" {
		query.Set("client_id", id)
	}
	address, version, head := os.Getenv("IDENTITY_ENDPOINT"), "2019-08-01", http.Header{"X-Identity-Header": {os.Getenv("IDENTITY_HEADER")}}
	if address == "" || os.Getenv("IDENTITY_HEADER") == "" {
		host := strings.TrimSuffix(cmp.Or(os.Getenv("AZURE_POD_IDENTITY_AUTHORITY_HOST"), "http://169.254.169.254"), "/")
		address, version, head = host+"/metadata/identity/oauth2/token", "2018-02-01", http.Header{"Metadata": {"true"}}
	}
	query.Set("api-version", version)
	if t := oauth.Instance(ctx, "the managed identity", address+"?"+query.Encode(), head); t != nil {
		return t, nil
	}
	return nil, ErrNoCredentials
}
