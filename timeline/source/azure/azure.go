// Package azure reads the logs of Microsoft Azure and Entra ID: the activity
// log, the four kinds of sign-ins, the directory's audit log, what identity
// protection found, and any other resource log as what it says.
//
// Records come as diagnostic settings write them (JSON lines in storage
// accounts, {"records":[…]} in Event Hubs), as answers of the REST API and of
// Microsoft Graph ({"value":[…]}), as the SDKs and the command line print those,
// and as rows of Log Analytics. Each form has its own way to write a name:
// operationName, operation_name, OperationName; all are one here.
//
// The audit logs of AKS clusters among them are read by package kubeaudit, and
// give the rows that the cluster's own log would have given.
package azure

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/members"
)

// Source is the source "azure".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "azure" }

// forms are the members at the top by which a record is known.
var forms = [...][]string{
	{"time", "category", "resourceId"},
	{"time", "category", "tenantId"},
	{"time", "category", "flowRecords"},
	{"eventDataId", "operationName"},
	{"event_data_id", "operation_name"},
	{"createdDateTime", "appDisplayName", "ipAddress"},
	{"createdDateTime", "servicePrincipalId", "resourceDisplayName"},
	{"riskEventType", "riskState", "activityDateTime"},
	{"riskLastUpdatedDateTime", "riskState", "riskLevel"},
	{"activityDisplayName", "activityDateTime", "initiatedBy"},
	{"TimeGenerated", "OperationName", "Category"},
	{"TimeGenerated", "OperationNameValue", "CategoryValue"},
	{"TimeGenerated", "UserPrincipalName", "AppDisplayName"},
	{"TimeGenerated", "ServicePrincipalId", "AppId"},
	{"TimeGenerated", "OperationName", "Type"},
	{"TimeGenerated", "TenantId", "Type"},
	{"TimeGenerated", "TableName"},
}

// Sniff implements timeline.Source. The members at the top decide, whatever the
// record holds; of what a shipper wrapped those in it.
func (Source) Sniff(head []byte, _ string) int {
	if inner := members.Shipped(head); inner != nil {
		if n := sniff(inner); n > 0 {
			return n
		}
	}
	return sniff(head)
}

func sniff(head []byte) int {
	for _, names := range forms {
		all := true
		for _, met := range members.Head(head, wraps, names...) {
			all = all && met
		}
		if all {
			return 97
		}
	}
	return 0
}

var wraps = []string{"records", "value"}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return form.Records(ctx, r)
}

// Events frames the events of a message of an Event Hub, as Records does a file's.
func Events(ctx context.Context, message []byte) iter.Seq2[timeline.Record, error] {
	return form.Values(ctx, message)
}

var form = framing.JSON{Members: wraps, Wraps: func(line []byte) bool {
	head := line[:min(len(line), 512)]
	return bytes.Contains(head, []byte(`"records"`)) || bytes.Contains(head, []byte(`"value"`))
}}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser {
	return &parser{Row: members.NewRow(table()), cluster: kubeaudit.Source{}.NewParser()}
}
