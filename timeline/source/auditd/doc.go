// Package auditd reads the Linux audit log as auditd writes it, raw and
// enriched (log_format=ENRICHED): one record a line, "type=… msg=audit(…): …".
//
// The records of one event have node, time and serial number in common. They
// may lie apart and out of order, with those of other events between them: the
// parser is a timeline.Joiner. What a record is and which of its values the
// kernel encodes is after audit-userspace's lib/auparse and the kernel's
// kernel/audit.c and auditsc.c; event.category, event.type and event.action are
// the words of Elastic's auditd integration. docs/event-schema/auditd.md has the
// mapping.
package auditd
