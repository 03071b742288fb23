// Fetcher asks LookupEvents of a fake server: fetcher CASE URL SINCE UNTIL.
// It is built with the tag "fault", to be killed anywhere.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"amber/evidence/remote/aws"
	"amber/timeline/fetch"
	fetchaws "amber/timeline/fetch/aws"
)

func main() {
	if err := run(os.Args[1], os.Args[2], fetch.Request{Origin: "aws", Since: os.Args[3], Until: os.Args[4]}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir, server string, r fetch.Request) error {
	span, err := r.Span(time.Now())
	if err != nil {
		return err
	}
	o := &fetchaws.Lookup{HTTP: http.DefaultClient, Credentials: aws.Credentials{Key: "AKIDFAKE", Secret: "secret"}, Endpoint: server, Regions: []string{"eu-central-1"}, Span: span}
	f, found, err := fetch.Find(dir, r)
	if err == nil && !found {
		f, err = fetch.Create(dir, r, span, o.Plan(), time.Now())
	}
	if err != nil {
		return err
	}
	_, err = f.Run(context.Background(), o, fetch.Options{})
	return err
}
