package fields

import (
	"bytes"
	"strings"

	"amber/timeline"
)

// lacks tells of a field of an audit event, without going through the record,
// that it is not there: the name of the object that it is in, which few events
// have and many rules ask for, does not occur.
func (v *View) lacks(path string) bool {
	head := ""
	for _, h := range [...]string{"requestObject", "responseObject"} {
		if rest, ok := strings.CutPrefix(path, h); ok && (rest == "" || rest[0] == '.') {
			head = h
		}
	}
	if head == "" || len(v.recs) != 1 || v.event == nil || string(v.event.GetStr(timeline.EventDataset)) != "kubernetes.audit_logs" {
		return false
	}
	if string(v.event.GetStr(timeline.CloudProvider)) == "gcp" {
		return false // GKE has them under other names
	}
	data := v.recs[0].Data
	return !bytes.Contains(data, []byte(head)) && !spelled(data)
}

// spelled tells whether a text has letters written as escapes, as a name may be.
func spelled(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return false
		}
		data = data[i+1:]
		if len(data) > 4 && data[0] == 'u' && data[1] == '0' && data[2] == '0' && data[3] >= '4' && data[3] <= '7' {
			return true
		}
	}
}
