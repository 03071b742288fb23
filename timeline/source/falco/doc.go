// Package falco reads the alerts that Falco writes with json_output, one a
// line, and the arrays of them that webhooks and forwarders make.
//
// An alert has time, rule, priority, output (prose), output_fields (the fields
// that the rule's output names, under Falco's own names: proc.name, fd.sip,
// ka.verb), source, hostname and tags. docs/event-schema/falco.md has the
// mapping.
package falco
