// Package tpmtest runs real software TPMs (swtpm) for tests.
package tpmtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"amber/testdata/testbed"
)

// patience is how long a TPM may take to listen, on a busy machine.
const patience = time.Minute

// TPM is a TPM of one test, which ends with it.
type TPM struct {
	Socket string // where it takes commands, while it is served there

	tb    testing.TB
	dir   string
	flags []string
	cmd   *exec.Cmd
	said  *bytes.Buffer
}

// New makes a TPM 2.0 and serves it at its socket. The test is skipped where
// there is no swtpm.
func New(tb testing.TB) *TPM {
	return start(tb, "--tpm2", "--flags", "not-need-init,startup-clear")
}

// NotStarted is a TPM 2.0 to which nobody gave TPM2_Startup.
func NotStarted(tb testing.TB) *TPM { return start(tb, "--tpm2", "--flags", "not-need-init") }

// Old is a TPM 1.2.
func Old(tb testing.TB) *TPM { return start(tb, "--flags", "not-need-init,startup-clear") }

func start(tb testing.TB, flags ...string) *TPM {
	tb.Helper()
	if err := testbed.Fetch("swtpm"); err != nil {
		tb.Skipf("no swtpm here: %v", err)
	}
	// A socket's path has at most 107 bytes: a test's own folder may be too deep.
	dir, err := os.MkdirTemp("", "tpm")
	if err != nil {
		tb.Fatal(err)
	}
	p := &TPM{Socket: filepath.Join(dir, "tpm.sock"), tb: tb, dir: dir, flags: flags}
	tb.Cleanup(func() {
		p.Stop()
		os.RemoveAll(dir)
	})
	p.Serve()
	return p
}

// Serve gives the TPM power and serves it at Socket; before, it is taken from
// where it was: what was loaded is gone, what it keeps stays.
func (p *TPM) Serve() {
	p.tb.Helper()
	p.run("unix", p.Socket, "--server", "type=unixio,path="+p.Socket)
}

// TCTI is Serve for programs that use the TCG's software stack: on TCP, as
// tcti-swtpm wants it. It gives the name of that place, as in TPM2OPENSSL_TCTI.
func (p *TPM) TCTI() string {
	p.tb.Helper()
	port := freePorts(p.tb)
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	p.run("tcp", at, "--server", fmt.Sprintf("type=tcp,port=%d", port), "--ctrl", fmt.Sprintf("type=tcp,port=%d", port+1))
	return fmt.Sprintf("swtpm:host=127.0.0.1,port=%d", port)
}

// freePorts gives the first of two ports, one after the other, that nobody has.
func freePorts(tb testing.TB) int {
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		port := first.Addr().(*net.TCPAddr).Port
		second, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		first.Close()
		if err == nil {
			second.Close()
			return port
		}
	}
	tb.Fatal("no two free ports in a row")
	return 0
}

func (p *TPM) run(network, at string, args ...string) {
	p.tb.Helper()
	p.Stop()
	p.said = &bytes.Buffer{}
	args = append([]string{"socket", "--tpmstate", "dir=" + p.dir}, append(args, p.flags...)...)
	p.cmd = exec.Command(testbed.SWTPM(), args...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := p.cmd.Start(); err != nil {
		p.tb.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial(network, at)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			p.Stop()
			p.tb.Fatalf("swtpm does not listen at %s: %v\n%s", at, err, p.said)
		}
	}
}

// Stop takes the power away.
func (p *TPM) Stop() {
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Kill()
	p.cmd.Wait() // its error says that it was killed
	p.cmd = nil
	os.Remove(p.Socket)
}
