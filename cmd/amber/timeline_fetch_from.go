package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"amber/container/kube"
	"amber/evidence/remote"
	"amber/evidence/remote/aws"
	"amber/evidence/remote/s3"
	"amber/timeline/fetch"
	fetchaws "amber/timeline/fetch/aws"
	fetchkube "amber/timeline/fetch/kube"
)

// fetchEndpoint is --endpoint, or the first of the variables that is set. One
// without TLS is refused, unless it is this machine's own.
func fetchEndpoint(c *cli.Context, variables ...string) (string, error) {
	endpoint := c.String("endpoint")
	for _, name := range variables {
		if endpoint == "" {
			endpoint = os.Getenv(name)
		}
	}
	if endpoint == "" {
		return "", nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return "", usagef("--endpoint: want a URL such as https://logs.example.com, without credentials")
	}
	if u.Scheme == "http" && !remote.Loopback(u.Host) && !c.Bool("plain-http") {
		return "", usagef("%s has no TLS: whoever is between reads the logs, and the token; --plain-http allows it", u.Redacted())
	}
	return endpoint, nil
}

func fromAWS(c *cli.Context, span fetch.Span) (fetch.Origin, error) {
	credentials, err := aws.Find(c.Context)
	if err != nil && !c.Bool("plan") {
		return nil, err
	}
	if c.String("s3") != "" {
		return fromBucket(c, credentials, span)
	}
	endpoint, err := fetchEndpoint(c, "AWS_ENDPOINT_URL_CLOUDTRAIL", "AWS_ENDPOINT_URL")
	if err != nil {
		return nil, err
	}
	regions := c.StringSlice("region")
	if len(regions) == 0 {
		regions = []string{aws.Region()}
	}
	for _, r := range regions {
		if r == "" || len(r) > 40 || strings.Trim(r, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return nil, usagef("--region %q: want one such as eu-central-1", r)
		}
	}
	return &fetchaws.Lookup{HTTP: remote.NewHTTPClient(1), Credentials: credentials, Endpoint: endpoint, Regions: regions, Span: span, Pace: fetchaws.Pace}, nil
}

func fromBucket(c *cli.Context, credentials aws.Credentials, span fetch.Span) (fetch.Origin, error) {
	address, err := remote.ParseAddress(c.String("s3"))
	if err != nil || address.Kind != remote.S3 {
		return nil, usagef("--s3 %q: want s3://BUCKET/PREFIX", c.String("s3"))
	}
	endpoint, err := fetchEndpoint(c, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	if err != nil {
		return nil, err
	}
	region := aws.Region()
	if list := c.StringSlice("region"); len(list) > 0 {
		region = list[0]
	}
	client, err := s3.New(s3.Config{Endpoint: endpoint, Region: region, Bucket: address.Name, Credentials: credentials, HTTP: remote.NewHTTPClient(1)})
	if err != nil {
		return nil, err
	}
	prefix := address.Prefix
	if prefix != "" {
		prefix += "/"
	}
	return &fetchaws.Bucket{Client: client, Name: "s3://" + address.Name + "/" + prefix, As: credentials.Key, Prefix: prefix, Span: span}, nil
}

func fromKube(c *cli.Context, span fetch.Span) (fetch.Origin, error) {
	cluster, err := kube.New(kube.Options{Kubeconfig: c.String("kubeconfig"), Context: c.String("context")})
	if err != nil {
		return nil, err
	}
	source := cluster.Source()
	return &fetchkube.Origin{
		API: clusterAPI{cluster}, Server: source.Server, As: source.String(), Span: span,
		Namespaces: c.StringSlice("namespace"), Selector: c.String("selector"),
	}, nil
}

// clusterAPI has a cluster's refusals be what fetch knows.
type clusterAPI struct{ cluster *kube.Cluster }

func (a clusterAPI) Open(ctx context.Context, o fetchkube.Object, query url.Values) (io.ReadCloser, error) {
	body, wait, err := a.cluster.Open(ctx, kube.Object(o), query)
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		s := status.Status()
		return nil, &fetch.Refused{Call: "GET " + kube.Object(o).String(), Status: int(s.Code), Code: string(s.Reason), Message: s.Message, Wait: wait}
	}
	return body, err
}
