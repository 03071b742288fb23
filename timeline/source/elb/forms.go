package elb

import (
	"amber/timeline"
	"amber/timeline/source/delimited"
)

// form is one balancer's fields.
type form struct {
	name  string
	least int // fields that a line has
	when  int
	// The places of what the code reads, 0 for none: all of them stand further on.
	client, target, request, received, sent, status, tls int
	cells                                                []delimited.Cell
}

func named(names ...string) []delimited.Cell {
	cells := make([]delimited.Cell, len(names))
	for i, name := range names {
		switch name {
		case "":
		case "user_agent":
			cells[i] = delimited.Cell{Field: timeline.UserAgent}
		case "elb_status_code":
			cells[i] = delimited.Cell{Field: timeline.HTTPStatus}
		case "error.reason":
			cells[i] = delimited.Cell{Field: timeline.ErrorMessage, Name: "aws.elb.error.reason"}
		case "domain_name":
			cells[i] = delimited.Cell{Field: timeline.DestinationDomain}
		case "ssl_cipher":
			cells[i] = delimited.Cell{Name: "tls.cipher"}
		case "trace_id":
			cells[i] = delimited.Cell{Name: "trace.id"}
		default:
			cells[i] = delimited.Cell{Name: "aws.elb." + name}
		}
	}
	return cells
}

var application = form{
	name: "application", least: 21, when: 1, client: 3, target: 4, status: 8, received: 10, sent: 11, request: 12,
	cells: named("type", "", "name", "client", "target", "request_processing_time.sec", "backend_processing_time.sec", "response_processing_time.sec",
		"elb_status_code", "backend.http.response.status_code", "received_bytes", "sent_bytes", "request", "user_agent", "ssl_cipher", "ssl_protocol",
		"target_group.arn", "trace_id", "domain_name", "chosen_cert.arn", "matched_rule_priority", "request_creation_time", "action_executed",
		"redirect_url", "error.reason", "target_port", "target_status_code", "classification", "classification_reason", "connection_trace_id",
		"transformed_host", "transformed_uri", "request_transform_status"),
}

var connection = form{
	name: "connection", least: 10, when: 0, client: 1, tls: 3,
	cells: named("", "client", "client_port", "listener_port", "ssl_protocol", "ssl_cipher", "tls_handshake_time.sec", "client_cert.subject",
		"client_cert.validity", "client_cert.serial_number", "tls_verify_status", "connection_trace_id", "tls_keyexchange"),
}

var network = form{
	name: "network", least: 16, when: 2, client: 5, target: 6, received: 9, sent: 10,
	cells: named("type", "version", "", "name", "listener", "client", "target", "connection_time.ms", "tls_handshake_time.ms", "received_bytes", "sent_bytes",
		"incoming_tls_alert", "chosen_cert.arn", "chosen_cert.serial", "ssl_cipher", "ssl_protocol", "tls_named_group", "domain_name",
		"alpn_frontend_protocol", "alpn_backend_protocol", "alpn_client_preference_list", "tls_connection_creation_time"),
}

var classic = form{
	name: "classic", least: 12, when: 0, client: 2, target: 3, status: 7, received: 9, sent: 10, request: 11,
	cells: named("", "name", "client", "target", "request_processing_time.sec", "backend_processing_time.sec", "response_processing_time.sec",
		"elb_status_code", "backend.http.response.status_code", "received_bytes", "sent_bytes", "request", "user_agent", "ssl_cipher", "ssl_protocol"),
}
