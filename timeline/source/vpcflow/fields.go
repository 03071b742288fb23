package vpcflow

import (
	"bytes"
	"strings"
	"sync"

	"amber/timeline"
	"amber/timeline/source/delimited"
)

// The fields that the code asks for.
const (
	version = iota
	account
	source
	destination
	sourcePort
	destinationPort
	protocol
	packets
	size
	start
	end
	action
	status
	packetSource
	packetDestination
	direction
	flags
	card
	numAsked
)

// asked are their names.
var asked = [numAsked]string{
	version: "version", account: "account-id", source: "srcaddr", destination: "dstaddr", sourcePort: "srcport", destinationPort: "dstport",
	protocol: "protocol", packets: "packets", size: "bytes", start: "start", end: "end", action: "action", status: "log-status",
	packetSource: "pkt-srcaddr", packetDestination: "pkt-dstaddr", direction: "flow-direction", flags: "tcp-flags", card: "interface-id",
}

// columns are the fields that have one.
func column(name string) timeline.Field {
	switch name {
	case "account-id":
		return timeline.CloudAccountID
	case "srcaddr":
		return timeline.SourceIP
	case "dstaddr":
		return timeline.DestinationIP
	case "srcport":
		return timeline.SourcePort
	case "dstport":
		return timeline.DestinationPort
	case "bytes":
		return timeline.NetworkBytes
	case "instance-id":
		return timeline.CloudInstanceID
	case "region":
		return timeline.CloudRegion
	case "ecs-container-id":
		return timeline.ContainerID
	case "ecs-cluster-name":
		return timeline.OrchestratorCluster
	case "reject-reason":
		return timeline.EventReason
	}
	return timeline.Message
}

// usualFormat is the default format, which has no line that names the fields.
const usualFormat = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"

// plan is where the fields of a format go.
type plan struct {
	header string
	cells  []delimited.Cell
	at     [numAsked]int // where those that the code asks for stand, or -1
}

// planOf reads the line that names the fields.
func planOf(header []byte) *plan {
	p := &plan{header: string(header)}
	for i := range p.at {
		p.at[i] = -1
	}
	for i, field := range bytes.Fields(header) {
		name := string(bytes.ReplaceAll(field, []byte{'_'}, []byte{'-'}))
		cell := delimited.Cell{Field: column(name), Name: "aws.vpcflow." + string(bytes.ReplaceAll(field, []byte{'-'}, []byte{'_'}))}
		for slot, n := range asked {
			if n == name {
				p.at[slot] = i
			}
		}
		switch name {
		case "start", "end", "srcaddr", "dstaddr", "srcport", "dstport", "bytes", "protocol":
			cell.Name = "" // they have a column, or are put by the code
		case "packets":
			cell.Name = "network.packets"
		}
		p.cells = append(p.cells, cell)
	}
	return p
}

// IsHeader tells a line that names the fields: of two and more words in small
// letters most are fields that AWS documents.
func IsHeader(line []byte) bool {
	if !isNames(line) {
		return false
	}
	known, all := 0, 0
	for field := range bytes.FieldsSeq(line) {
		all++
		if fields()[string(bytes.ReplaceAll(field, []byte{'_'}, []byte{'-'}))] {
			known++
		}
	}
	return known >= 2 && 2*known > all
}

// isNames tells words in small letters.
func isNames(line []byte) bool {
	for _, c := range line {
		if (c < 'a' || c > 'z') && c != '-' && c != '_' && c != ' ' && (c < '0' || c > '9') {
			return false
		}
	}
	return len(line) > 0 && line[0] >= 'a'
}

// fields are those that are documented, of the versions 2 to 10.
var fields = sync.OnceValue(func() map[string]bool {
	known := map[string]bool{}
	for name := range strings.FieldsSeq(usualFormat + ` vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr
		region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path
		resource-type tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id
		tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id
		packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired
		ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id
		ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id
		reject-reason resource-id encryption-status`) {
		known[name] = true
	}
	return known
})
