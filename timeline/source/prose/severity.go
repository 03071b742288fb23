package prose

// Severity is syslog's word for a level, 0 to 7.
func Severity(n int) string {
	names := [...]string{"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"}
	if n < 0 || n >= len(names) {
		return ""
	}
	return names[n]
}

// Facility is syslog's word for who speaks, 0 to 23.
func Facility(n int) string {
	names := [...]string{
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "security", "console", "solaris-cron",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}
	if n < 0 || n >= len(names) {
		return ""
	}
	return names[n]
}

// Priority is the number of a facility and a severity by their short names, as
// BusyBox has them; -1 of what is none.
func Priority(facility, severity []byte) int {
	for f := range 24 {
		if Facility(f) != string(facility) {
			continue
		}
		for n, name := range [...]string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"} {
			if name == string(severity) {
				return f*8 + n
			}
		}
	}
	return -1
}
