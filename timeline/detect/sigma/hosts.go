package sigma

// What programs of a host say: lines of syslog and of the journal.

// noRecord is the naming of logs whose records are text: of fields they have the
// timeline's alone.
var noRecord = &record{closed: true}

// hostService are the logs of a service of Linux: of all programs, or of those
// that the service's name means.
func hostService(service string) []target {
	programs, ok := hostPrograms(service)
	if !ok {
		return nil
	}
	var own []gate
	if len(programs) > 0 {
		own = []gate{{"process.name", programs}}
	}
	return []target{
		{"journald", noRecord, own},
		{"system.auth", noRecord, own},
		{"system.syslog", noRecord, own},
	}
}

// hostPrograms are the programs behind a service; none where it means any.
func hostPrograms(service string) (list []string, ok bool) {
	switch service {
	case "syslog", "messages", "system":
		return nil, true
	case "auth", "authpriv", "secure":
		return []string{
			"sshd", "sshd-session", "sshd-auth", "sudo", "su", "login", "systemd-logind", "polkitd", "pkexec", "useradd", "usermod", "userdel",
			"groupadd", "groupmod", "passwd", "chpasswd", "chage", "gpasswd", "cron", "crond", "dropbear", "gdm-password", "doas", "runuser",
		}, true
	case "sshd", "ssh":
		return []string{"sshd", "sshd-session", "sshd-auth", "dropbear"}, true
	case "cron":
		return []string{"cron", "crond", "crontab", "anacron", "fcron", "atd"}, true
	case "sudo", "su", "vsftpd", "modsecurity", "kernel", "polkitd", "systemd":
		return []string{service}, true
	case "clamav":
		return []string{"clamd", "clamav", "clamscan", "clamonacc", "freshclam"}, true
	case "guacamole":
		return []string{"guacd", "guacamole", "tomcat", "tomcat9", "tomcat10"}, true
	}
	return nil, false
}

// frameworks are the products whose applications say what Sigma's category
// application looks for, wherever such an application has its log.
var frameworks = []string{"django", "jvm", "java", "nodejs", "python", "ruby", "ruby_on_rails", "spring", "sql", "velocity", "php"}

// applications are the logs of what runs in containers and services. Which
// language it is written in none of them says.
func applications() []target {
	return []target{
		{"kubernetes.container_logs", noRecord, nil},
		{"amber.log", noRecord, nil},
		{"journald", noRecord, nil},
		{"system.syslog", noRecord, nil},
	}
}

// webServerErrors is what web servers say besides the requests.
func webServerErrors() []target {
	return append([]target{{"http.access", noRecord, nil}}, applications()...)
}
