// Package cloudinit reads /var/log/cloud-init.log: what was done to a machine
// when it began, scripts of its user data among it. Times are the machine's own,
// without a zone, and taken for UTC.
package cloudinit

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/prose"
)

// Source is the source "cloud-init".
func Source() timeline.Source {
	return prose.Form{Name: "cloud-init", Dataset: "cloud_init.log", Provider: "cloud-init", Category: "host", Read: read}.Source()
}

func cut(b []byte, sep string) (before, after []byte, ok bool) { return bytes.Cut(b, []byte(sep)) }

// read reads "2026-11-22 13:05:01,123 - util.py[DEBUG]: text".
func read(r *prose.Reader, line []byte) int {
	when, rest, ok := cut(line, " - ")
	file, text, ok2 := cut(rest, "]: ")
	name, level, ok3 := cut(file, "[")
	if !ok || !ok2 || !ok3 || len(when) < 19 || len(when) > 26 || len(file) > 80 || !isLevel(level) {
		return 0
	}
	t, zone, ok := timeline.ParseTime(when)
	if !ok || zone {
		return 0
	}
	e := r.E
	e.Time = t
	e.AddConst(timeline.Tags, "zone-assumed")
	e.Str(timeline.LogLevel, bytes.ToLower(level))
	e.Put("log.origin.file.name", name)
	e.Str(timeline.Message, text)
	said(e, text)
	if bytes.HasPrefix(text, []byte("Failed ")) || bytes.HasPrefix(text, []byte("Running module ")) && bytes.HasSuffix(text, []byte(" failed")) {
		e.Const(timeline.EventOutcome, "failure")
	}
	if list := e.GetStr(timeline.ProcessCommandLine); len(list) > 1 && list[0] == '[' {
		e.Str(timeline.ProcessCommandLine, words(r, list))
	}
	return 94
}

func isLevel(b []byte) bool {
	switch string(b) {
	case "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "DEPRECATED":
		return true
	}
	return false
}

// said tells what was done.
func said(e *timeline.Event, text []byte) {
	for _, f := range [...]struct {
		begins, action, category, kind string
		read                           func(*timeline.Event, []byte)
	}{
		{"Running command ", "executed", "process", "start", command},
		{"Writing to ", "wrote-file", "file", "change", wrote},
		{"Reading from ", "read-file", "file", "access", path},
		{"Changing the ownership of ", "changed-file-ownership-of", "file", "change", path},
		{"Adding user ", "added-user-account", "iam", "creation", user},
		{"Cloud-init v. ", "stage", "host", "info", nothing},
		{"start: ", "stage_start", "host", "start", stage},
		{"finish: ", "stage_finish", "host", "end", stage},
		{"Running ", "module", "host", "info", nothing},
	} {
		rest, ok := bytes.CutPrefix(text, []byte(f.begins))
		if !ok {
			continue
		}
		e.Const(timeline.EventAction, f.action)
		e.AddConst(timeline.EventCategory, f.category)
		e.AddConst(timeline.EventType, f.kind)
		f.read(e, rest)
		return
	}
	if _, rest, ok := cut(text, "open '"); ok {
		url, _, _ := cut(rest, "'")
		e.Const(timeline.EventAction, "fetched")
		e.AddConst(timeline.EventCategory, "network")
		e.AddConst(timeline.EventType, "access")
		e.Str(timeline.URL, url)
	}
}

func nothing(*timeline.Event, []byte) {}

// command reads "['/var/lib/cloud/instance/scripts/part-001'] with allowed return
// codes [0] (shell=False, capture=False)".
func command(e *timeline.Event, b []byte) {
	what, how, _ := cut(b, " with allowed return codes ")
	e.Str(timeline.ProcessCommandLine, what)
	e.Put("cloud_init.how", how)
	list := bytes.Trim(what, "[]")
	if len(list) > 1 && (list[0] == '\'' || list[0] == '"') {
		program, _, _ := cut(list[1:], string(list[:1]))
		e.Str(timeline.ProcessExecutable, program)
	}
}

// wrote reads "/etc/x - wb: [644] 120 bytes".
func wrote(e *timeline.Event, b []byte) {
	name, rest, _ := cut(b, " - ")
	e.Str(timeline.FilePath, name)
	if _, mode, ok := cut(rest, "["); ok {
		mode, _, _ = cut(mode, "]")
		e.Str(timeline.FileMode, mode)
	}
}

func path(e *timeline.Event, b []byte) {
	name, _, _ := cut(b, " ")
	e.Str(timeline.FilePath, name)
}

func user(e *timeline.Event, b []byte) {
	name, _, _ := cut(b, " ")
	e.Str(timeline.UserTargetName, name)
}

// stage reads "init-network/config-ssh: SUCCESS: config-ssh ran successfully".
func stage(e *timeline.Event, b []byte) {
	name, rest, _ := cut(b, ": ")
	e.Put("cloud_init.stage", name)
	switch {
	case bytes.HasPrefix(rest, []byte("SUCCESS")):
		e.Const(timeline.EventOutcome, "success")
	case bytes.HasPrefix(rest, []byte("FAIL")), bytes.HasPrefix(rest, []byte("WARN")):
		e.Const(timeline.EventOutcome, "failure")
	}
}

// words are those of a list as Python prints it, as a shell would have to be given
// them; what is no such list stays as it is.
func words(r *prose.Reader, list []byte) []byte {
	t, mark := &r.Text, len(r.Text)
	rest := bytes.Trim(list, "[]")
	for len(rest) > 1 && (rest[0] == '\'' || rest[0] == '"') {
		one, after, ok := cut(rest[1:], string(rest[:1]))
		if !ok || bytes.IndexByte(one, '\\') >= 0 {
			r.Text = r.Text[:mark]
			return list
		}
		if len(r.Text) > mark {
			t.Byte(' ')
		}
		t.Word(one)
		rest = bytes.TrimPrefix(after, []byte(", "))
	}
	if len(rest) > 0 {
		r.Text = r.Text[:mark]
		return list
	}
	return t.Since(mark)
}
