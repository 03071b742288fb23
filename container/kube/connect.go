// Package kube is amber's adapter for the API of a Kubernetes cluster: the
// containers of its pods, from wherever the API can be reached, and the API's
// own records of a pod. It speaks the API's JSON over client-go's transport
// and not through client-go's typed clients, whose scheme costs milliseconds
// at the start of every command and loses what it does not know.
package kube

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// DefaultTimeout is how long one call may take.
const DefaultTimeout = 15 * time.Second

// ErrNoConfig says that nothing tells how a cluster is reached.
var ErrNoConfig = errors.New("no kubeconfig: neither --kubeconfig, KUBECONFIG, ~/.kube/config, a pod's service account nor a kubelet's kubeconfig is there")

// kubeletConfigs are where a node keeps its kubelet's own kubeconfig.
var kubeletConfigs = []string{"/etc/kubernetes/kubelet.conf", "/var/lib/kubelet/kubeconfig"}

// Options say which cluster, and as whom. The zero value takes what is found:
// KUBECONFIG, ~/.kube/config, the service account of the pod that amber runs
// in, and on a node, as a last resort, the kubelet's identity.
type Options struct {
	Kubeconfig string
	Context    string        // the kubeconfig's current one where empty
	Timeout    time.Duration // of one call; DefaultTimeout where 0
}

// Source is where the connection comes from, and whose identity it is as far
// as that source claims.
type Source struct {
	From      string `json:"from"` // a file's path, or "the pod's service account"
	Context   string `json:"context,omitempty"`
	User      string `json:"user,omitempty"`
	Server    string `json:"server"`
	Namespace string `json:"namespace"` // the default one
	Kubelet   bool   `json:"kubelet,omitempty"`
}

func (s Source) String() string {
	text := s.From
	if s.Context != "" {
		text += fmt.Sprintf(", context %q", s.Context)
	}
	if s.User != "" {
		text += fmt.Sprintf(", user %q", s.User)
	}
	if s.Kubelet {
		text += ": the identity of this node's kubelet, which may read little and change less"
	}
	return text
}

// Cluster is one cluster, seen with the rights of one account. It is a
// container.Runtime and Describer.
type Cluster struct {
	source  Source
	config  *rest.Config
	base    *url.URL
	timeout time.Duration

	once   sync.Once
	client *http.Client
	err    error
}

// New reads the configuration. It makes no connection before the first call.
func New(o Options) (*Cluster, error) {
	config, source, err := load(o)
	if err != nil {
		return nil, err
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("%s: the server's address: %w", source.From, err)
	}
	config.WarningHandler = rest.NoWarnings{}
	config.UserAgent = "amber"
	source.Server = base.String()
	return &Cluster{source: source, config: config, base: base, timeout: cmp.Or(o.Timeout, DefaultTimeout)}, nil
}

// Source tells which configuration was taken.
func (c *Cluster) Source() Source { return c.source }

// connect makes the client; a key or certificate that cannot be read is
// noticed here.
func (c *Cluster) connect() (*http.Client, error) {
	c.once.Do(func() {
		c.client, c.err = rest.HTTPClientFor(c.config)
		if c.err != nil {
			c.err = fmt.Errorf("the Kubernetes API, by %s: %w", c.source.From, c.err)
		}
	})
	return c.client, c.err
}

// Close lets go of idle connections.
func (c *Cluster) Close() error {
	if client, err := c.connect(); err == nil {
		client.CloseIdleConnections()
	}
	return nil
}

func load(o Options) (*rest.Config, Source, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false
	rules.ExplicitPath = o.Kubeconfig
	config, source, err := fromFile(rules, o.Context)
	if err == nil || !clientcmd.IsEmptyConfig(err) || o.Kubeconfig != "" || o.Context != "" {
		return config, source, err
	}
	if named := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); named != "" {
		return nil, Source{}, fmt.Errorf("KUBECONFIG is %s, and there is no configuration: %w", named, err)
	}
	if config, err := rest.InClusterConfig(); err == nil {
		return config, Source{From: "the pod's service account", Namespace: podNamespace()}, nil
	}
	for _, path := range kubeletConfigs {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		config, source, err := fromFile(&clientcmd.ClientConfigLoadingRules{ExplicitPath: path}, "")
		source.Kubelet = true
		return config, source, err
	}
	return nil, Source{}, ErrNoConfig
}

// fromFile reads a kubeconfig, or those of KUBECONFIG merged.
func fromFile(rules *clientcmd.ClientConfigLoadingRules, context string) (*rest.Config, Source, error) {
	raw, err := rules.Load()
	if err != nil {
		return nil, Source{}, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if clientcmdapi.IsConfigEmpty(raw) && rules.ExplicitPath == "" {
		return nil, Source{}, clientcmd.ErrEmptyConfig
	}
	name := cmp.Or(context, raw.CurrentContext)
	source := Source{From: origin(raw, rules, name), Context: name, Namespace: "default"}
	if c := raw.Contexts[name]; c != nil {
		source.User, source.Namespace = c.AuthInfo, cmp.Or(c.Namespace, "default")
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*raw, name, &clientcmd.ConfigOverrides{}, rules).ClientConfig()
	if err != nil {
		return nil, source, fmt.Errorf("the kubeconfig %s, context %q: %w", source.From, name, err)
	}
	return config, source, nil
}

// origin is the file that the context stands in.
func origin(raw *clientcmdapi.Config, rules *clientcmd.ClientConfigLoadingRules, context string) string {
	if c := raw.Contexts[context]; c != nil && c.LocationOfOrigin != "" {
		return c.LocationOfOrigin
	}
	return rules.GetDefaultFilename()
}

func podNamespace() string {
	data, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil || len(data) == 0 || len(data) > 63 {
		return "default"
	}
	return string(data)
}
