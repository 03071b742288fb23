package guardduty

import (
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func found(resource, service string) string {
	return fmt.Sprintf(`{"schemaVersion":"2.0","accountId":"1","type":"T:X/Y","id":"f","arn":"a","createdAt":"2026-03-01T10:00:00Z","severity":8,"resource":{%s},"service":{%s}}`, resource, service)
}

func TestKinds(t *testing.T) {
	sourcetest.Holds(t, Source{}, found("", `"action":{"actionType":"NETWORK_CONNECTION","networkConnectionAction":{"connectionDirection":"OUTBOUND","protocol":"TCP","remoteIpDetails":{"ipAddressV4":"","ipAddressV6":"2001:db8::9"},"localIpDetails":{"ipAddressV6":"2001:db8::1"}}}`),
		`source.ip: "2001:db8::1"`, `destination.ip: "2001:db8::9"`, `network.transport: "tcp"`, "!tags")
	sourcetest.Holds(t, Source{}, found(`"instanceDetails":{"networkInterfaces":[{"privateIpAddress":"10.0.0.5","publicIp":"203.0.113.5"}]}`, `"archived":true,"additionalInfo":{"value":"{\"sample\":true}","type":"default"},"action":{"actionType":"DNS_REQUEST","dnsRequestAction":{"domain":"x.example","protocol":"UDP"}}`),
		`network.transport: "udp"`, `related.ip: ["10.0.0.5" "203.0.113.5"]`, `tags: ["sample" "archived"]`)
	sourcetest.Holds(t, Source{}, found("", `"additionalInfo":{"sample":true},"archived":false`), `tags: ["sample"]`, `event.action: "finding"`)
	sourcetest.Holds(t, Source{}, found("", `"ebsVolumeScanDetails":{"scanDetections":{"threatDetectedByName":{"threatNames":[{"name":"E","filePaths":[{"filePath":"tmp/evil","hash":"bb"}]}]}}}`),
		`file.path: "tmp/evil"`, `file.hash.sha256: "bb"`)
	sourcetest.Holds(t, Source{}, found(`"s3BucketDetails":[{"name":"b","s3ObjectDetails":[{"key":"k","hash":"cc"}]}]`, `"malwareScanDetails":{"threats":[{"name":"E"}]}`),
		`file.path: "k"`, `file.hash.sha256: "cc"`)
	sourcetest.Holds(t, Source{}, found("", `"detection":{"sequence":{"actors":[{"user":{"name":"eve","uid":"AIDA"}}],"endpoints":[{"ip":"198.51.100.7"}]}}`),
		`user.name: "eve"`, `user.id: "AIDA"`, `related.ip: ["198.51.100.7"]`)
	sourcetest.Holds(t, Source{}, found("", `"action":{"actionType":"AWS_API_CALL","awsApiCallAction":{"api":"X","domainDetails":{"domain":"x.amazonaws.com"}}}`), `source.domain: "x.amazonaws.com"`)
}

// What shippers and stores wrapped is read as if it came alone.
func TestShipped(t *testing.T) {
	record := found("", `"count":1`)
	for _, file := range []string{
		`{"@timestamp":"2026-03-01T11:00:00Z","message":` + fmt.Sprintf("%q", record) + `}`,
		`{"_index":"x","_source":` + record + `}`,
	} {
		sourcetest.Holds(t, Source{}, file, `rule.name: "T:X/Y"`, "@timestamp: 1772359200000000.000")
	}
}
