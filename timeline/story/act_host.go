package story

import (
	"strings"

	"amber/timeline/correlate"
	"amber/timeline/detect"
)

// hostAct tells what an event of a host is.
func hostAct(v *view, dataset string) act {
	a := act{verb: verbOf(v.text("event.action")), where: v.role(correlate.Place, correlate.Pod)}
	for _, ref := range []correlate.Ref{v.origin.Pod, v.role(correlate.Place, correlate.Container), v.origin.Container} {
		if a.where.Name == "" {
			a.where = ref
		}
	}
	if a.where.Name == "" {
		a.where = v.role(correlate.Place, correlate.Node)
	}
	command := v.text("process.command_line")
	switch {
	case dataset == "falco.alerts":
		a.alert(v)
	case strings.HasPrefix(dataset, "amber."):
		a.found(v, dataset)
	case v.text("event.action") == "executed":
		a.code = command
		if a.code == "" {
			a.code = v.text("process.executable")
		}
		a.tool = toolOf(a.code)
		a.program(v, command)
	case v.text("event.action") == "loaded-kernel-module":
		a.object = v.text("file.path")
		a.noun, a.nouns = "from", "from"
		a.verb = verb{"load a kernel module", "loaded a kernel module"}
		a.is(sign{"persistence", "T1547.006", detect.High})
	default:
		a.object, a.kind = v.text("file.path"), correlate.File
		if to := v.role(correlate.To); a.object == "" && to.Name != "" {
			a.object, a.kind = to.Name, to.Kind
		}
		a.detail = with(command)
	}
	return a
}

func with(command string) string {
	if command == "" {
		return ""
	}
	return "by " + command
}

// alert tells what Falco said, in its own words.
func (a *act) alert(v *view) {
	a.verb = verb{"set off Falco's rule", "set off Falco's rule"}
	a.object, a.code = v.text("rule.name"), v.text("process.command_line")
	a.tactic, a.technique = "execution", v.text("threat.technique.id")
	if t := v.text("threat.tactic.name"); t != "" {
		a.tactic = tacticOf(t)
	}
	switch n, _ := v.Values["event.severity"].(int64); {
	case n <= 2:
		a.level = detect.Critical
	case n == 3:
		a.level = detect.High
	case n == 4:
		a.level = detect.Medium
	default:
		a.level = detect.Low
	}
}

// found tells what a bundle shows.
func (a *act) found(v *view, dataset string) {
	path := v.text("file.path")
	switch {
	case dataset == "amber.process" && (v.tag("executable-deleted") || v.tag("executable-memfd") || v.tag("executable-replaced")):
		a.verb = verb{"run", "ran"}
		a.code = v.text("process.command_line")
		a.detail = "a program whose file was gone when the evidence was taken"
		if v.tag("executable-memfd") {
			a.detail = "a program that was never a file"
		}
		a.is(sign{"defense-evasion", "T1620", detect.High})
	case dataset == "amber.file" && v.text("event.action") == "file-deleted" && isLog(path):
		a.verb, a.object, a.kind = verb{"lose the file", "lost the file"}, path, correlate.File
		a.is(sign{"defense-evasion", "T1070.002", detect.Medium})
	case dataset == "amber.process":
		a.verb = verb{"run", "ran"}
		a.code = v.text("process.command_line")
	case dataset == "amber.file":
		a.object, a.kind = path, correlate.File
	case v.text("event.action") == "connection-seen":
		a.verb = verb{"hold a connection", "held a connection"}
		if to := v.role(correlate.To); to.Name != "" {
			a.verb = verb{"hold a connection to", "held a connection to"}
			a.object, a.kind = to.Name, to.Kind
		}
	}
}

func isLog(path string) bool {
	return strings.HasPrefix(path, "/var/log/") || strings.HasSuffix(path, ".log") || strings.HasSuffix(path, "_history")
}

// programs says what programs are for, by the last part of their names.
var programs = map[string]sign{
	"nsenter":    {"privilege-escalation", "T1611", detect.High},
	"chroot":     {"privilege-escalation", "T1611", detect.Medium},
	"unshare":    {"privilege-escalation", "T1611", detect.Medium},
	"curl":       {"command-and-control", "T1105", detect.Low},
	"wget":       {"command-and-control", "T1105", detect.Low},
	"kubectl":    {"discovery", "T1613", detect.Medium},
	"crontab":    {"persistence", "T1053.003", detect.Medium},
	"insmod":     {"persistence", "T1547.006", detect.High},
	"modprobe":   {"persistence", "T1547.006", detect.Medium},
	"scp":        {"exfiltration", "T1048", detect.Medium},
	"nmap":       {"discovery", "T1046", detect.Medium},
	"masscan":    {"discovery", "T1046", detect.High},
	"xmrig":      {"impact", "T1496", detect.High},
	"minerd":     {"impact", "T1496", detect.High},
	"ctr":        {"execution", "T1610", detect.Medium},
	"crictl":     {"execution", "T1609", detect.Medium},
	"docker":     {"execution", "T1610", detect.Medium},
	"useradd":    {"persistence", "T1136.001", detect.Medium},
	"debugfs":    {"privilege-escalation", "T1611", detect.High},
	"capsh":      {"discovery", "T1613", detect.Low},
	"peirates":   {"discovery", "T1613", detect.High},
	"deepce.sh":  {"discovery", "T1613", detect.High},
	"linpeas.sh": {"discovery", "T1082", detect.High},
}

// words are what commands hold, and what they are for.
var words = []struct {
	word string
	sign
}{
	{"stratum+tcp://", sign{"impact", "T1496", detect.Critical}},
	{"stratum+ssl://", sign{"impact", "T1496", detect.Critical}},
	{"--donate-level", sign{"impact", "T1496", detect.Critical}},
	{"serviceaccount/token", sign{"credential-access", "T1528", detect.High}},
	{"/etc/shadow", sign{"credential-access", "T1003.008", detect.High}},
	{"169.254.169.254", sign{"credential-access", "T1552.005", detect.High}},
	{"/dev/tcp/", sign{"execution", "T1059.004", detect.High}},
	{"release_agent", sign{"privilege-escalation", "T1611", detect.Critical}},
	{"authorized_keys", sign{"persistence", "T1098.004", detect.High}},
	{"/etc/cron", sign{"persistence", "T1053.003", detect.High}},
	{"history -c", sign{"defense-evasion", "T1070.003", detect.High}},
}

// wipes tells commands that take something away from files.
func wipes(command string) bool {
	switch toolOf(command) {
	case "rm", "shred", "truncate", "unlink":
		return true
	}
	return strings.Contains(command, ": >") || strings.Contains(command, "rm -")
}

// toolOf is the program of a command, by which commands are told together.
func toolOf(command string) string {
	first, _, _ := strings.Cut(command, " ")
	return first[strings.LastIndexByte(first, '/')+1:]
}

// program tells what a command is for, as far as it shows.
func (a *act) program(v *view, command string) {
	for _, w := range words {
		if strings.Contains(command, w.word) && w.level > a.level {
			a.is(w.sign)
		}
	}
	if strings.Contains(command, "/var/log/") && wipes(command) && a.level < detect.High {
		a.is(sign{"defense-evasion", "T1070.002", detect.High})
	}
	name := v.text("process.executable")
	name = name[strings.LastIndexByte(name, '/')+1:]
	if s, ok := programs[name]; ok && (a.tactic == "" || s.level > a.level) {
		a.is(s)
	}
	if a.where.Kind == correlate.Node && a.level < detect.High {
		a.tactic = "" // on a host outside of containers such programs are everyday
	}
}
