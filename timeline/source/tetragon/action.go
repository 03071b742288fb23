package tetragon

import (
	"bytes"

	"amber/timeline"
)

// name sets event.action, category, type and direction. The words are those of
// the audit log's events, so that one query finds both.
func (p *parser) name() {
	switch string(p.kind) {
	case "process_exec":
		p.is("executed", "process", "start")
	case "process_exit":
		p.is("exited", "process", "end")
	case "process_connect":
		p.is("connected-to", "network", "connection", "start")
		p.ev.Const(timeline.NetworkDirection, "egress")
	case "process_accept":
		p.is("accepted-connection-from", "network", "connection", "start")
		p.ev.Const(timeline.NetworkDirection, "ingress")
	case "process_listen":
		p.is("listen-for-connections", "network", "start")
	case "process_close":
		p.is("closed-connection", "network", "connection", "end")
	case "process_loader":
		p.is("loaded-library", "library", "start")
	case "process_throttle":
		p.is("throttled-events", "process", "info")
	case "rate_limit_info":
		p.is("lost-events", "process", "info")
	default:
		p.traceName()
	}
}

func (p *parser) is(action, category string, kinds ...string) {
	e := &p.ev
	e.Const(timeline.EventAction, action)
	e.AddConst(timeline.EventCategory, category)
	if category == "file" {
		p.named()
	}
	for _, k := range kinds {
		e.AddConst(timeline.EventType, k)
	}
}

// traceName names a traced function by what it does, or by itself.
func (p *parser) traceName() {
	call := p.call
	for _, prefix := range []string{"sys_enter_", "sys_exit_", "sys_"} {
		if rest, ok := bytes.CutPrefix(call, []byte(prefix)); ok {
			if string(rest) != "enter" && string(rest) != "exit" { // raw_syscalls' are of any call
				call = rest
			}
			break
		}
	}
	switch string(call) {
	case "open", "openat", "openat2", "fd_install", "security_file_open", "file_open":
		p.is("opened-file", "file", "info")
	case "read", "pread64", "readv":
		p.is("read-file", "file", "info")
	case "write", "pwrite64", "writev":
		p.is("wrote-to-file", "file", "change")
	case "security_file_permission", "file_permission":
		p.permission()
	case "security_mmap_file", "mmap_file":
		p.is("accessed-file", "file", "access")
	case "security_path_truncate", "truncate", "ftruncate":
		p.is("truncated-file", "file", "change")
	case "unlink", "unlinkat", "rmdir", "security_inode_unlink", "security_path_unlink":
		p.is("deleted", "file", "deletion")
	case "rename", "renameat", "renameat2", "security_inode_rename", "security_path_rename":
		p.is("renamed", "file", "change")
	case "mount", "security_sb_mount", "move_mount":
		p.is("mounted", "file", "creation")
	case "init_module", "finit_module", "do_init_module", "security_kernel_module_request", "security_kernel_read_file":
		p.is("loaded-kernel-module", "driver", "start")
	case "execve", "execveat", "security_bprm_check", "bprm_check_security":
		p.is("executed", "process", "start")
	case "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "commit_creds", "security_task_fix_setuid":
		p.is("changed-identity-of", "process", "change")
	case "setns", "unshare":
		p.is("changed-namespace", "process", "change")
	case "kill", "tkill", "tgkill", "security_task_kill":
		p.is("killed-pid", "process", "end")
	default:
		p.netName(call)
	}
}

// The bits of the mask that a file's permission is asked for with
// (include/linux/fs.h).
const (
	mayWrite  = 0x2
	mayRead   = 0x4
	mayAppend = 0x8
)

// permission names what a file's permission was asked for, by the mask behind it.
func (p *parser) permission() {
	switch {
	case p.mask&(mayWrite|mayAppend) != 0:
		p.is("wrote-to-file", "file", "change")
	case p.mask&mayRead != 0:
		p.is("read-file", "file", "info")
	default:
		p.is("accessed-file", "file", "access")
	}
}

// named sets the file that a call was given by its name.
func (p *parser) named() {
	if !p.ev.Has(timeline.FilePath) && len(p.text) > 0 && p.text[0] == '/' {
		p.ev.Str(timeline.FilePath, p.text)
	}
}

func (p *parser) netName(call []byte) {
	switch string(call) {
	case "connect", "tcp_connect", "security_socket_connect", "socket_connect":
		p.is("connected-to", "network", "connection", "start")
		p.ev.Const(timeline.NetworkDirection, "egress")
	case "accept", "accept4", "inet_csk_accept", "security_socket_accept":
		p.is("accepted-connection-from", "network", "connection", "start")
		p.ev.Const(timeline.NetworkDirection, "ingress")
	case "bind", "security_socket_bind", "socket_bind":
		p.is("bound-socket", "network", "start")
	case "listen", "inet_csk_listen_start", "security_socket_listen":
		p.is("listen-for-connections", "network", "start")
	case "tcp_close":
		p.is("closed-connection", "network", "connection", "end")
	case "tcp_sendmsg", "udp_sendmsg", "sendto", "sendmsg", "ip_output":
		p.is("sent-to", "network", "connection", "info")
	case "tcp_recvmsg", "udp_recvmsg", "recvfrom", "recvmsg":
		p.is("received-from", "network", "connection", "info")
	case "":
		p.is("", "process", "info")
		p.ev.Str(timeline.EventAction, p.kind)
	default:
		p.is("", "process", "info")
		p.ev.Str(timeline.EventAction, call)
	}
}
