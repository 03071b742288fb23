package resolver

import (
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

// What the firewall blocked has failed, also where it answered in its own way.
func TestBlocked(t *testing.T) {
	const query = `{"version":"1.1","account_id":"1","region":"r","vpc_id":"v","query_timestamp":"2026-03-01T10:00:00Z","query_name":"x.example.","query_type":"A","query_class":"IN","rcode":"NOERROR","answers":[],"srcaddr":"10.0.0.5","srcport":"1","transport":"UDP","srcids":{},"firewall_rule_action":"`
	sourcetest.Holds(t, Source{}, query+`BLOCK"}`, `event.outcome: "failure"`, "!error.code")
	sourcetest.Holds(t, Source{}, query+`ALERT"}`, `event.outcome: "success"`)
	sourcetest.Holds(t, Source{}, `{"detail-type":"DNS Firewall Block","source":"aws.route53resolver","account":"1","region":"r","detail":{"last-observed-at":"2026-03-01T10:00:00Z","query-name":"x.example.","query-type":"A","firewall-rule-action":"BLOCK","src-addr":"10.0.0.5"}}`, `event.outcome: "failure"`)
}

// What shippers and stores wrapped is read as if it came alone.
func TestShipped(t *testing.T) {
	const record = `{"query_timestamp":"2026-03-01T10:00:00Z","query_name":"x.example.","query_type":"A","rcode":"NOERROR","srcaddr":"10.0.0.5"}`
	sourcetest.Holds(t, Source{}, `{"@timestamp":"2026-03-01T11:00:00Z","message":`+fmt.Sprintf("%q", record)+"}", `source.ip: "10.0.0.5"`, "@timestamp: 1772359200000000.000")
	sourcetest.Holds(t, Source{}, `{"_index":"x","_source":`+record+"}", `source.ip: "10.0.0.5"`)
}
