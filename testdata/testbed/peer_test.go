package testbed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"amber/container/netns"
)

func testNetwork(t *testing.T, k *Kubernetes, web Pod) {
	peer := k.Peer(t)
	server := peer.Echo(t, 0)
	for _, addr := range []netip.Addr{web.Addr4, web.Addr6} {
		at := netip.AddrPortFrom(addr, 8080)
		if err := get(at, net.Dial); err != nil {
			t.Errorf("from the node to %s: %v", at, err)
		}
		if addr.Is6() && !peer.Routed6 {
			continue
		}
		if err := get(at, func(network, _ string) (net.Conn, error) { return peer.Dial(t.Context(), network, at) }); err != nil {
			t.Errorf("from the peer to %s: %v", at, err)
		}
	}
	for _, addr := range []netip.Addr{peer.Addr4, peer.Addr6} {
		conn, err := net.Dial("tcp", netip.AddrPortFrom(addr, uint16(server.Port)).String())
		if err != nil {
			t.Errorf("from the node to the peer: %v", err)
			continue
		}
		conn.Close()
		if addr.Is6() && !peer.Routed6 {
			continue
		}
		out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "sh", "-c",
			fmt.Sprintf("echo over | timeout 5 nc %s %d; ping -c 1 -W 5 %[1]s", addr, server.Port))
		if err != nil || !strings.Contains(out, "over\n") || !strings.Contains(out, "1 packets received") {
			t.Errorf("from a pod to %s: %v\n%s", addr, err, out)
		}
	}
	out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "sh", "-c", "timeout 5 nc -w 5 203.0.113.1 80")
	if err == nil {
		t.Errorf("a pod reaches the world: %s", out)
	}
	if err := reachesAPI(t.Context(), k); err != nil {
		t.Error(err)
	}
}

// get asks for a file by HTTP.
func get(at netip.AddrPort, dial func(network, address string) (net.Conn, error)) error {
	conn, err := dial("tcp", at.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, "GET /hosts HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	got, err := io.ReadAll(conn)
	if err == nil && !bytes.Contains(got, []byte("localhost")) {
		err = fmt.Errorf("it answers %q", got)
	}
	return err
}

// reachesAPI has a pod connect to the Service "kubernetes".
func reachesAPI(ctx context.Context, k *Kubernetes) error {
	out, err := k.Kubectl(ctx, "exec", "shell", "--", "sh", "-c",
		"nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null && echo reached; cat /var/run/secrets/kubernetes.io/serviceaccount/token")
	if err != nil || !strings.HasPrefix(out, "reached\n") || strings.Count(out, ".") != 2 {
		return fmt.Errorf("a pod and the API server: %w\n%s", err, out)
	}
	return nil
}

func testMetadata(t *testing.T, k *Kubernetes) {
	peer := k.MetadataPeer(t)
	server := peer.Echo(t, 80)
	shell := k.WaitReady(t, "default", "shell")
	for _, addr := range []netip.Addr{Metadata4, Metadata6} {
		if addr.Is6() && !peer.Routed6 {
			continue
		}
		out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "sh", "-c",
			fmt.Sprintf("echo secret | timeout 5 nc %s 80", addr))
		if err != nil || out != "secret\n" {
			t.Errorf("%s: %v: %q", addr, err, out)
		}
		if err := datagram(shell.Containers["shell"].PID, netip.AddrPortFrom(addr, 80)); err != nil {
			t.Error(err)
		}
	}
	if server.Connections.Load() == 0 || server.Datagrams.Load() == 0 || !strings.Contains(server.Got(), "secret") {
		t.Errorf("the server got %q", server.Got())
	}
}

// datagram sends one from a process's network namespace and waits for its echo.
func datagram(pid int, to netip.AddrPort) error {
	ns, err := netns.OfOwn(pid, 0)
	if err != nil {
		return err
	}
	defer ns.Close()
	return ns.Do(func() error {
		conn, err := net.Dial("udp", to.String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		buf := make([]byte, 16)
		if _, err = conn.Write([]byte("datagram")); err == nil {
			_, err = conn.Read(buf)
		}
		return err
	})
}

func testDNS(t *testing.T, k *Kubernetes) {
	dns := k.DNS(t)
	out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "nslookup", "-type=a", "kubernetes.default.svc.cluster.local")
	if err != nil || !strings.Contains(out, k.apiAddress().String()) || dns.Queries.Load() == 0 {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "nslookup", "-type=a", "example.org."); err == nil {
		t.Errorf("a name of the world is found:\n%s", out)
	}
}
