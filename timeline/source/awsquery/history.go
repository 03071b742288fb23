package awsquery

import (
	"bytes"

	"amber/timeline/source/delimited"
)

// inHistory is what the event has of a column of the console's event history,
// whose export (event_history.csv) names them for
// people; any other name stays.
func inHistory(name []byte) []byte {
	for _, c := range [...][2]string{
		{"Event ID", "eventID"},
		{"Event time", "eventTime"},
		{"User name", "userIdentity.userName"},
		{"AWS access key", "userIdentity.accessKeyId"},
		{"Access key", "userIdentity.accessKeyId"},
		{"Event source", "eventSource"},
		{"Event name", "eventName"},
		{"AWS region", "awsRegion"},
		{"Source IP address", "sourceIPAddress"},
		{"User agent", "userAgent"},
		{"Error code", "errorCode"},
		{"Error message", "errorMessage"},
		{"Read-only", "readOnly"},
		{"Request ID", "requestID"},
		{"Event type", "eventType"},
		{"Event category", "eventCategory"},
		{"Recipient account ID", "recipientAccountId"},
		{"CloudTrail event", "eventJson"},
	} {
		if bytes.EqualFold(bytes.TrimSpace(name), []byte(c[0])) {
			return []byte(c[1])
		}
	}
	return name
}

// history makes of what the export has in its own way what the event has: a time
// that is written out, and the resources' names in one cell.
func (r *row) history() {
	for i := range r.cells {
		c := &r.cells[i]
		switch string(c.name) {
		case "eventTime":
			if iso, ok := delimited.WrittenTime(nil, c.value); ok {
				c.value = iso
			}
		case "Resource name":
			c.name, c.value = []byte("resources"), listed(c.value)
		}
	}
}

// listed is names as Athena writes a list of resources.
func listed(names []byte) []byte {
	b := []byte{'['}
	for name := range bytes.SplitSeq(names, []byte(", ")) {
		if len(b) > 1 {
			b = append(b, ", "...)
		}
		b = append(append(append(b, "{arn="...), name...), '}')
	}
	return append(b, ']')
}
