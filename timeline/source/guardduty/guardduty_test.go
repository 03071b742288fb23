package guardduty

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`,
		`{"Findings":[]}`, `{"Findings":[{"ProductArn":"x","AwsAccountId":"y","GeneratorId":"z"}]}`, `{"detail-type":"x","source":"aws.ec2","detail":{}}`,
		`{"x":{"schemaVersion":1,"accountId":1,"type":1,"resource":1}}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"schemaVersion":"2.0","accountId":"123456789012","region":"us-east-1","partition":"aws","id":"%032x","arn":"arn:aws:guardduty:us-east-1:123456789012:detector/d/finding/%032x","type":"CryptoCurrency:EC2/BitcoinTool.B","resource":{"resourceType":"Instance","instanceDetails":{"instanceId":"i-%d","instanceType":"m5.large","imageId":"ami-1","networkInterfaces":[{"networkInterfaceId":"eni-1","privateIpAddress":"10.0.0.5","subnetId":"subnet-1","vpcId":"vpc-1"}]}},"service":{"serviceName":"guardduty","detectorId":"d","action":{"actionType":"NETWORK_CONNECTION","networkConnectionAction":{"connectionDirection":"OUTBOUND","blocked":false,"protocol":"TCP","localPortDetails":{"port":%d,"portName":"Unknown"},"remoteIpDetails":{"ipAddressV4":"203.0.113.%d","country":{"countryName":"Belgium"}},"remotePortDetails":{"port":4444}}},"resourceRole":"ACTOR","eventFirstSeen":"2026-03-01T10:00:00.000Z","eventLastSeen":"2026-03-01T10:05:00.000Z","archived":false,"count":%d},"severity":8,"createdAt":"2026-03-01T10:00:30.000Z","updatedAt":"2026-03-01T10:05:30.000Z","title":"The instance talks to a pool","description":"It does."}`+"\n", i, i, i%90, 1024+i, i%250, i%9)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
