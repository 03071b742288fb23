package timeline

import (
	"fmt"
	"sync"
	"unsafe"
)

// Field is a column of the timeline.
type Field uint8

// Kind is a column's type.
type Kind uint8

const (
	Keyword  Kind = iota // a string of which many rows have the same
	Text                 // a string that is searched for what it contains
	Keywords             // several keywords
	Long                 // a 64 bit integer
)

// The columns, named after the Elastic Common Schema 8.17 where it has the
// field; docs/event-schema.md lists them with each source's mapping. The order
// is the order of the columns in a segment; add at the end of a group.
const (
	Message Field = iota
	EventAction
	EventCategory
	EventType
	EventOutcome
	EventDataset
	EventProvider
	EventReason
	EventSeverity
	EventID
	LogLevel
	Tags
	HostName
	HostID
	UserName
	UserID
	UserDomain
	UserRoles
	UserEffectiveName
	UserTargetName
	UserAgent
	SourceIP
	SourcePort
	SourceDomain
	DestinationIP
	DestinationPort
	DestinationDomain
	NetworkTransport
	NetworkDirection
	NetworkBytes
	ProcessPID
	ProcessParentPID
	ProcessName
	ProcessExecutable
	ProcessCommandLine
	ProcessWorkingDirectory
	ProcessEntityID
	ProcessParentEntityID
	ProcessExitCode
	ProcessHash
	ContainerID
	ContainerName
	ContainerImageName
	ContainerImageHash
	OrchestratorCluster
	OrchestratorNamespace
	OrchestratorResourceType
	OrchestratorResourceName
	OrchestratorResourceID
	CloudProvider
	CloudAccountID
	CloudRegion
	CloudServiceName
	CloudInstanceID
	FilePath
	FileHash
	FileSize
	FileMode
	HTTPMethod
	HTTPStatus
	URL
	ErrorCode
	ErrorMessage
	RuleName
	TechniqueID
	RelatedIP
	NumFields
)

type fieldInfo struct {
	Name string
	Kind Kind
}

var fields = [NumFields]fieldInfo{
	Message:                  {"message", Text},
	EventAction:              {"event.action", Keyword},
	EventCategory:            {"event.category", Keywords},
	EventType:                {"event.type", Keywords},
	EventOutcome:             {"event.outcome", Keyword},
	EventDataset:             {"event.dataset", Keyword},
	EventProvider:            {"event.provider", Keyword},
	EventReason:              {"event.reason", Text},
	EventSeverity:            {"event.severity", Long},
	EventID:                  {"event.id", Keyword},
	LogLevel:                 {"log.level", Keyword},
	Tags:                     {"tags", Keywords},
	HostName:                 {"host.name", Keyword},
	HostID:                   {"host.id", Keyword},
	UserName:                 {"user.name", Keyword},
	UserID:                   {"user.id", Keyword},
	UserDomain:               {"user.domain", Keyword},
	UserRoles:                {"user.roles", Keywords},
	UserEffectiveName:        {"user.effective.name", Keyword},
	UserTargetName:           {"user.target.name", Keyword},
	UserAgent:                {"user_agent.original", Keyword},
	SourceIP:                 {"source.ip", Keyword},
	SourcePort:               {"source.port", Long},
	SourceDomain:             {"source.domain", Keyword},
	DestinationIP:            {"destination.ip", Keyword},
	DestinationPort:          {"destination.port", Long},
	DestinationDomain:        {"destination.domain", Keyword},
	NetworkTransport:         {"network.transport", Keyword},
	NetworkDirection:         {"network.direction", Keyword},
	NetworkBytes:             {"network.bytes", Long},
	ProcessPID:               {"process.pid", Long},
	ProcessParentPID:         {"process.parent.pid", Long},
	ProcessName:              {"process.name", Keyword},
	ProcessExecutable:        {"process.executable", Keyword},
	ProcessCommandLine:       {"process.command_line", Text},
	ProcessWorkingDirectory:  {"process.working_directory", Keyword},
	ProcessEntityID:          {"process.entity_id", Keyword},
	ProcessParentEntityID:    {"process.parent.entity_id", Keyword},
	ProcessExitCode:          {"process.exit_code", Long},
	ProcessHash:              {"process.hash.sha256", Keyword},
	ContainerID:              {"container.id", Keyword},
	ContainerName:            {"container.name", Keyword},
	ContainerImageName:       {"container.image.name", Keyword},
	ContainerImageHash:       {"container.image.hash.all", Keywords},
	OrchestratorCluster:      {"orchestrator.cluster.name", Keyword},
	OrchestratorNamespace:    {"orchestrator.namespace", Keyword},
	OrchestratorResourceType: {"orchestrator.resource.type", Keyword},
	OrchestratorResourceName: {"orchestrator.resource.name", Keyword},
	OrchestratorResourceID:   {"orchestrator.resource.id", Keyword},
	CloudProvider:            {"cloud.provider", Keyword},
	CloudAccountID:           {"cloud.account.id", Keyword},
	CloudRegion:              {"cloud.region", Keyword},
	CloudServiceName:         {"cloud.service.name", Keyword},
	CloudInstanceID:          {"cloud.instance.id", Keyword},
	FilePath:                 {"file.path", Keyword},
	FileHash:                 {"file.hash.sha256", Keyword},
	FileSize:                 {"file.size", Long},
	FileMode:                 {"file.mode", Keyword},
	HTTPMethod:               {"http.request.method", Keyword},
	HTTPStatus:               {"http.response.status_code", Long},
	URL:                      {"url.original", Text},
	ErrorCode:                {"error.code", Keyword},
	ErrorMessage:             {"error.message", Text},
	RuleName:                 {"rule.name", Keyword},
	TechniqueID:              {"threat.technique.id", Keywords},
	RelatedIP:                {"related.ip", Keywords},
}

// Name is the field's name in queries and in the files.
func (f Field) Name() string { return fields[f].Name }

// Kind is the field's type.
func (f Field) Kind() Kind { return fields[f].Kind }

func (f Field) String() string {
	if f >= NumFields {
		return fmt.Sprintf("field %d", uint8(f))
	}
	return f.Name()
}

// FieldByName finds a column; names without one are in the map of the rest.
func FieldByName(name string) (Field, bool) {
	f, ok := byName()[name]
	return f, ok
}

var byName = sync.OnceValue(func() map[string]Field {
	m := make(map[string]Field, NumFields)
	for f := range NumFields {
		m[f.Name()] = f
	}
	return m
})

// constant views a string as bytes that nobody writes to.
func constant(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
