package tracee

import (
	"bytes"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"amber/timeline"
	"amber/timeline/source/deeds"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/objects"
)

const (
	when = iota
	event
	args
	returned
	syscall
	severity
	description
	technique
	threadStart
	threatSeverity
	image
)

var table = sync.OnceValue(func() *members.Table {
	m := []members.Member{
		when:           {Path: "timestamp"},
		event:          {Path: "eventName name", Name: "tracee.event_name"},
		args:           {Path: "args data"},
		returned:       {Path: "returnValue"},
		syscall:        {Path: "syscall workload.process.thread.syscall", Name: "tracee.syscall"},
		severity:       {Path: "metadata.Severity"},
		description:    {Path: "metadata.Description threat.description", Field: timeline.EventReason},
		technique:      {Path: "metadata.Properties.external_id threat.mitre.technique.id"},
		threadStart:    {Path: "threadStartTime"},
		threatSeverity: {Path: "threat.severity", Name: "tracee.threat.severity"},
		image:          {Path: "containerImage container.image workload.container.image.name", Field: timeline.ContainerImageName},
		{Path: "hostProcessId workload.process.hostPid", Field: timeline.ProcessPID},
		{Path: "hostParentProcessId", Field: timeline.ProcessParentPID},
		{Path: "processName workload.process.thread.name", Field: timeline.ProcessName},
		{Path: "executable.path workload.process.executable.path", Field: timeline.ProcessExecutable},
		{Path: "processEntityId workload.process.uniqueId", Field: timeline.ProcessEntityID},
		{Path: "parentEntityId", Field: timeline.ProcessParentEntityID},
		{Path: "userId workload.process.realUser.id", Field: timeline.UserID},
		{Path: "hostName", Field: timeline.HostName},
		{Path: "containerId container.id workload.container.id", Field: timeline.ContainerID},
		{Path: "containerName container.name workload.container.name", Field: timeline.ContainerName},
		{Path: "podNamespace kubernetes.podNamespace workload.k8s.namespace.name workload.pod.namespace", Field: timeline.OrchestratorNamespace},
		{Path: "podName kubernetes.podName workload.k8s.pod.name workload.pod.name", Field: timeline.OrchestratorResourceName},
		{Path: "podUID kubernetes.podUID workload.k8s.pod.uid workload.pod.uid", Field: timeline.OrchestratorResourceID},
		{Path: "metadata.Properties.signatureName threat.name", Field: timeline.RuleName},
	}
	for path := range strings.FieldsSeq(`eventId id argsNum processorId processId threadId parentProcessId hostThreadId cgroupId mountNamespace pidNamespace
		stackAddresses threadEntityId matchedPolicies policies.matched container.imageDigest kubernetes.podSandbox contextFlags.containerStarted contextFlags.isCompat
		metadata.Version metadata.Tags metadata.Properties.Category metadata.Properties.Kubernetes_Technique metadata.Properties.Technique metadata.Properties.id metadata.Properties.signatureID
		workload.process.pid workload.process.thread.tid workload.process.thread.hostTid workload.process.thread.startTime workload.process.thread.uniqueId workload.process.thread.compat
		workload.process.ancestors workload.container.image.id workload.container.image.repoDigests workload.container.started workload.container.isRunning workload.k8s.pod.labels workload.pod.labels workload.pod.sandbox
		threat.mitre.tactic.name threat.mitre.technique.name threat.properties detectedFrom`) {
		m = append(m, members.Member{Path: path, Name: "tracee." + path})
	}
	return members.NewTable(false, m)
})

type parser struct {
	objects.Parser
	sub       jsonscan.Scanner
	path, cmd []byte
}

func newParser() *parser { return &parser{Parser: objects.New(table())} }

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	context, found := p.signature(rec.Data)
	if err := p.Read(context); err != nil {
		return err
	}
	if len(p.Get(event)) == 0 {
		return objects.Missing("eventName")
	}
	if err := p.Time("timestamp", when); err != nil {
		return err
	}
	if p.E.Time.Micros < 1_000_000_000_000_000 { // before 2001: relative to the boot
		return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: "timestamp: relative to the boot (relative-time)"}
	}
	p.Fill(nil, "")
	p.found(found)
	p.event()
	return emit(&p.E)
}

func (p *parser) event() {
	e := &p.E
	e.Const(timeline.EventDataset, "tracee.event")
	e.Const(timeline.EventProvider, "tracee")
	if e.Has(timeline.OrchestratorResourceName) {
		e.Const(timeline.OrchestratorResourceType, "pods")
	}
	if d, ok := deeds.Of(string(p.Get(event))); ok {
		e.Const(timeline.EventAction, d.Action)
		e.AddConst(timeline.EventCategory, d.Category)
		e.AddConst(timeline.EventType, d.Type)
	} else {
		e.Str(timeline.EventAction, p.Get(event))
		e.AddConst(timeline.EventType, "info")
		if bytes.HasPrefix(p.Get(event), []byte("net_")) {
			e.AddConst(timeline.EventCategory, "network")
		} else if !e.Has(timeline.RuleName) {
			e.AddConst(timeline.EventCategory, "process")
		}
	}
	if t, ok := objects.Instant(p.Get(threadStart)); ok && len(p.Get(threadStart)) > 17 {
		e.Start = t
	}
	p.threat()
	p.result()
	p.path, p.cmd = nil, nil
	p.arguments()
	e.Str(timeline.Message, p.message())
}

// threat tells of what a signature or a detector has found.
func (p *parser) threat() {
	e := &p.E
	if !e.Has(timeline.RuleName) {
		return
	}
	e.AddConst(timeline.EventCategory, "intrusion_detection")
	e.PutConst("event.kind", "alert")
	members.EachText(p.Get(technique), func(v []byte) { e.Add(timeline.TechniqueID, v) })
	if n, ok := members.Int(p.Get(severity)); ok {
		e.Num(timeline.EventSeverity, n)
	}
}

func (p *parser) result() {
	n, ok := members.Int(p.Get(returned))
	switch {
	case !ok:
	case n < 0:
		p.E.Const(timeline.EventOutcome, "failure")
		if name := unix.ErrnoName(unix.Errno(-n)); n >= -4095 && name != "" {
			p.E.Const(timeline.ErrorCode, name)
		} else {
			p.E.Str(timeline.ErrorCode, p.Get(returned))
		}
	default:
		p.E.Const(timeline.EventOutcome, "success")
	}
}

// maxArgs bounds the arguments that become fields.
const maxArgs = 48

// arguments reads [{"name":…,"type":…,"value":…}], and of v1beta1 the value
// under the name of its type.
func (p *parser) arguments() {
	n := 0
	members.EachObject(p.Get(args), func(s *jsonscan.Scanner) {
		var name, value []byte
		for ok := s.Object(); ok; ok = s.NextMember() {
			switch string(s.Key()) {
			case "name":
				name = s.Text()
			case "type":
				s.Skip()
			default:
				value = s.Text()
			}
		}
		if n++; n <= maxArgs && len(name) > 0 {
			p.argument(p.Text.Keep(name), p.Text.Keep(value))
		}
	})
}

func (p *parser) argument(name, v []byte) {
	e := &p.E
	switch string(name) {
	case "pathname", "path", "file_path", "old_path", "source":
		if p.path == nil {
			p.path = v
			e.Str(timeline.FilePath, v)
		}
	case "argv", "args":
		p.cmd = p.commandLine(v)
		e.Str(timeline.ProcessCommandLine, p.cmd)
	case "cmdpath":
		if !e.Has(timeline.ProcessExecutable) {
			e.Str(timeline.ProcessExecutable, v)
		}
	case "sha256":
		e.Str(timeline.FileHash, v)
	case "cwd":
		e.Str(timeline.ProcessWorkingDirectory, v)
	case "exit_code":
		if n, ok := members.Int(v); ok {
			e.Num(timeline.ProcessExitCode, n)
		}
	case "remote_addr", "addr", "sockaddr", "local_addr":
		p.address(p.peer() != (string(name) == "local_addr"), v)
	case "src", "dst", "src_port", "dst_port":
		p.packet(name, v)
	case "query":
		e.Put("dns.question.name", v)
	case "metadata":
		p.flow(v)
	case "dns_questions":
		p.questions(v)
	case "http_request":
		p.request(v)
	case "proto_dns":
		if v := within(&p.sub, v, "questions"); v != nil {
			p.questions(p.Text.Keep(v))
			e.Const(timeline.EventAction, "dns-query")
		}
	case "proto_http":
		p.request(v)
	case "IP address": // of what stdio_over_socket found
		if members.IsIP(v) {
			e.Str(timeline.DestinationIP, v)
		}
	case "Port":
		if n, ok := members.Int(v); ok {
			e.Num(timeline.DestinationPort, n)
		}
	default:
		if string(p.Get(event)) == "container_create" || string(p.Get(event)) == "container_remove" || string(p.Get(event)) == "existing_container" {
			p.container(name, v)
		}
	}
	e.More(p.Text.Named("tracee.args.", name), v)
}

// commandLine is a list of words as a shell would have to be given it.
func (p *parser) commandLine(v []byte) []byte {
	if len(v) == 0 || v[0] != '[' && v[0] != '{' {
		return v
	}
	if v[0] == '{' { // v1beta1: {"value":[…]}
		i := bytes.IndexByte(v, '[')
		if i < 0 {
			return v
		}
		v = bytes.TrimRight(v[i:], "} ")
	}
	t, mark := &p.Text, len(p.Text)
	s := &p.sub
	s.Reset(v)
	for ok := s.Array(); ok; ok = s.NextElement() {
		if len(p.Text) > mark {
			t.Byte(' ')
		}
		t.Word(s.Text())
	}
	return t.Since(mark)
}

// packet is where a packet comes from and goes to: net_packet_tcp and its like
// have each on its own.
func (p *parser) packet(name, v []byte) {
	ip, port := timeline.SourceIP, timeline.SourcePort
	if name[0] == 'd' {
		ip, port = timeline.DestinationIP, timeline.DestinationPort
	}
	switch {
	case len(name) == 3 && members.IsIP(v):
		p.E.Str(ip, v)
	case len(name) == 3:
		p.address(ip == timeline.SourceIP, v)
	default:
		if n, ok := members.Int(v); ok && n >= 0 && n <= 65535 {
			p.E.Num(port, n)
		}
	}
}

// address reads {"sa_family":"AF_INET","sin_addr":"1.2.3.4","sin_port":"443"},
// also in a string.
func (p *parser) address(source bool, v []byte) {
	if bytes.HasPrefix(v, []byte("{'")) { // until 0.9, as Python would print it
		v = p.Text.Keep(v)
		for i, c := range v {
			if c == '\'' {
				v[i] = '"'
			}
		}
	}
	s := &p.sub
	s.Reset(v)
	if s.Kind() != '{' {
		return
	}
	ipField, portField := timeline.DestinationIP, timeline.DestinationPort
	if source {
		ipField, portField = timeline.SourceIP, timeline.SourcePort
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "sin_addr", "sin6_addr", "sinAddr", "sin6Addr":
			if ip := s.Text(); members.IsIP(ip) {
				p.E.Str(ipField, p.Text.Keep(ip))
			}
		case "sin_port", "sin6_port", "sinPort", "sin6Port":
			if n, ok := s.Int(); ok {
				p.E.Num(portField, n)
			}
		case "sun_path", "sunPath":
			p.E.Str(timeline.FilePath, p.Text.Keep(s.Text()))
		default:
			s.Skip()
		}
	}
}

// within is the value of a member of an object, nil where it is not there.
func within(s *jsonscan.Scanner, object []byte, name string) []byte {
	s.Reset(object)
	if s.Kind() != '{' {
		return nil
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) == name {
			return s.Raw()
		}
		s.Skip()
	}
	return nil
}

// message is "sh (4242) sched_process_exec /bin/sh: sh -c id".
func (p *parser) message() []byte {
	e, t, mark := &p.E, &p.Text, len(p.Text)
	t.Bytes(e.GetStr(timeline.ProcessName))
	if pid, ok := e.GetNum(timeline.ProcessPID); ok {
		t.Str(" (")
		t.Int(pid)
		t.Byte(')')
	}
	if pod := e.GetStr(timeline.OrchestratorResourceName); len(pod) > 0 {
		t.Str(" in ")
		t.Bytes(e.GetStr(timeline.OrchestratorNamespace))
		t.Byte('/')
		t.Bytes(pod)
	}
	t.Byte(' ')
	t.Bytes(p.Get(event))
	for _, v := range [...][]byte{p.path, p.cmd, e.GetStr(timeline.DestinationIP), e.GetStr(timeline.DestinationDomain), e.GetStr(timeline.RuleName)} {
		if len(v) > 0 {
			t.Byte(' ')
			t.Bytes(v)
		}
	}
	return t.Since(mark)
}
