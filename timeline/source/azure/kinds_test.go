package azure

import (
	"fmt"
	"strings"
	"testing"

	"amber/timeline/source/sourcetest"
)

const vm = "/SUBSCRIPTIONS/s-1/RESOURCEGROUPS/PROD/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINES/WEB"

// Storage accounts and Event Hubs have the activity log under the verb.
func TestActivityByVerb(t *testing.T) {
	for _, verb := range []string{"Action", "Write", "Delete"} {
		record := `{"time":"2026-03-01T10:00:00Z","resourceId":"` + vm + `","operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMAND/ACTION","category":"` + verb + `","resultType":"Success",%s}`
		for _, rest := range []string{`"properties":{"eventCategory":"Administrative"},"identity":{"claims":{"appid":"eve@example.com"}}`, `"identity":{"claims":{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"eve@example.com"}}`} {
			sourcetest.Holds(t, Source{}, strings.Replace(record, "%s", rest, 1), `event.dataset: "azure.activitylogs"`, `event.outcome: "success"`, `user.name: "eve@example.com"`, `cloud.instance.id: "WEB"`)
		}
		sourcetest.Holds(t, Source{}, strings.Replace(record, "%s", `"properties":{"x":1}`, 1), `event.dataset: "azure.platformlogs"`)
	}
}

// platform is a resource log of which the rest is given.
func platform(rest string) string {
	return `{"time":"2026-03-01T10:00:00Z","resourceId":"/subscriptions/s-1/resourceGroups/g/providers/p/t/n",` + rest + "}"
}

func TestPlatform(t *testing.T) {
	for rest, want := range map[string]string{
		`"category":"AuditEvent","operationName":"SecretGet","resultType":"Success","resultSignature":"Forbidden","resultDescription":"Caller is not authorized","callerIpAddress":"203.0.113.5","identity":{"claim":{"oid":"o-1","appid":"a-1","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"eve@example.com"}},"properties":{"id":"https://kv.vault.azure.net/secrets/db","clientInfo":"python","httpStatusCode":403}`: `event.outcome: "failure"
error.code: "Forbidden"
error.message: "Caller is not authorized"
http.response.status_code: 403
user.name: "eve@example.com"
user.id: "o-1"
user_agent.original: "python"
message: "eve@example.com SecretGet https://kv.vault.azure.net/secrets/db: Forbidden"`,
		`"category":"StorageRead","operationName":"GetBlob","statusCode":200,"statusText":"Success","callerIpAddress":"203.0.113.5:345","identity":{"type":"OAuth","tokenHash":"h","requester":{"appId":"a","objectId":"o-1","upn":"eve@example.com"}},"properties":{"userAgentHeader":"azcopy"},"uri":"https://st1.blob.core.windows.net/b/x"`: `event.outcome: "success"
user.name: "eve@example.com"
user.id: "o-1"
user_agent.original: "azcopy"
url.original: "https://st1.blob.core.windows.net/b/x"
source.ip: "203.0.113.5"
azure.platformlogs.identity.type: "OAuth"
azure.platformlogs.identity.token_hash: "h"`,
		`"category":"StorageRead","operationName":"ListBlobs","statusCode":409,"statusText":"PublicAccessNotPermitted","identity":{"type":"Anonymous"}`: `event.outcome: "failure"
error.code: "PublicAccessNotPermitted"
user.name: "anonymous"
tags: ["anonymous"]`,
		`"category":"ContainerRegistryRepositoryEvents","operationName":"Push","resultType":"HttpStatusCode","resultDescription":"201","identity":"ci-bot","properties":{"repository":"app","tag":"latest","digest":"sha256:aa"}`: `event.outcome: "success"
http.response.status_code: 201
user.name: "ci-bot"
container.image.name: "app:latest"
container.image.hash.all: ["sha256:aa"]
message: "ci-bot Push app:latest"`,
		`"category":"ContainerRegistryLoginEvents","operationName":"Login","resultType":"HttpStatusCode","resultDescription":"401","identity":"admin"`: `event.outcome: "failure"
error.code: "401"`,
		`"category":"MicrosoftGraphActivityLogs","operationName":"Microsoft Graph Activity","properties":{"requestMethod":"GET","responseStatusCode":403,"appId":"a-1","userId":"u-1","requestUri":"https://graph.microsoft.com/v1.0/users"}`: `event.outcome: "failure"
http.request.method: "GET"
http.response.status_code: 403
url.original: "https://graph.microsoft.com/v1.0/users"
user.id: "u-1"
azure.platformlogs.app_id: "a-1"`,
		`"category":"guard","Level":"3","properties":{"log":"I0301 started\n","pod":"guard-1"}`: `message: "I0301 started"
log.level: "Warning"
!event.outcome`,
	} {
		sourcetest.Holds(t, Source{}, platform(rest), strings.Split(want, "\n")...)
	}
}

// What identity protection found, as diagnostic settings and as Graph write it.
func TestRisk(t *testing.T) {
	sourcetest.Holds(t, Source{}, `{"time":"2026-03-01T10:00:00Z","category":"ServicePrincipalRiskEvents","tenantId":"t","identity":"x","properties":{"id":"1","riskEventType":"leakedCredentials","riskState":"atRisk","riskLevel":"high","servicePrincipalId":"sp-1","servicePrincipalDisplayName":"ci-bot","activityDateTime":"2026-03-01T09:00:00Z"}}`,
		`user.name: "ci-bot"`, `user.id: "sp-1"`, `tags: ["at-risk"]`, `azure.identityprotection.properties.risk_level: "high"`)
	sourcetest.Holds(t, Source{}, `{"@odata.context":"x","value":[{"id":"1","riskEventType":"unfamiliarFeatures","riskState":"dismissed","ipAddress":"203.0.113.5","activityDateTime":"2026-03-01T10:00:00Z","userId":"u-1","userPrincipalName":"eve@example.com"}]}`,
		`event.dataset: "azure.identity_protection"`, `event.action: "unfamiliarFeatures"`, "!tags")
	sourcetest.Holds(t, Source{}, `{"value":[{"id":"u-1","riskState":"atRisk","riskLevel":"high","riskLastUpdatedDateTime":"2026-03-01T10:00:00Z","userPrincipalName":"eve@example.com"}]}`,
		"@timestamp: 1772359200000000.000", `user.id: "u-1"`, `user.name: "eve@example.com"`)
	sourcetest.Holds(t, Source{}, `{"value":[{"id":"1","createdDateTime":"2026-03-01T10:00:00Z","appId":"a","servicePrincipalId":"sp-1","servicePrincipalName":"ci","resourceDisplayName":"Graph","status":{"errorCode":0},"signInEventTypes":["servicePrincipal"]}]}`,
		`event.dataset: "azure.signinlogs"`, `tags: ["service-principal"]`)
}

func TestAuditDetails(t *testing.T) {
	sourcetest.Holds(t, Source{}, `{"time":"2026-03-01T10:00:00Z","category":"AuditLogs","tenantId":"t","properties":{"id":"1","activityDisplayName":"Add member to role completed (PIM activation)","activityDateTime":"2026-03-01T10:00:00Z","result":"success","initiatedBy":{"user":{"userPrincipalName":"eve@example.com"}},"targetResources":[],"additionalDetails":[{"key":"User-Agent","value":"python"},{"key":"x","value":"y"}]}}`,
		`tags: ["iam-grant"]`, `user_agent.original: "python"`)
}

// What shippers and stores wrapped is read as if it came alone.
func TestShipped(t *testing.T) {
	record := platform(`"category":"AuditEvent","operationName":"SecretGet"`)
	for _, file := range []string{
		`{"@timestamp":"2026-03-01T11:00:00Z","message":` + fmt.Sprintf("%q", record) + `}`,
		`{"_index":"x","_source":` + record + `}`,
		`{"preview":false,"result":{"_raw":` + fmt.Sprintf("%q", record) + `}}`,
	} {
		sourcetest.Holds(t, Source{}, file, `event.action: "SecretGet"`, "@timestamp: 1772359200000000.000")
	}
}

// A row of the tables that AKS has of its own is the event that it was made of.
func TestAuditTable(t *testing.T) {
	const row = `{"TenantId":"t","TimeGenerated":"2026-03-01T11:00:00Z","Level":"RequestResponse","AuditId":"a-1","Stage":"ResponseComplete","RequestUri":"/api/v1/namespaces/shop/pods/web/exec?command=sh","Verb":"create","User":%s,"SourceIps":%s,"UserAgent":"kubectl","ObjectRef":%s,"ResponseStatus":{"code":101},"RequestObject":"skipped-too-big-size-object","ResponseObject":null,"RequestReceivedTime":"2026-03-01T10:00:00.000001Z","StageReceivedTime":"2026-03-01T10:00:00.2Z","Annotations":"","_ResourceId":"/subscriptions/s-1/resourcegroups/g/providers/microsoft.containerservice/managedclusters/prod","Type":"AKSAuditAdmin"}`
	user, ips, ref := `{"username":"eve","groups":["system:masters"]}`, `["203.0.113.5"]`, `{"resource":"pods","namespace":"shop","name":"web","subresource":"exec","apiVersion":"v1"}`
	for _, file := range []string{
		fmt.Sprintf(row, user, ips, ref),
		fmt.Sprintf(row, fmt.Sprintf("%q", user), fmt.Sprintf("%q", ips), fmt.Sprintf("%q", ref)),
		"[" + fmt.Sprintf(row, user, ips, ref) + "]",
	} {
		sourcetest.Holds(t, Source{}, file, `event.dataset: "kubernetes.audit_logs"`, `event.action: "exec"`, `user.name: "eve"`, `source.ip: "203.0.113.5"`,
			`orchestrator.namespace: "shop"`, `orchestrator.resource.name: "web"`, `orchestrator.cluster.name: "prod"`, `cloud.account.id: "s-1"`, "@timestamp: 1772359200000001.000")
	}
}
