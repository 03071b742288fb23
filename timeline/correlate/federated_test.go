package correlate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/query"
)

// googleCall is an entry of Google's audit log.
func googleCall(second int, method, email, authentication, ip string) string {
	return fmt.Sprintf(`{"logName":"projects/shop/logs/cloudaudit.googleapis.com%%2Fdata_access","insertId":"i%d","timestamp":"2026-03-01T10:00:%02dZ","resource":{"type":"service_account","labels":{"email_id":"web@shop.iam.gserviceaccount.com"}},"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"storage.googleapis.com","methodName":%q,"resourceName":"projects/-/serviceAccounts/1","authenticationInfo":{"principalEmail":%q%s},"requestMetadata":{"callerIp":%q}}}`+"\n", second, second, method, email, authentication, ip)
}

func azureCall(second int, token, ip string) string {
	return fmt.Sprintf(`{"time":"2026-03-01T10:01:%02dZ","resourceId":"/SUBSCRIPTIONS/11111111-2222-3333-4444-555555555555","operationName":"MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION","category":"Administrative","resultType":"Success","callerIpAddress":%q,"correlationId":"c%d","identity":{"claims":{"appid":"web-identity","uti":%q}},"properties":{}}`+"\n", second, ip, second, token)
}

func azureSignIn(token, ip string) string {
	return fmt.Sprintf(`{"time":"2026-03-01T10:00:59Z","resourceId":"/tenants/t1/providers/Microsoft.aadiam","operationName":"Sign-in activity","category":"ManagedIdentitySignInLogs","tenantId":"t1","resultType":"0","callerIpAddress":%q,"correlationId":"c0","properties":{"id":"s1","createdDateTime":"2026-03-01T10:00:59Z","servicePrincipalName":"web-identity","servicePrincipalId":"sp1","ipAddress":%q,"status":{"errorCode":0},"uniqueTokenIdentifier":%q}}`+"\n", ip, ip, token)
}

// The clouds of Google and Microsoft: which account of the cluster, or who signed
// in, is behind which calls, and the use from an address that is another.
func TestFederated(t *testing.T) {
	const (
		web   = "web@shop.iam.gserviceaccount.com"
		asWeb = `,"serviceAccountDelegationInfo":[{"principalSubject":"serviceAccount:shop.svc.id.goog[shop/web]"}]`
		pool  = `,"principalSubject":"principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/shop.svc.id.goog/subject/ns/shop/sa/jobs"`
		key   = `,"serviceAccountKeyName":"//iam.googleapis.com/projects/shop/serviceAccounts/web@shop.iam.gserviceaccount.com/keys/0a1b"`
	)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"google.jsonl": googleCall(1, "GenerateAccessToken", "shop.svc.id.goog[shop/web]", "", "192.0.2.10") +
			googleCall(2, "storage.objects.get", web, asWeb, "192.0.2.10") +
			googleCall(3, "storage.objects.get", web, asWeb, "198.51.100.9") +
			googleCall(4, "storage.objects.list", "", pool, "192.0.2.11") +
			googleCall(5, "storage.objects.list", "", pool, "198.51.100.9") +
			googleCall(6, "storage.objects.get", web, key, "198.51.100.9"),
		"azure.jsonl": azureSignIn("token-1", "192.0.2.12") + azureCall(1, "token-1", "192.0.2.12") + azureCall(2, "token-1", "198.51.100.9") + azureCall(3, "token-2", "198.51.100.9"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := built(t, dir)
	g, err := correlate.Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]string{}
	for _, l := range g.Links {
		links[named(g, l.From)+" | "+l.Kind.String()+" | "+named(g, l.To)] = l.Odd
	}
	for want, odd := range map[string]bool{
		"service-account:shop/web | opened | cloud-session:" + web + "/shop/web":                false,
		"cloud-session:" + web + "/shop/web | has the role | cloud-role:" + web:                 false,
		"cloud-session:" + web + "/shop/web | was used from | address:192.0.2.10":               false,
		"cloud-session:" + web + "/shop/web | was used from | address:198.51.100.9":             true,
		"cloud-session:" + web + "/shop/web | called | object:call/storage:storage.objects.get": false,
		"service-account:shop/jobs | opened | cloud-session:shop/jobs":                          false,
		"cloud-session:shop/jobs | was used from | address:192.0.2.11":                          false,
		"cloud-session:shop/jobs | was used from | address:198.51.100.9":                        true,
		"access-key:0a1b | is a key of | cloud-user:" + web:                                     false,
		"access-key:0a1b | was used from | address:198.51.100.9":                                false,
		"cloud-user:web-identity | opened | cloud-session:token-1":                              false,
		"cloud-session:token-1 | was used from | address:192.0.2.12":                            false,
		"cloud-session:token-1 | was used from | address:198.51.100.9":                          true,
		"cloud-session:token-2 | was used from | address:198.51.100.9":                          false,
	} {
		got, ok := links[want]
		if !ok {
			t.Errorf("not found: %s", want)
		} else if (got != "") != odd {
			t.Errorf("%s: marked %q", want, got)
		}
	}
	if t.Failed() {
		for l, odd := range links {
			t.Log(l, strings.ToUpper(odd))
		}
	}
	where, err := query.Parse(`event.dataset:(gcp.audit OR azure.activitylogs)`, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = correlate.Each(t.Context(), s, where, correlate.Fields(), func(r timeline.Row) error {
		if around, _ := g.Around(r); len(around) < 3 {
			t.Errorf("%v has only %d entities", r.Values["event.action"], len(around))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
