package securityhub

import (
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func found(rest string) string {
	return `{"SchemaVersion":"2018-10-08","Id":"1","ProductArn":"p","GeneratorId":"g","AwsAccountId":"1","CreatedAt":"2026-03-01T10:00:00Z","Title":"T",` + rest + "}"
}

func TestKinds(t *testing.T) {
	sourcetest.Holds(t, Source{}, found(`"Action":{"ActionType":"NETWORK_CONNECTION","NetworkConnectionAction":{"ConnectionDirection":"OUTBOUND","RemoteIpDetails":{"IpAddressV4":"198.51.100.7"},"RemotePortDetails":{"Port":443},"LocalPortDetails":{"Port":55},"Blocked":true}}`),
		`destination.ip: "198.51.100.7"`, `destination.port: 443`, `source.port: 55`, `event.type: ["info" "denied"]`)
	sourcetest.Holds(t, Source{}, found(`"Action":{"ActionType":"PORT_PROBE","PortProbeAction":{"PortProbeDetails":[{"LocalPortDetails":{"Port":22},"LocalIpDetails":{"IpAddressV4":"10.0.0.5"},"RemoteIpDetails":{"IpAddressV4":"198.51.100.7"}}]}}`),
		`source.ip: "198.51.100.7"`, `destination.ip: "10.0.0.5"`, `destination.port: 22`)
	sourcetest.Holds(t, Source{}, found(`"Types":["Software and Configuration Checks/Vulnerabilities/CVE"],"Vulnerabilities":[{"Id":"CVE-2024-1"}],"Resources":[{"Type":"AwsEcrContainerImage","Id":"arn:x","Details":{"AwsEcrContainerImage":{"RepositoryName":"app","ImageDigest":"sha256:aa"}}}]`),
		`event.category: ["vulnerability"]`, `container.image.name: "app"`, `container.image.hash.all: ["sha256:aa"]`)
	sourcetest.Holds(t, Source{}, found(`"Severity":{"Label":"CRITICAL"},"Sample":true,"Resources":[{"Type":"AwsEc2Instance","Id":"arn:aws:ec2:r:1:instance/i-0123456789abcdef0"}]`),
		`event.severity: 90`, `tags: ["sample"]`, `cloud.instance.id: "i-0123456789abcdef0"`)
	sourcetest.Holds(t, Source{}, found(`"Severity":{"Label":"CRITICAL","Normalized":95},"Detection":{"Sequence":{"Actors":[{"User":{"Name":"eve","Uid":"A"}}],"Endpoints":[{"Ip":"198.51.100.7"}]}}`),
		`event.severity: 95`, `user.name: "eve"`, `related.ip: ["198.51.100.7"]`)
}

// What shippers and stores wrapped is read as if it came alone.
func TestShipped(t *testing.T) {
	record := found(`"RecordState":"ACTIVE"`)
	for _, file := range []string{
		`{"@timestamp":"2026-03-01T11:00:00Z","message":` + fmt.Sprintf("%q", record) + `}`,
		`{"_index":"x","_source":` + record + `}`,
	} {
		sourcetest.Holds(t, Source{}, file, `rule.name: "T"`, "@timestamp: 1772359200000000.000")
	}
}
