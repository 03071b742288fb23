package main

import (
	"cmp"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/evidence/remote"
	"amber/timeline/fetch"
	"amber/timeline/fetch/azure"
	"amber/timeline/fetch/gcp"
	"amber/timeline/fetch/oauth"
)

func fromGCP(c *cli.Context, span fetch.Span) (fetch.Origin, error) {
	endpoint, err := fetchEndpoint(c)
	if err != nil {
		return nil, err
	}
	client := remote.NewHTTPClient(1)
	tokens, err := gcp.FindCredentials(c.Context, client)
	if tokens, err = planWithout(c, tokens, err); err != nil {
		return nil, err
	}
	o := &gcp.Origin{HTTP: client, Tokens: tokens, Endpoint: cmp.Or(endpoint, gcp.Endpoint), Filter: c.String("filter"), Span: span, Pace: gcp.Pace}
	for _, p := range c.StringSlice("project") {
		if !strings.Contains(p, "/") {
			p = "projects/" + p
		}
		o.Resources = append(o.Resources, p)
	}
	return o, nil
}

func fromAzure(c *cli.Context, span fetch.Span) (fetch.Origin, error) {
	endpoint, err := fetchEndpoint(c)
	if err != nil {
		return nil, err
	}
	endpoint = cmp.Or(endpoint, azure.Endpoint)
	ids := c.StringSlice("subscription")
	for _, id := range ids {
		if len(id) != 36 || strings.Trim(strings.ToLower(id), "0123456789abcdef-") != "" {
			return nil, usagef("--subscription %q: want an id such as 00000000-0000-0000-0000-000000000000", id)
		}
	}
	client := remote.NewHTTPClient(1)
	tokens, err := azure.FindCredentials(c.Context, client, endpoint)
	if tokens, err = planWithout(c, tokens, err); err != nil {
		return nil, err
	}
	return &azure.Origin{HTTP: client, Tokens: tokens, Endpoint: endpoint, Subscriptions: ids, Span: span}, nil
}

// planWithout lets a plan be printed where there are no credentials yet.
func planWithout(c *cli.Context, t *oauth.Tokens, err error) (*oauth.Tokens, error) {
	if err != nil && c.Bool("plan") {
		return &oauth.Tokens{From: err.Error()}, nil
	}
	return t, err
}
