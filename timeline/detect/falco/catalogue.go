package falco

import (
	"strings"
	"sync"
)

// valueKind is how the values of a field are compared.
type valueKind uint8

const (
	textKind valueKind = iota
	numberKind
	boolKind
	ipKind
	netKind
)

// fieldType is what Falco's documentation says of a field.
type fieldType struct {
	kind valueKind
	list bool // several values, which "in" wants all to be in the set
	any  bool // several values of which one is enough, as Falco has it of fd.ip and proc.aname
}

// The fields of Falco's system calls (https://falco.org/docs/reference/rules/supported-fields),
// by how their values compare. A name that is in none of these is a mistake.
const (
	texts = `evt.time evt.time.s evt.time.iso8601 evt.datetime evt.datetime.s evt.dir evt.type
evt.plugininfo evt.pluginname evt.source evt.category evt.arg evt.args evt.info evt.buffer evt.res evt.hostname
evt.asynctype evt.latency.human evt.abspath evt.deltatime.human syscall.type
proc.exe proc.pexe proc.aexe proc.exepath proc.pexepath proc.aexepath proc.name proc.pname proc.aname
proc.args proc.aargs proc.cmdline proc.pcmdline proc.acmdline proc.exeline proc.env proc.aenv proc.cwd proc.stdin.type
proc.stdin.name proc.stdout.type proc.stdout.name proc.stderr.type proc.stderr.name proc.sname proc.sid.exe
proc.sid.exepath proc.vpgid.name proc.vpgid.exe proc.vpgid.exepath proc.pgid.name proc.pgid.exe proc.pgid.exepath
proc.loginshellid proc.cgroup proc.cgroups thread.cgroup thread.cgroups thread.exectime thread.totexectime
thread.cap_permitted thread.cap_inheritable thread.cap_effective
user.name user.homedir user.shell user.loginname group.name
fd.type fd.typechar fd.name fd.nameraw fd.directory fd.filename fd.l4proto fd.sockfamily fd.containername
fd.containerdirectory fd.sip.name fd.cip.name fd.rip.name fd.lip.name fd.proto fd.cproto fd.sproto fd.lproto fd.rproto
fd.types fd.dev.major fd.dev.minor fs.path.name fs.path.nameraw fs.path.source fs.path.sourceraw fs.path.target fs.path.targetraw
container.id container.full_id container.name container.image container.image.id container.image.repository
container.image.tag container.image.digest container.type container.mount container.mounts container.mount.source
container.mount.dest container.mount.mode container.mount.rdwr container.mount.propagation container.healthcheck
container.liveness_probe container.readiness_probe container.label container.labels container.ip container.cni.json
container.info container.start_ts
k8s.ns.name k8s.pod.name k8s.pod.id k8s.pod.uid k8s.pod.sandbox_id k8s.pod.full_sandbox_id k8s.pod.label k8s.pod.labels
k8s.pod.ip k8s.pod.cni.json k8s.rc.name k8s.rc.id k8s.rc.label k8s.rc.labels k8s.svc.name k8s.svc.id k8s.svc.label
k8s.svc.labels k8s.ns.id k8s.ns.label k8s.ns.labels k8s.rs.name k8s.rs.id k8s.rs.label k8s.rs.labels
k8s.deployment.name k8s.deployment.id k8s.deployment.label k8s.deployment.labels
k8smeta.pod.name k8smeta.pod.uid k8smeta.pod.label k8smeta.pod.labels k8smeta.pod.ip k8smeta.ns.name k8smeta.ns.uid
k8smeta.ns.label k8smeta.ns.labels k8smeta.deployment.name k8smeta.deployment.uid k8smeta.deployment.label
k8smeta.deployment.labels k8smeta.svc.name k8smeta.svc.uid k8smeta.svc.label k8smeta.svc.labels k8smeta.rs.name
k8smeta.rs.uid k8smeta.rs.label k8smeta.rs.labels k8smeta.rc.name k8smeta.rc.uid k8smeta.rc.label k8smeta.rc.labels
syslog.facility.str syslog.severity.str syslog.message span.tags span.args`
	numbers = `evt.num evt.rawtime evt.rawtime.s evt.rawtime.ns evt.reltime evt.reltime.s evt.reltime.ns evt.latency
evt.latency.s evt.latency.ns evt.deltatime evt.deltatime.s evt.deltatime.ns evt.cpu evt.rawres evt.count evt.buflen
evt.buflen.in evt.buflen.out evt.count.error evt.count.exit evt.rawarg evt.around
proc.pid proc.ppid proc.apid proc.vpid proc.pvpid proc.sid proc.vpgid proc.pgid proc.tty proc.duration proc.ppid.duration
proc.ppid.ts proc.pid.ts proc.nchilds proc.nthreads proc.fdopencount proc.fdlimit proc.fdusage proc.vmsize proc.vmrss
proc.vmswap proc.exe_ino proc.exe_ino.ctime proc.exe_ino.mtime proc.exe_ino.ctime_duration_proc_start
proc.exe_ino.ctime_duration_pidns_start proc.pidns_init_start_ts thread.tid thread.vtid thread.cpu thread.pfmajor
thread.pfminor thread.vmsize thread.vmrss user.uid user.loginuid group.gid fd.num fd.port fd.cport fd.sport fd.lport
fd.rport fd.dev fd.ino container.duration syslog.facility syslog.severity`
	bools = `evt.is_io evt.is_io_read evt.is_io_write evt.is_wait evt.wait_latency evt.is_syslog evt.failed evt.is_async
evt.is_open_read evt.is_open_write evt.is_open_exec evt.is_open_create proc.is_container_healthcheck
proc.is_container_liveness_probe proc.is_container_readiness_probe proc.is_exe_writable proc.is_exe_upper_layer
proc.is_exe_lower_layer proc.is_exe_from_memfd proc.is_sid_leader proc.is_vpgid_leader proc.is_pgid_leader
thread.ismain fd.is_server fd.is_upper_layer fd.is_lower_layer fd.connected fd.name_changed container.privileged
container.host_pid container.host_network container.host_ipc`
	addresses = `fd.ip fd.cip fd.sip fd.lip fd.rip`
	networks  = `fd.net fd.cnet fd.snet fd.lnet fd.rnet`
	anyOf     = `fd.ip fd.net fd.port fd.proto proc.aname proc.aexe proc.aexepath proc.acmdline proc.apid proc.aargs
proc.aenv container.ip k8s.pod.ip`
)

var catalogue = sync.OnceValue(func() map[string]fieldType {
	m := map[string]fieldType{}
	for kind, names := range map[valueKind]string{textKind: texts, numberKind: numbers, boolKind: bools, ipKind: addresses, netKind: networks} {
		for n := range strings.FieldsSeq(names) {
			m[n] = fieldType{kind: kind}
		}
	}
	for n := range strings.FieldsSeq(anyOf) {
		m[n] = fieldType{kind: m[n].kind, any: true}
	}
	return m
})

// syscallField is what is known of a field of Falco's own. The arguments of
// calls (evt.arg.flags, evt.rawarg.fd) and labels have names of their own.
func syscallField(o operand) (fieldType, bool) {
	t, ok := catalogue()[o.field]
	if !ok {
		for _, open := range []string{"evt.arg.", "evt.rawarg.", "evt.count.", "proc.env.", "container.label.", "k8s.pod.label.", "k8s.ns.label."} {
			if strings.HasPrefix(o.field, open) {
				return fieldType{}, true
			}
		}
	}
	if o.hasArg {
		t.any = false // one of several
	}
	return t, ok
}
