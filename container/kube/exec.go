package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
)

// Exec is a program to run in a container of a pod, and its streams; one that
// is nil is not connected. There is no terminal.
type Exec struct {
	Namespace, Pod, Container string
	Argv                      []string

	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Exec runs a program to its end and gives its exit code. It speaks WebSocket,
// and SPDY where the API server or a proxy before it knows no better. When ctx
// ends, so does the connection; what becomes of the program then is the
// runtime's to say.
func (c *Cluster) Exec(ctx context.Context, e Exec) (code int, err error) {
	o := pods(e.Namespace, e.Pod)
	o.Sub = "exec"
	if err := o.plain(); err != nil {
		return -1, err
	}
	x, err := executor(c.config, c.execURL(o, e))
	if err != nil {
		return -1, fmt.Errorf("preparing to run amber in %s: %w", o, err)
	}
	err = x.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: e.Stdin, Stdout: e.Stdout, Stderr: e.Stderr})
	var exit utilexec.CodeExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit):
		return exit.Code, nil
	case ctx.Err() != nil:
		return -1, ctx.Err()
	}
	return -1, refused(Request{Method: http.MethodPost, Object: o}, fmt.Errorf("running a program in the pod %s/%s: %w", e.Namespace, e.Pod, err))
}

func (c *Cluster) execURL(o Object, e Exec) string {
	u := c.base.JoinPath(o.path())
	u.RawQuery = url.Values{
		"container": {e.Container}, "command": e.Argv,
		"stdin": {fmt.Sprint(e.Stdin != nil)}, "stdout": {fmt.Sprint(e.Stdout != nil)}, "stderr": {fmt.Sprint(e.Stderr != nil)},
	}.Encode()
	return u.String()
}

func executor(config *rest.Config, address string) (remotecommand.Executor, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	ws, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, address)
	if err != nil {
		return nil, err
	}
	spdy, err := remotecommand.NewSPDYExecutor(config, http.MethodPost, u)
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(ws, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}
