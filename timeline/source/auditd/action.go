package auditd

import (
	"strings"
	"sync"
)

// act is what an event is, in the words of Elastic's auditd integration.
type act struct {
	action   string
	category string // several are separated by commas, as of kinds
	kinds    string // event.type
	object   object
}

// object is what a system call was done to.
type object uint8

const (
	noObject object = iota
	onFile          // the last PATH that is no parent directory
	onSocket        // where the SOCKADDR leads to
	fromSocket
	ownSocket // the SOCKADDR is the caller's own address
)

// calls are the actions of system calls, "action category types object: calls".
// A call that is not there has its own name for an action.
const calls = `
opened-file file creation file: creat
opened-file file change file: fallocate truncate truncate64 ftruncate ftruncate64
opened-file file info file: open openat openat2 readlink readlinkat open_by_handle_at
read-file file info file: read pread64 readv
wrote-to-file file change file: write pwrite64 writev
changed-file-attributes-of file change file: setxattr fsetxattr lsetxattr setxattrat removexattr fremovexattr lremovexattr removexattrat
changed-file-permissions-of file change file: chmod fchmod fchmodat fchmodat2
changed-file-ownership-of file change file: chown chown32 fchown fchown32 fchownat lchown lchown32
loaded-kernel-module driver start file: finit_module init_module
unloaded-kernel-module driver end file: delete_module
created-directory file creation file: mkdir mkdirat
mounted file creation file: mount move_mount
renamed file change file: rename renameat renameat2
checked-metadata-of file info file: access faccessat faccessat2 fstatat64 newfstatat stat stat64 fstat fstat64 lstat lstat64 statx getxattr lgetxattr fgetxattr
checked-filesystem-metadata-of file info file: statfs statfs64 fstatfs fstatfs64
symlinked file creation file: symlink symlinkat
linked file creation file: link linkat
unmounted file deletion file: umount umount2
deleted file deletion file: rmdir unlink unlinkat
changed-timestamp-of file info file: utime utimes futimesat utimensat utimensat_time64
make-device file creation file: mknod mknodat
changed-working-directory file info file: chdir fchdir
changed-root-directory process change file: chroot pivot_root
executed process start file: execve execveat
listen-for-connections network connection,start own: listen
accepted-connection-from network connection,start from: accept accept4
bound-socket network connection,start own: bind
connected-to network connection,start to: connect
received-from network connection,info from: recv recvfrom recvmsg recvmmsg
sent-to network connection,info to: send sendto sendmsg sendmmsg
killed-pid process end none: kill tkill tgkill pidfd_send_signal
changed-identity-of process change none: setuid setuid32 setfsuid setfsuid32 setreuid setreuid32 setgid setgid32 setfsgid setfsgid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32
changed-system-time host change none: settimeofday clock_settime clock_settime64 stime adjtimex clock_adjtime clock_adjtime64
changed-system-name host change none: sethostname setdomainname
allocated-memory process info none: mmap mmap2 brk
adjusted-scheduling-policy-of process change none: sched_setparam sched_setscheduler sched_setattr
`

// types are the actions of record types that say what an event is, in the form
// of calls.
const types = `
locked-account iam user,info none: ACCT_LOCK
unlocked-account iam user,info none: ACCT_UNLOCK
added-group-account-to iam group,creation none: ADD_GROUP
added-user-account iam user,creation none: ADD_USER
deleted-group-account-from iam group,deletion none: DEL_GROUP
deleted-user-account iam user,deletion none: DEL_USER
modified-group-account iam group,change none: GRP_MGMT
assigned-user-role-to iam user,change none: ROLE_ASSIGN
modified-role iam change none: ROLE_MODIFY
removed-user-role-from iam user,change none: ROLE_REMOVE
modified-user-account iam user,change none: USER_MGMT
changed-password iam user,change none: USER_CHAUTHTOK
changed-group-password iam group,change none: GRP_CHAUTHTOK
acquired-credentials authentication info none: CRED_ACQ
disposed-credentials authentication info none: CRED_DISP
refreshed-credentials authentication info none: CRED_REFR
authenticated-to-group authentication info none: GRP_AUTH
changed-login-id-to authentication start none: LOGIN
was-authorized authentication info none: USER_ACCT
authenticated authentication info none: USER_AUTH
ended-session authentication,session end none: USER_END
error authentication info none: USER_ERR
logged-in authentication start none: USER_LOGIN
logged-out authentication end none: USER_LOGOUT
changed-role-to authentication info none: USER_ROLE_CHANGE
started-session authentication,session start none: USER_START
issued-vm-control host info none: VIRT_CONTROL
assigned-vm-id host info none: VIRT_MACHINE_ID
assigned-vm-resource host info none: VIRT_RESOURCE
changed-group process change none: CHGRP_ID
changed-user-id process change none: CHUSER_ID
sent-test process info none: TEST
ran-command process start none: USER_CMD
booted-system host start none: SYSTEM_BOOT
changed-to-runlevel host change none: SYSTEM_RUNLEVEL
shutdown-system host end none: SYSTEM_SHUTDOWN
started-service process start none: SERVICE_START
stopped-service process end none: SERVICE_STOP
changed-audit-configuration process,configuration change none: CONFIG_CHANGE
aborted-auditd-startup process end none: DAEMON_ABORT
remote-audit-connected network connection,start none: DAEMON_ACCEPT
remote-audit-disconnected network connection,end none: DAEMON_CLOSE
changed-auditd-configuration process,configuration change none: DAEMON_CONFIG
shutdown-audit process end none: DAEMON_END
audit-error process info none: DAEMON_ERR
reconfigured-auditd process,configuration info none: DAEMON_RECONFIG
resumed-audit-logging process change none: DAEMON_RESUME
rotated-audit-logs process change none: DAEMON_ROTATE
started-audit process start none: DAEMON_START
initialized-audit-subsystem process info none: KERNEL
changed-configuration configuration change none: USYS_CONFIG
loaded-firewall-rule-to configuration change none: NETFILTER_CFG
changed-audit-feature configuration change none: FEATURE_CHANGE
typed process info none: TTY USER_TTY
violated-selinux-policy process info none: AVC
access-permission process info none: USER_AVC
access-error process info none: USER_SELINUX_ERR
caused-mac-policy-error process info none: SELINUX_ERR
changed-selinux-boolean configuration change none: MAC_CONFIG_CHANGE
loaded-selinux-policy configuration access none: MAC_POLICY_LOAD
changed-selinux-enforcement configuration change none: MAC_STATUS
changed-mac-configuration configuration change none: USER_MAC_CONFIG_CHANGE
loaded-mac-policy configuration access none: USER_MAC_POLICY_LOAD
violated-seccomp-policy process info none: SECCOMP
negotiated-crypto-key process info none: CRYPTO_KEY_USER
crypto-officer-logged-in process info none: CRYPTO_LOGIN
crypto-officer-logged-out process info none: CRYPTO_LOGOUT
started-crypto-session process info none: CRYPTO_SESSION
crashed-program process end none: ANOM_ABEND
attempted-execution-of-forbidden-program process start none: ANOM_EXEC
used-suspicious-link file info file: ANOM_LINK
failed-log-in-too-many-times-to authentication info none: ANOM_LOGIN_FAILURES
attempted-log-in-from-unusual-place-to authentication info none: ANOM_LOGIN_LOCATION
opened-too-many-sessions-to authentication info none: ANOM_LOGIN_SESSIONS
attempted-log-in-during-unusual-hour-to authentication info none: ANOM_LOGIN_TIME
changed-promiscuous-mode-on-device network info none: ANOM_PROMISCUOUS
tested-file-system-integrity-of file info none: ANOM_RBAC_INTEGRITY_FAIL
`

var (
	callActs = sync.OnceValue(func() map[string]*act { return parseActs(calls) })
	typeActs = sync.OnceValue(func() map[string]*act { return parseActs(types) })
)

func parseActs(table string) map[string]*act {
	acts := map[string]*act{}
	for line := range strings.Lines(table) {
		head, names, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		w := strings.Fields(head)
		a := &act{action: w[0], category: w[1], kinds: w[2], object: objects(w[3])}
		for _, name := range strings.Fields(names) {
			acts[name] = a
		}
	}
	return acts
}

func objects(s string) object {
	switch s {
	case "file":
		return onFile
	case "to":
		return onSocket
	case "from":
		return fromSocket
	case "own":
		return ownSocket
	}
	return noObject
}
