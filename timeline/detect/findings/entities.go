package findings

import (
	"encoding/binary"

	"amber/timeline"
)

// entityFields are those that name who and what is concerned.
var entityFields = [...]timeline.Field{
	timeline.UserName, timeline.UserEffectiveName, timeline.UserTargetName, timeline.SourceIP, timeline.DestinationIP, timeline.DestinationDomain,
	timeline.HostName, timeline.ContainerID, timeline.ContainerName, timeline.ContainerImageName,
	timeline.OrchestratorCluster, timeline.OrchestratorNamespace, timeline.OrchestratorResourceName,
	timeline.CloudAccountID, timeline.CloudInstanceID, timeline.ProcessEntityID, timeline.ProcessExecutable, timeline.FilePath,
}

// keyField names the credential of a cloud's session.
const keyField = "aws.cloudtrail.user_identity.access_key_id"

// maxText is how many bytes of a value are kept.
const maxText = 512

// appendEntities appends how many an event has, and each as "field:value", as a
// payload has texts.
func appendEntities(b []byte, e *timeline.Event) []byte {
	n := 0
	for _, f := range entityFields {
		if e.GetStr(f) != nil {
			n++
		}
	}
	var key []byte
	for _, x := range e.Extras() {
		if string(x.Name) == keyField && key == nil {
			key = x.Value
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	for _, f := range entityFields {
		if v := e.GetStr(f); v != nil {
			b = appendEntity(b, f.Name(), v)
		}
	}
	if key != nil {
		b = appendEntity(b, keyField, key)
	}
	return b
}

func appendEntity(b []byte, name string, v []byte) []byte {
	v = v[:min(len(v), maxText)]
	b = binary.AppendUvarint(b, uint64(len(name)+1+len(v)))
	return append(append(append(b, name...), ':'), v...)
}

func clip(s string, most int) string { return s[:min(len(s), most)] }
