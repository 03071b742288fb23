package gadget

import (
	"bytes"
	"sync"

	"amber/timeline"
	"amber/timeline/source/deeds"
	"amber/timeline/source/members"
	"amber/timeline/source/objects"
)

const (
	when = iota
	raw
	kind
	args
	failure
	ret
	comm
	file
	query
	qr
	rcode
	fileSystem
	targetName
	syscall
	capability
	signal
	srcAddr
	dstAddr
	nameserver
	owner
	exe
	normal
	errorRaw
	capable
	parameters
	module
	victim
	ownAddr
	ownPort
	moved
	transport
)

var table = sync.OnceValue(func() *members.Table {
	return members.NewTable(false, []members.Member{
		when:       {Path: "timestamp"},
		raw:        {Path: "timestamp_raw"},
		kind:       {Path: "type operation op"},
		args:       {Path: "args"},
		failure:    {Path: "error"},
		ret:        {Path: "ret retval"},
		comm:       {Path: "comm proc.comm", Field: timeline.ProcessName},
		file:       {Path: "fname filename path fullPath file"},
		query:      {Path: "dnsName name"},
		qr:         {Path: "qr"},
		fileSystem: {Path: "fs"},
		targetName: {Path: "target.comm"},
		rcode:      {Path: "rcode", Name: "dns.response_code"},
		syscall:    {Path: "syscall"},
		capability: {Path: "cap capName"},
		signal:     {Path: "sig signal"},
		srcAddr:    {Path: "src.addr saddr src.addr.addr srcIP", Field: timeline.SourceIP},
		dstAddr:    {Path: "dst.addr daddr dst.addr.addr dstIP", Field: timeline.DestinationIP},
		nameserver: {Path: "nameserver.addr nameserver"},
		owner:      {Path: "k8s.owner.name", Name: "inspektor_gadget.k8s.owner.name"},
		exe:        {Path: "exepath", Field: timeline.ProcessExecutable},
		normal:     {Path: "message"},
		errorRaw:   {Path: "error_raw err"},
		capable:    {Path: "capable verdict"},
		parameters: {Path: "parameters"},
		module:     {Path: "module", Name: "kernel.module"},
		victim:     {Path: "tcomm kcomm"},
		ownAddr:    {Path: "addr.addr addr"},
		ownPort:    {Path: "addr.port port"},
		moved:      {Path: "dest target"},
		transport:  {Path: "src.proto dst.proto addr.proto proto protocol"},
		{Path: "src.port sport srcPort", Field: timeline.SourcePort},
		{Path: "dst.port dport dstPort", Field: timeline.DestinationPort},
		{Path: "pid proc.pid", Field: timeline.ProcessPID},
		{Path: "ppid proc.parent.pid", Field: timeline.ProcessParentPID},
		{Path: "pcomm proc.parent.comm", Name: "process.parent.name"},
		{Path: "tid proc.tid", Name: "process.thread.id"},
		{Path: "uid proc.creds.uid", Field: timeline.UserID},
		{Path: "username user proc.creds.user", Field: timeline.UserName},
		{Path: "gid proc.creds.gid", Name: "group.id"},
		{Path: "loginuid", Name: "user.audit.id"},
		{Path: "cwd", Field: timeline.ProcessWorkingDirectory},
		{Path: "k8s.node node", Field: timeline.HostName},
		{Path: "k8s.namespace namespace", Field: timeline.OrchestratorNamespace},
		{Path: "k8s.podName k8s.pod pod", Field: timeline.OrchestratorResourceName},
		{Path: "k8s.podUID", Field: timeline.OrchestratorResourceID},
		{Path: "runtime.containerId", Field: timeline.ContainerID},
		{Path: "runtime.containerName k8s.containerName container", Field: timeline.ContainerName},
		{Path: "runtime.containerImageName", Field: timeline.ContainerImageName},
		{Path: "runtime.containerImageDigest", Field: timeline.ContainerImageHash},
		{Path: "runtime.runtimeName", Name: "container.runtime"},
		{Path: "qtype", Name: "dns.question.type"},
		{Path: "exit_code", Field: timeline.ProcessExitCode},
	})
})

type parser struct {
	objects.Parser
	fine bool // the record says that there was no error
}

func newParser() *parser { return &parser{Parser: objects.New(table())} }

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if err := p.Read(rec.Data); err != nil {
		return err
	}
	if k := string(p.Get(kind)); k == "debug" || k == "info" || k == "warn" || k == "err" {
		if len(p.Get(when)) == 0 && len(p.Get(normal)) > 0 {
			return &timeline.SkipError{Reason: timeline.Header} // the gadget's own words
		}
	}
	if err := p.Time("timestamp", when, raw); err != nil {
		return err
	}
	if p.E.Time.Micros < 1_000_000_000_000_000 {
		return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: "timestamp: since the boot"}
	}
	p.Fill(rec.Data, "inspektor_gadget")
	p.fine = bytes.Contains(rec.Data, []byte(`"error":""`)) || bytes.Contains(rec.Data, []byte(`"error": ""`)) // no text in a record has it: its quotes are escaped
	p.event()
	return emit(&p.E)
}

// event tells what happened by the members that a gadget's events have: their
// names are nowhere in them.
func (p *parser) event() {
	e := &p.E
	e.Const(timeline.EventDataset, "inspektor_gadget.trace")
	e.Const(timeline.EventProvider, "inspektor-gadget")
	if e.Has(timeline.OrchestratorResourceName) {
		e.Const(timeline.OrchestratorResourceType, "pods")
	}
	call := p.call()
	d, ok := deeds.Of(call)
	if !ok {
		d = deeds.Deed{Action: call, Category: "process", Type: "info"}
	}
	if call == "dns-query" || call == "dns-answer" {
		d = deeds.Deed{Action: call, Category: "network", Type: "protocol"}
	}
	if call == "oom-kill" {
		d = deeds.Deed{Action: call, Category: "process", Type: "end"}
	}
	e.Const(timeline.EventAction, d.Action)
	e.AddConst(timeline.EventCategory, d.Category)
	e.AddConst(timeline.EventType, d.Type)
	p.arguments()
	if v := p.Get(file); len(v) > 0 && v[0] != '{' {
		e.Str(timeline.FilePath, v)
	}
	if v := p.Get(moved); call == "mount" || call == "umount" {
		e.Str(timeline.FilePath, v)
	}
	p.net(call)
	e.Put("dns.question.name", bytes.TrimSuffix(p.Get(query), []byte(".")))
	if ip := p.Get(nameserver); members.IsIP(ip) && !e.Has(timeline.DestinationIP) {
		e.Str(timeline.DestinationIP, ip)
	}
	p.outcome()
	e.Str(timeline.Message, p.message(call))
}

func (p *parser) call() string {
	switch k := string(p.Get(kind)); {
	case len(p.Get(query)) > 0 && (len(p.Get(qr)) > 0 || len(p.Get(nameserver)) > 0):
		if string(p.Get(qr)) == "R" {
			return "dns-answer"
		}
		return "dns-query"
	case len(p.Get(args)) > 0:
		return "execve"
	case len(p.Get(capability)) > 0:
		return "used-capability"
	case len(p.Get(signal)) > 0:
		return "kill"
	case k == "connect" || k == "accept" || k == "mount" || k == "bind":
		return known(k)
	case k == "close" || k == "CLOSE":
		return "closed-connection"
	case k == "MOUNT":
		return "mount"
	case k == "UMOUNT":
		return "umount"
	case len(p.Get(moved)) > 0 && len(p.Get(fileSystem)) > 0:
		return "mount"
	case len(p.Get(file)) > 0:
		return "openat"
	case len(p.Get(dstAddr)) > 0:
		return "connect"
	case len(p.Get(syscall)) > 0 && len(p.Get(parameters)) > 0:
		return string(p.Get(syscall))
	case len(p.Get(syscall)) > 0:
		return "syscall"
	case len(p.Get(module)) > 0:
		return "init_module"
	case len(p.Get(victim)) > 0:
		return "oom-kill"
	case len(p.Get(ownAddr)) > 0 && len(p.Get(ownPort)) > 0:
		return "bind"
	}
	return "traced"
}

func known(k string) string {
	switch k {
	case "connect":
		return "connect"
	case "accept":
		return "accept"
	case "mount":
		return "mount"
	}
	return "bind"
}

// arguments are a list, or words in a string.
func (p *parser) arguments() {
	v := p.Get(args)
	if len(v) == 0 {
		return
	}
	if v[0] != '[' {
		p.E.Str(timeline.ProcessCommandLine, v)
		return
	}
	t, mark := &p.Text, len(p.Text)
	members.EachText(v, func(one []byte) {
		if len(p.Text) > mark {
			t.Byte(' ')
		}
		t.Word(one)
	})
	p.E.Str(timeline.ProcessCommandLine, t.Since(mark))
}

func (p *parser) outcome() {
	e := &p.E
	n, ok := members.Int(p.Get(ret))
	v := p.Get(failure)
	switch {
	case string(p.Get(capable)) == "false", string(p.Get(capable)) == "Deny":
		e.Const(timeline.EventOutcome, "failure")
	case len(v) > 0 && string(v) != "0", ok && n < 0:
		e.Const(timeline.EventOutcome, "failure")
		if len(v) > 0 {
			e.Str(timeline.ErrorCode, v)
		} else {
			e.Str(timeline.ErrorCode, p.Get(ret))
		}
	case ok, string(v) == "0", string(p.Get(errorRaw)) == "0", len(p.Get(capable)) > 0, p.fine:
		e.Const(timeline.EventOutcome, "success")
	}
}

// message is "curl (4242) in shop/web executed curl http://…".
func (p *parser) message(call string) []byte {
	e, t, mark := &p.E, &p.Text, len(p.Text)
	t.Bytes(p.Get(comm))
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
	t.Str(call)
	for _, v := range [...][]byte{e.GetStr(timeline.ProcessCommandLine), p.Get(file), p.mounted(call), p.Get(query), p.Get(capability), p.Get(signal), p.Get(targetName), p.Get(victim), e.GetStr(timeline.DestinationIP), p.Get(failure)} {
		if len(v) > 0 {
			t.Byte(' ')
			t.Bytes(v)
		}
	}
	return t.Since(mark)
}

// mounted is where something was mounted.
func (p *parser) mounted(call string) []byte {
	if call == "mount" || call == "umount" {
		return p.Get(moved)
	}
	return nil
}
