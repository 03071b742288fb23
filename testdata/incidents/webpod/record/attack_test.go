//go:build incident

package record

import (
	"testing"
	"time"

	"amber/testdata/testbed"
)

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
