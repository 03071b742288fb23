// Package deeds has the audit log's words for what system calls do, for sources
// that tell of calls by their names: one query finds what was executed, whoever
// has seen it.
package deeds

// Deed is a word with its category and type.
type Deed struct{ Action, Category, Type string }

// Of is the word for a system call, or a hook of the kernel's that stands behind
// it; not ok where there is none.
func Of(call string) (Deed, bool) {
	switch call {
	case "execve", "execveat", "sched_process_exec", "exec", "security_bprm_check":
		return Deed{"executed", "process", "start"}, true
	case "fork", "vfork", "clone", "clone3", "sched_process_fork":
		return Deed{"forked", "process", "start"}, true
	case "exit", "exit_group", "sched_process_exit", "procexit":
		return Deed{"ended", "process", "end"}, true
	case "open", "openat", "openat2", "creat", "security_file_open", "open_by_handle_at":
		return Deed{"opened-file", "file", "access"}, true
	case "unlink", "unlinkat", "rmdir", "security_inode_unlink":
		return Deed{"deleted", "file", "deletion"}, true
	case "rename", "renameat", "renameat2", "security_inode_rename":
		return Deed{"renamed", "file", "change"}, true
	case "mkdir", "mkdirat":
		return Deed{"created-directory", "file", "creation"}, true
	case "symlink", "symlinkat":
		return Deed{"symlinked", "file", "creation"}, true
	case "link", "linkat":
		return Deed{"linked", "file", "creation"}, true
	case "chmod", "fchmod", "fchmodat", "fchmodat2":
		return Deed{"changed-file-permissions-of", "file", "change"}, true
	case "chown", "fchown", "lchown", "fchownat":
		return Deed{"changed-file-ownership-of", "file", "change"}, true
	case "connect", "security_socket_connect", "net_tcp_connect":
		return Deed{"connected-to", "network", "start"}, true
	case "accept", "accept4", "security_socket_accept":
		return Deed{"accepted-connection-from", "network", "start"}, true
	case "bind", "security_socket_bind":
		return Deed{"bound-socket", "network", "info"}, true
	case "listen", "security_socket_listen":
		return Deed{"listen-for-connections", "network", "info"}, true
	case "sendto", "sendmsg", "sendmmsg":
		return Deed{"sent-to", "network", "connection"}, true
	case "recvfrom", "recvmsg", "recvmmsg":
		return Deed{"received-from", "network", "connection"}, true
	case "mount", "security_sb_mount", "move_mount", "fsmount":
		return Deed{"mounted", "file", "change"}, true
	case "umount", "umount2":
		return Deed{"unmounted", "file", "change"}, true
	case "ptrace":
		return Deed{"ptraced", "process", "access"}, true
	case "kill", "tkill", "tgkill", "pidfd_send_signal":
		return Deed{"killed-pid", "process", "change"}, true
	case "init_module", "finit_module", "security_kernel_read_file", "module_load":
		return Deed{"loaded-kernel-module", "driver", "start"}, true
	case "delete_module", "module_free":
		return Deed{"unloaded-kernel-module", "driver", "end"}, true
	case "setuid", "setreuid", "setresuid", "setgid", "setregid", "setresgid", "setfsuid", "setfsgid", "commit_creds":
		return Deed{"changed-identity-of", "process", "change"}, true
	case "setns", "unshare", "switch_task_ns":
		return Deed{"changed-namespace", "process", "change"}, true
	case "bpf", "security_bpf", "security_bpf_prog", "bpf_attach":
		return Deed{"used-bpf", "process", "change"}, true
	case "memfd_create":
		return Deed{"created-memory-file", "file", "creation"}, true
	case "pivot_root", "chroot":
		return Deed{"changed-root-directory", "process", "change"}, true
	}
	return Deed{}, false
}
