package correlate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/query"
)

func oktaEvent(minute int, action, actor, ip, result string) string {
	return fmt.Sprintf(`{"uuid":"7d3b0f00-0000-11ee-8000-0000000000%02d","published":"2026-03-01T10:%02d:00.000Z","eventType":%q,"version":"0","severity":"INFO","displayMessage":"Example","actor":{"id":"00u1","type":"User","alternateId":%q,"displayName":"Jane"},"client":{"userAgent":{"rawUserAgent":"Mozilla/5.0"},"ipAddress":%q},"outcome":{"result":%q},"target":[],"debugContext":{"debugData":{"requestId":"r1"}},"transaction":{"type":"WEB","id":"t1"}}`+"\n", minute, minute, action, actor, ip, result)
}

func githubEvent(minute int, action, actor, more string) string {
	return fmt.Sprintf(`{"@timestamp":%d,"_document_id":"d%d","action":%q,"actor":%q,"actor_id":7,"actor_ip":"192.0.2.20","org":"shop","org_id":2,"created_at":%d,"repo":"shop/web"%s}`+"\n", 1772359200000+int64(minute)*60000, minute, action, actor, 1772359200000+int64(minute)*60000, more)
}

// assumes is the opening of a session, and calledIn a call in it.
func assumes(minute int, action, identity, role, session, key, ip string) string {
	return fmt.Sprintf(`{"eventVersion":"1.11","userIdentity":%s,"eventTime":"2026-03-01T10:%02d:00Z","eventSource":"sts.amazonaws.com","eventName":%q,"awsRegion":"eu-central-1","sourceIPAddress":%q,"userAgent":"x","requestParameters":{"roleArn":"arn:aws:iam::111122223333:role/%s","roleSessionName":%q},"responseElements":{"credentials":{"accessKeyId":%q},"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/%s/%s"}},"requestID":"R%d","eventID":"e0000000-0000-4000-8000-0000000000%02d","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}`+"\n",
		identity, minute, action, ip, role, session, key, role, session, minute, minute)
}

func calledIn(minute int, role, session, key, ip string) string {
	return fmt.Sprintf(`{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:%s","arn":"arn:aws:sts::111122223333:assumed-role/%s/%s","accountId":"111122223333","accessKeyId":%q,"sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/%s","userName":%q}}},"eventTime":"2026-03-01T10:%02d:00Z","eventSource":"s3.amazonaws.com","eventName":"ListBuckets","awsRegion":"eu-central-1","sourceIPAddress":%q,"userAgent":"x","requestParameters":null,"responseElements":null,"requestID":"R%d","eventID":"e0000000-0000-4000-8000-0000000000%02d","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}`+"\n",
		session, role, session, key, role, role, minute, ip, minute, minute)
}

func clusterGet(user string) string {
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"5f0c1a52-0000-4000-8000-000000000001","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","user":{"username":%q,"groups":["system:authenticated"]},"sourceIPs":["192.0.2.20"],"userAgent":"kubectl/v1.33.0","objectRef":{"resource":"pods"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-03-01T10:30:00.000000Z","stageTimestamp":"2026-03-01T10:30:00.100000Z"}`+"\n", user)
}

func azureFederation(identity, subject string) string {
	return fmt.Sprintf(`{"time":"2026-03-01T10:00:10Z","resourceId":"/SUBSCRIPTIONS/11111111-2222-3333-4444-555555555555/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.MANAGEDIDENTITY/USERASSIGNEDIDENTITIES/%s/FEDERATEDIDENTITYCREDENTIALS/X","operationName":"MICROSOFT.MANAGEDIDENTITY/USERASSIGNEDIDENTITIES/FEDERATEDIDENTITYCREDENTIALS/WRITE","category":"Administrative","resultType":"Success","callerIpAddress":"192.0.2.30","correlationId":"c9","identity":{"claims":{"name":"Jane"}},"properties":{"requestbody":"{\"properties\":{\"issuer\":\"https://oidc.example\",\"subject\":\"%s\"}}"}}`+"\n", identity, subject)
}

func azureDirectory(application, subject string) string {
	return fmt.Sprintf(`{"time":"2026-03-01T10:00:20Z","resourceId":"/tenants/t1/providers/Microsoft.aadiam","operationName":"Update application","category":"AuditLogs","tenantId":"t1","correlationId":"c8","properties":{"id":"D1","category":"ApplicationManagement","result":"success","activityDisplayName":"Update application","activityDateTime":"2026-03-01T10:00:20Z","loggedByService":"Core Directory","initiatedBy":{"user":{"id":"u1","userPrincipalName":"jane@example.com"}},"targetResources":[{"id":"a1","displayName":%q,"type":"Application","modifiedProperties":[{"displayName":"FederatedIdentityCredentials","oldValue":"[]","newValue":"[{\"issuer\":\"https://token.actions.githubusercontent.com\",\"subject\":\"%s\"}]"}]}]}}`+"\n", application, subject)
}

const (
	samlUser   = `{"type":"SAMLUser","principalId":"x:jane@example.com","userName":"jane@example.com","identityProvider":"x"}`
	someUser   = `{"type":"IAMUser","principalId":"AIDA","arn":"arn:aws:iam::111122223333:user/joe","accountId":"111122223333","accessKeyId":"AKIAEXAMPLE","userName":"joe"}`
	actionUser = `{"type":"WebIdentityUser","principalId":"p","userName":"repo:shop/web:ref:refs/heads/main","identityProvider":"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}`
	otherUser  = `{"type":"WebIdentityUser","principalId":"p","userName":"repo:shop/web:ref:refs/heads/main","identityProvider":"arn:aws:iam::111122223333:oidc-provider/oidc.example.com"}`
)

// People of Okta's and repositories of GitHub's are joined to what they are in
// clouds and clusters, as surely as the records say it.
func TestIdentities(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"okta.jsonl": oktaEvent(1, "user.authentication.sso", "Jane@example.com", "192.0.2.20", "SUCCESS") +
			oktaEvent(2, "user.authentication.sso", "kim@example.com", "192.0.2.21", "SUCCESS") +
			oktaEvent(3, "user.authentication.sso", "sam@example.com", "192.0.2.22", "FAILURE"),
		"github.jsonl": githubEvent(4, "git.push", "jane-dev", `,"external_identity_nameid":"Jane@example.com"`) + githubEvent(5, "git.clone", "mallory", ""),
		"cloudtrail.jsonl": assumes(6, "AssumeRoleWithSAML", samlUser, "Admin", "jane@example.com", "ASIAJANE", "192.0.2.20") +
			assumes(7, "AssumeRole", someUser, "Ops", "kim@example.com", "ASIAKIM", "198.51.100.9") +
			assumes(8, "AssumeRoleWithWebIdentity", actionUser, "Deploy", "GitHubActions", "ASIADEPLOY", "192.0.2.40") +
			assumes(9, "AssumeRoleWithWebIdentity", otherUser, "Deploy", "other", "ASIAOTHER", "192.0.2.41") +
			calledIn(10, "AWSReservedSSO_ReadOnly_1", "sam@example.com", "ASIASAM", "192.0.2.22") +
			calledIn(11, "Deploy", "GitHubActions", "ASIADEPLOY", "192.0.2.40"),
		"audit.jsonl": clusterGet("oidc:jane@example.com"),
		"azure.jsonl": azureFederation("WEB-IDENTITY", "system:serviceaccount:shop:web") + azureSignIn("token-1", "192.0.2.12") +
			azureDirectory("web-identity", "repo:shop/web:environment:prod"),
		"google.jsonl": googleCall(1, "storage.objects.list", "", `,"principalSubject":"principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github/subject/repo:shop/web:ref:refs/heads/main"`, "192.0.2.50"),
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
	links := map[string]*correlate.Link{}
	for i := range g.Links {
		l := &g.Links[i]
		links[named(g, l.From)+" | "+l.Kind.String()+" | "+named(g, l.To)] = l
	}
	for _, want := range []struct {
		link string
		sure correlate.Sure
		why  string
		rows int
	}{
		{"okta-user:Jane@example.com | opened | cloud-session:ASIAJANE", correlate.Likely, "signed on from the same address, 192.0.2.20", 1},
		{"okta-user:kim@example.com | opened | cloud-session:ASIAKIM", correlate.Possible, "may choose", 1},
		{"okta-user:sam@example.com | opened | cloud-session:ASIASAM", correlate.Likely, "as single sign-on gives it", 1},
		{"okta-user:Jane@example.com | is the same person as | user:oidc:jane@example.com", correlate.Likely, "jane@example.com", 2},
		{"okta-user:Jane@example.com | is the same person as | cloud-user:jane@example.com", correlate.Likely, "jane@example.com", 2},
		{"okta-user:Jane@example.com | is the same person as | github-user:jane-dev", correlate.Certain, "single sign-on", 1},
		{"github-user:jane-dev | changed | repository:shop/web", correlate.Certain, "", 1},
		{"repository:shop/web | opened | cloud-session:ASIADEPLOY", correlate.Certain, "refs/heads/main", 1},
		{"repository:shop/web | opened | cloud-session:shop/web", correlate.Certain, "", 1},
		{"cloud-user:repo:shop/web:ref:refs/heads/main | opened | cloud-session:ASIAOTHER", correlate.Certain, "", 1},
		{"service-account:shop/web | acted as | cloud-user:web-identity", correlate.Certain, "federated credential", 1},
		{"repository:shop/web | acted as | cloud-user:web-identity", correlate.Certain, "federated credential", 1},
		{"cloud-user:web-identity | opened | cloud-session:token-1", correlate.Certain, "", 1},
	} {
		l := links[want.link]
		if l == nil {
			t.Errorf("not found: %s", want.link)
			continue
		}
		if l.Sure != want.sure || !strings.Contains(l.Why, want.why) || len(l.Rows()) != want.rows {
			t.Errorf("%s: %s, %q, %d rows", want.link, l.Sure, l.Why, len(l.Rows()))
		}
		if slices.Contains(l.Rows(), timeline.RowID{}) {
			t.Errorf("%s names a row that there is not", want.link)
		}
	}
	for _, wrong := range []string{"repository:shop/web | opened | cloud-session:ASIAOTHER", "github-user:mallory | changed | repository:shop/web"} {
		if links[wrong] != nil {
			t.Errorf("found: %s", wrong)
		}
	}
	if t.Failed() {
		for l := range links {
			t.Log(l)
		}
	}
	aroundDirectories(t, s, g)
}

// aroundDirectories looks that each record of a directory leads to its entities.
func aroundDirectories(t *testing.T, s timeline.Store, g *correlate.Graph) {
	t.Helper()
	where, err := query.Parse("event.dataset:(okta.system OR github.audit OR azure.auditlogs)", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = correlate.Each(t.Context(), s, where, correlate.Fields(), func(r timeline.Row) error {
		n++
		if around, _ := g.Around(r); len(around) == 0 {
			t.Errorf("%v has no entities", r.Values["event.action"])
		}
		return nil
	})
	if err != nil || n != 6 {
		t.Fatal(n, err)
	}
}
