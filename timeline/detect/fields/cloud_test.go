package fields_test

import (
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/detect/fields"
	"amber/timeline/source/azure"
	"amber/timeline/source/gcp"
	"amber/timeline/source/github"
	"amber/timeline/source/okta"
)

func TestCloudValues(t *testing.T) {
	const oktaOne = `{"uuid":"u-1","published":"2026-01-01T00:00:00Z","eventType":"a.b","displayMessage":"m","actor":{"alternateId":"eve"},"target":[{"displayName":"x"},{"displayName":"y"}]}`
	for name, test := range map[string]struct {
		src  timeline.Source
		log  string
		want map[string]string
	}{
		"entry": {gcp.Source{}, `{"logName":"projects/p/logs/l","insertId":"i","timestamp":"2026-01-01T00:00:00Z","resource":{"type":"t"},"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","methodName":"M","serviceName":"s","request":{"a":{"b":1}}}}`, map[string]string{
			"protoPayload.methodName": "s:M", "data.protoPayload.methodName": "s:M", "data.protoPayload.resource.type": "s:t", "resource.type": "s:t", "protoPayload.request.a.b": "n:1", "protopayload.methodname": "s:M", "data.resource.type": "s:t", "methodName": "", "protoPayload.": "", "=gcp.audit.method_name": "s:M",
		}},
		"row": {gcp.Source{}, `{"logName":"projects/p/logs/l","insertId":"i","timestamp":"2026-01-01 00:00:00 UTC","protopayload_auditlog":{"methodName":"M","serviceName":"s","requestJson":"{\"a\":{\"b\":1}}"}}`, map[string]string{
			"protoPayload.methodName": "s:M", "data.protoPayload.methodName": "s:M", "protoPayload.request.a.b": "n:1", "protoPayload.request": `j:{"a":{"b":1}}`, "protoPayload.response.x": "",
		}},
		"GKE row": {gcp.Source{}, `{"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","insertId":"i","timestamp":"2026-01-01 00:00:00 UTC","protopayload_auditlog":{"methodName":"io.k8s.core.v1.pods.create","resourceName":"core/v1/namespaces/n/pods/p","serviceName":"k8s.io","requestJson":"{\"spec\":{\"hostPID\":true}}"}}`, map[string]string{
			"requestObject.spec.hostPID": "b:true", "protoPayload.methodName": "s:io.k8s.core.v1.pods.create", "verb": "s:create",
		}},
		"activity, snake": {azure.Source{}, `{"event_data_id":"e","operation_name":{"value":"A/write","localized_value":"w"},"event_timestamp":"2026-01-01T00:00:00Z","properties":{"entity":"x"}}`, map[string]string{
			"operationName": "s:A/write", "OperationName": "s:A/write", "operation_name.value": "s:A/write", "properties.entity": "s:x", "entity": "s:x", "properties.none": "",
		}},
		"activity, table": {azure.Source{}, `{"TimeGenerated":"2026-01-01T00:00:00Z","OperationNameValue":"A","CategoryValue":"Policy","Properties":"{\"entity\":\"x\"}","Claims":"{\"appid\":\"y\"}"}`, map[string]string{
			"properties.entity": "s:x", "entity": "s:x", "claims.appid": "s:y",
		}},
		"sign-in": {azure.Source{}, `{"time":"2026-01-01T00:00:00Z","category":"SignInLogs","tenantId":"t","resultType":"0","properties":{"deviceDetail":{"isCompliant":false},"networkLocationDetails":[{"networkNames":["a","b"]}]}}`, map[string]string{
			"ResultType": "s:0", "DeviceDetail.isCompliant": "b:false", "properties.networkLocationDetails.networkNames": "s:a,s:b",
		}},
		"okta":        {okta.Source{}, oktaOne, map[string]string{"eventtype": "s:a.b", "actor.alternateid": "s:eve", "target.displayName": "s:x,s:y", "target.1.displayName": "s:y"}},
		"EventBridge": {okta.Source{}, `{"source":"aws.partner/okta.com/x","detail-type":"SystemLog","detail":` + oktaOne + `}`, map[string]string{"eventType": "s:a.b"}},
		"hook":        {okta.Source{}, `{"eventType":"com.okta.event_hook","data":{"events":[{"uuid":"u-1","published":"2026-01-01T00:00:00Z","eventType":"a.b"}]}}`, map[string]string{"eventType": "s:a.b"}},
		"github":      {github.Source{}, `{"@timestamp":1772359200000,"_document_id":"d","action":"a.b","actor":"eve","config":{"url":"u"}}`, map[string]string{"action": "s:a.b", "config.url": "s:u", "@timestamp": "n:1772359200000"}},
	} {
		t.Run(name, func(t *testing.T) {
			events := 0
			err := fields.Read(test.src, strings.NewReader(test.log), func(v *fields.View) {
				events++
				for path, want := range test.want {
					name, column := strings.CutPrefix(path, "=")
					if got := values(v, name, column); got != want {
						t.Errorf("%s is %q, want %q", path, got, want)
					}
				}
			})
			if err != nil || events != 1 {
				t.Fatal(events, err)
			}
		})
	}
}
