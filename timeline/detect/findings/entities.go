package findings

import (
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

// entities appends an event's, as "field:value".
func entities(to []string, e *timeline.Event) []string {
	for _, f := range entityFields {
		if v := e.GetStr(f); v != nil {
			to = append(to, f.Name()+":"+clip(v, maxText))
		}
	}
	for _, x := range e.Extras() {
		if string(x.Name) == keyField {
			to = append(to, keyField+":"+clip(x.Value, maxText))
		}
	}
	return to
}

func clip[T string | []byte](v T, most int) string { return string(v[:min(len(v), most)]) }
