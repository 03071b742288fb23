package correlate

import "amber/timeline"

// WriteFields are the fields that Writes goes by.
func WriteFields() []string {
	return []string{
		"event.action", "amber.drift", "falco.output_fields.evt.arg.flags",
		"auditd.data.syscall", "auditd.data.a1", "auditd.data.a2",
	}
}

// Writes tells whether an event writes to the file that it names, or opens it to
// be written to. The row has WriteFields.
func Writes(in timeline.Row) bool {
	r := &row{Row: in}
	return isWrite(r, r.field(timeline.EventAction))
}
