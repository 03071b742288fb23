package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// names are what a terminal, a parser or a shell may choke on.
var names = []string{
	"new\nline", "return\rover", "esc\x1b[31mred", "title\x1b]0;pwned\x07", "invalid\xff\xfeutf8", "c1\x9b31m", "c1-utf8\u009b31m",
	"tab\tname", "back\\slash", "quote\"'`$(reboot)", "rtl\u202egnp.exe", "-rf", " ", " lead", "trail ", "del\x7f", "...", "caf\u00e9",
	"line\u2028separator", "bell\x07", "\x01\x02\x03", "%s%n", "a:b|c*?<>", "{\"json\":1}", "x=1;y", "<script>alert(1)", "=cmd()",
}

func hostile(args []string) error {
	dir := args[0]
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	at := func(name string) string { return dir + "/" + name }
	steps := []func(func(string) string) error{plainFiles, links, special, sparse, marked, crowd, shout}
	for _, step := range steps {
		if err := step(at); err != nil {
			return err
		}
	}
	if err := ready(); err != nil {
		return err
	}
	return wait()
}

func plainFiles(at func(string) string) error {
	long := strings.Repeat("n", 255)
	for _, name := range append(names, long, strings.Repeat("\xff", 255)) {
		if err := os.WriteFile(at(name), []byte("content of "+name+"\x1b[2J\n"), 0o644); err != nil {
			return err
		}
		if err := os.MkdirAll(at("dirs/"+name+"/"+name), 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(at("empty"), nil, 0)
}

func links(at func(string) string) error {
	if err := os.Link(at("empty"), at("hard")); err != nil {
		return err
	}
	if err := os.Link(at("new\nline"), at("hard\x1b[5m")); err != nil {
		return err
	}
	for name, target := range map[string]string{
		"self": "self", "loop-a": "loop-b", "loop-b": "loop-a", "dot": ".", "up": "..", "root": "/",
		"out": "../../../../../../../../etc/shadow", "proc": "/proc/self/root/etc/shadow", "esc": "\x1b[2J\x1b]0;pwned\x07", "bad": "\xff\xfe", "nl": "a\nb",
		"long": strings.Repeat("l", 4000), "absolute": "/tmp/../etc/passwd", "climb": "dot/dot/up/up/up/etc/passwd",
	} {
		if err := os.Symlink(target, at("link-"+name)); err != nil {
			return err
		}
	}
	return nil
}

func special(at func(string) string) error {
	if err := syscall.Mkfifo(at("fifo"), 0o644); err != nil {
		return err
	}
	for name, dev := range map[string]uint64{"null": unix.Mkdev(1, 3), "disk\x1b[7m": unix.Mkdev(8, 0)} {
		mode := uint32(syscall.S_IFCHR)
		if strings.HasPrefix(name, "disk") {
			mode = syscall.S_IFBLK
		}
		err := syscall.Mknod(at("dev-"+name), mode|0o666, int(dev))
		if err != nil && !errors.Is(err, syscall.EPERM) {
			return fmt.Errorf("mknod: %w", err)
		}
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return syscall.Bind(fd, &syscall.SockaddrUnix{Name: at("socket\x1b[8m")})
}

func sparse(at func(string) string) error {
	f, err := os.Create(at("sparse"))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("middle"), 25<<30); err != nil {
		return err
	}
	return f.Truncate(50 << 30)
}

func marked(at func(string) string) error {
	for name, mode := range map[string]uint32{"setuid": 0o4755, "setgid": 0o2755, "nobody": 0} {
		if err := os.WriteFile(at(name), []byte("#!/bin/sh\n"), 0o600); err != nil {
			return err
		}
		if err := syscall.Chmod(at(name), mode); err != nil {
			return err
		}
	}
	err := unix.Setxattr(at("setuid"), "user.evil\x1b[31m", []byte("value\x1b[2J\n\xff"), 0)
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("setxattr: %w", err)
	}
	return os.Chown(at("nobody"), 65534, 4000000000)
}

func crowd(at func(string) string) error {
	if err := os.Mkdir(at("crowd"), 0o755); err != nil {
		return err
	}
	for i := range 20_000 {
		f, err := os.Create(filepath.Join(at("crowd"), fmt.Sprintf("%05d", i)))
		if err != nil {
			return err
		}
		f.Close()
	}
	return nil
}

// shout runs a process whose name and arguments are hostile too.
func shout(at func(string) string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program := at("esc\x1b[1m\nexe")
	data, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(program, data, 0o755)
	}
	if err != nil {
		return err
	}
	_, err = os.StartProcess(program, []string{"\x1b]0;pwned\x07\n", "fuse"}, &os.ProcAttr{Env: []string{"EVIL=\x1b[2J\xff"}, Dir: at("dirs/esc\x1b[31mred")})
	return err
}
