package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"amber/container/kube"
	"amber/evidence/durable"
)

// agentProgram is where an agent's image has amber.
const agentProgram = "/amber"

// defaultNodeDir is where a node keeps what is amber's.
const defaultNodeDir = "/var/lib/amber"

// onNodeCommand is what runs in an agent.
func onNodeCommand() *cli.Command {
	return &cli.Command{
		Name: "on-node", Hidden: true,
		Subcommands: []*cli.Command{
			{Name: "stand-by", Action: func(c *cli.Context) error { <-c.Context.Done(); return nil }},
			{Name: "run", Action: func(*cli.Context) error { return runOnNode(os.Stdin) }},
		},
	}
}

// runOnNode becomes the amber that was asked for, in the node's own root: from
// a copy on the node, since what that leaves behind outlives the agent.
func runOnNode(in io.Reader) error {
	q, line, err := readRequest(in)
	if err != nil {
		return err
	}
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("opening amber: %w", err)
	}
	defer exe.Close()
	if err := syscall.Chroot(kube.AgentHost); err != nil {
		return fmt.Errorf("entering the node's root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	notFirst()
	program, err := install(exe, q.Dir)
	if err != nil {
		return fmt.Errorf("copying amber to the node: %w", err)
	}
	request, err := inMemory(line)
	if err != nil {
		return err
	}
	err = syscall.Exec(program, append([]string{"amber"}, q.Argv...), nodeEnvironment(q.Dir, request))
	if errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("running %s on the node: %w; is it on a file system mounted noexec? --via-node-dir names another place", program, err)
	}
	return fmt.Errorf("running %s on the node: %w", program, err)
}

func readRequest(in io.Reader) (*nodeRequest, []byte, error) {
	line, err := bufio.NewReader(io.LimitReader(in, maxRequest)).ReadBytes('\n')
	if err != nil {
		return nil, nil, fmt.Errorf("reading the workstation's request: %w", err)
	}
	var q nodeRequest
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, nil, fmt.Errorf("reading the workstation's request: %w", err)
	}
	if !filepath.IsAbs(q.Dir) || filepath.Clean(q.Dir) != q.Dir {
		return nil, nil, fmt.Errorf("%q is no absolute path", q.Dir)
	}
	return &q, line, q.check()
}

// notFirst keeps the kernel from killing amber first where memory is short: a
// pod without requests is the first otherwise. It is not worth an error.
func notFirst() {
	if data, err := os.ReadFile("/proc/self/oom_score_adj"); err == nil && !bytes.HasPrefix(data, []byte("-")) {
		_ = os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0)
	}
}

// install copies amber below dir, under a name that tells its content, where it
// is not there yet.
func install(exe *os.File, dir string) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, exe); err != nil {
		return "", err
	}
	digest := sum.Sum(nil)
	path := filepath.Join(dir, "bin", "amber-"+hex.EncodeToString(digest[:8]))
	if same(path, digest) {
		return path, nil
	}
	if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
		return "", err
	}
	if _, err := exe.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	temporary := path + "." + strconv.Itoa(os.Getpid())
	if err := copyProgram(exe, temporary); err != nil {
		return "", errors.Join(err, os.Remove(temporary))
	}
	return path, durable.Rename(temporary, path)
}

// same reports whether path is a program with that digest.
func same(path string, digest []byte) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	sum := sha256.New()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o100 == 0 {
		return false
	}
	_, err = io.Copy(sum, f)
	return err == nil && bytes.Equal(sum.Sum(nil), digest)
}

func copyProgram(from io.Reader, to string) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Sync(), f.Close())
}

// inMemory gives a descriptor, kept over an exec, that reads data.
func inMemory(data []byte) (int, error) {
	fd, err := unix.MemfdCreate("amber-request", 0)
	if err != nil {
		return -1, fmt.Errorf("keeping the request: %w", err)
	}
	f := os.NewFile(uintptr(fd), "request")
	kept, err := unix.Dup(fd) // f's end closes the other
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return -1, fmt.Errorf("keeping the request: %w", err)
	}
	return kept, nil
}

// nodeEnvironment is all that amber has of one on the node: no key is found
// there, and no kubeconfig but the kubelet's.
func nodeEnvironment(dir string, request int) []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir, "NO_COLOR=1", "LC_ALL=C.UTF-8",
		requestVariable + "=" + strconv.Itoa(request),
	}
	if dir != defaultNodeDir {
		env = append(env, "AMBER_HOLDS="+filepath.Join(dir, "holds"), "AMBER_RUN="+filepath.Join(dir, "run"))
	}
	return env
}
