package testbed

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Kubectl runs the real kubectl as the admin and returns what it prints on
// standard output; standard error is in the error.
func (k *Kubernetes) Kubectl(ctx context.Context, args ...string) (string, error) {
	return k.kubectl(ctx, "", args...)
}

func (k *Kubernetes) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(binDir(kubernetesDir), "kubectl"), args...)
	var out, stderr bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = k.env(), strings.NewReader(stdin), &out, &stderr
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out.String(), nil
}

// Apply makes the objects of a YAML stream what it says.
func (k *Kubernetes) Apply(t testing.TB, yaml string) {
	t.Helper()
	if err := k.apply(yaml); err != nil {
		t.Fatal(err)
	}
}

func (k *Kubernetes) apply(yaml string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := k.kubectl(ctx, yaml, "apply", "--filename=-")
	return err
}

// PathError says that the API server or the kubelet refused a request.
type PathError struct {
	Method, Path string
	Status       int // as HTTP has it
	Body         string
}

func (e *PathError) Error() string {
	return fmt.Sprintf("%s %s: status %d: %s", e.Method, e.Path, e.Status, e.Body)
}

// API asks the API server as the admin: API(ctx, "GET", "/api/v1/nodes", nil,
// &out). body is sent as JSON where it is not nil, and the answer decoded into
// out where that is not nil. An answer of status 400 and above is a *PathError.
func (k *Kubernetes) API(ctx context.Context, method, path string, body, out any) error {
	data, err := k.ask(ctx, method, k.Server+path, body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(data, out)
}

// Kubelet asks the kubelet itself as the admin, and returns what it answers.
func (k *Kubernetes) Kubelet(ctx context.Context, method, path string) ([]byte, error) {
	return k.ask(ctx, method, k.KubeletURL+path, nil)
}

func (k *Kubernetes) ask(ctx context.Context, method, url string, body any) ([]byte, error) {
	var send io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		send = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, send)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	client, err := k.client()
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 400 {
		err = &PathError{method, req.URL.Path, resp.StatusCode, string(data)}
	}
	return data, err
}

func (k *Kubernetes) adminClient() (*http.Client, error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(k.pki(), "admin.crt"), filepath.Join(k.pki(), "admin.key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(k.pki(), "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}},
		IdleConnTimeout: 10 * time.Second,
	}}, nil
}

// errEnded ends waiting: a daemon that is needed has ended.
var errEnded = errors.New("has ended")

// until polls until what it asks for is so, and says what was wrong last.
func until(limit time.Duration, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, errEnded) {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// waitAPI waits until the API server serves.
func (k *Kubernetes) waitAPI() error {
	return until(patience, "waiting for the API server", func(ctx context.Context) error {
		for _, name := range []string{"etcd", "kube-apiserver"} {
			if !k.Daemons[name].Process.alive() {
				return fmt.Errorf("%s %w:\n%s", name, errEnded, k.log(name))
			}
		}
		return k.API(ctx, "GET", "/readyz", nil, nil)
	})
}

// waitUp waits until the node takes pods and pods can be made.
func (k *Kubernetes) waitUp() error {
	return until(patience, "waiting for the node", func(ctx context.Context) error {
		if !k.Daemons["kubelet"].Process.alive() {
			return fmt.Errorf("kubelet %w:\n%s", errEnded, k.log("kubelet"))
		}
		if err := k.API(ctx, "GET", "/api/v1/namespaces/default/serviceaccounts/default", nil, nil); err != nil {
			return err
		}
		return k.nodeReady(ctx)
	})
}

func (k *Kubernetes) nodeReady(ctx context.Context) error {
	var node struct {
		Spec   struct{ Taints []struct{ Key string } }
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := k.API(ctx, "GET", "/api/v1/nodes/"+k.NodeName, nil, &node); err != nil {
		return err
	}
	for _, t := range node.Spec.Taints {
		if strings.HasPrefix(t.Key, "node.kubernetes.io/not-ready") {
			return errors.New("the node is still tainted")
		}
	}
	for _, c := range node.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return nil
		}
	}
	return fmt.Errorf("the node is not Ready: %+v", node.Status.Conditions)
}
