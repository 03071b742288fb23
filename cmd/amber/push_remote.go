package main

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"amber/evidence/remote"
	"amber/evidence/remote/aws"
	"amber/evidence/remote/registry"
	"amber/evidence/remote/s3"
	"amber/evidence/safetext"
)

// remoteFlags say how storage is reached.
func remoteFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "endpoint", Usage: "`URL` of the S3 storage (default: $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL, or AWS)"},
		&cli.StringFlag{Name: "region", Usage: "`REGION` of the bucket (default: $AWS_REGION, ~/.aws/config, or us-east-1)"},
		&cli.BoolFlag{Name: "plain-http", Usage: "speak without TLS to a host that is not this one"},
		&cli.IntFlag{Name: "parallel", Value: 4, Usage: "move `N` blobs at once"},
		&cli.IntFlag{Name: "tries", Value: remote.DefaultTries, Usage: "try `N` times, with longer and longer pauses, what may go well the next time"},
	}
}

func moveOptions(c *cli.Context) remote.Options {
	return remote.Options{Parallel: c.Int("parallel"), ReadBack: c.Bool("read-back"), Retry: remote.Retry{Tries: max(c.Int("tries"), 1)}}
}

// openS3 gives a client of the bucket. Nothing is sent yet.
func openS3(c *cli.Context, a remote.Address, lock s3.Lock) (*s3.Client, error) {
	endpoint := c.String("endpoint")
	for _, name := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
		if endpoint == "" {
			endpoint = os.Getenv(name)
		}
	}
	if u, err := url.Parse(endpoint); err == nil && u.Scheme == "http" && !remote.Loopback(u.Host) && !c.Bool("plain-http") {
		return nil, usagef("%s has no TLS: whoever is between reads the evidence; --plain-http allows it", u.Redacted())
	}
	credentials, err := aws.Find(c.Context)
	if err != nil {
		return nil, err
	}
	region := c.String("region")
	if region == "" {
		region = aws.Region()
	}
	return s3.New(s3.Config{
		Endpoint: endpoint, Region: region, Bucket: a.Name, Prefix: a.Prefix, Credentials: credentials,
		HTTP: remote.NewHTTPClient(c.Int("parallel")), Lock: lock,
	})
}

// openRegistry gives a client of the repository. Nothing is sent yet.
func openRegistry(c *cli.Context, a remote.Address) (*registry.Client, error) {
	login, err := registry.FindLogin(c.Context, a.Host)
	if err != nil {
		return nil, err
	}
	return registry.New(registry.Config{
		Host: a.Host, Repository: a.Name, PlainHTTP: c.Bool("plain-http") || remote.Loopback(a.Host), Login: login,
		HTTP: remote.NewHTTPClient(c.Int("parallel")),
	}), nil
}

// lockWanted reads --retain, --lock and --legal-hold.
func lockWanted(c *cli.Context, now time.Time) (s3.Lock, error) {
	l := s3.Lock{Hold: c.Bool("legal-hold")}
	text := c.String("retain")
	if text == "" {
		return l, nil
	}
	if l.Mode = strings.ToUpper(c.String("lock")); l.Mode != s3.Governance && l.Mode != s3.Compliance {
		return l, usagef("--lock %s: want governance or compliance", c.String("lock"))
	}
	var err error
	if l.Until, err = retainUntil(text, now); err != nil || !l.Until.After(now) {
		return l, usagef("--retain %s: want 90d, 7y or a date to come such as 2031-01-31", text)
	}
	return l, nil
}

func retainUntil(text string, now time.Time) (time.Time, error) {
	number, unit := text[:len(text)-1], text[len(text)-1]
	if n, err := strconv.Atoi(number); err == nil && n > 0 && n < 100_000 {
		switch unit {
		case 'd':
			return now.AddDate(0, 0, n).UTC().Truncate(time.Second), nil
		case 'y':
			return now.AddDate(min(n, 1000), 0, 0).UTC().Truncate(time.Second), nil
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Parse(time.DateOnly, text)
}

// remoteError gives the exit code: what is not what it should be has not
// verified.
func remoteError(err error) error {
	if err != nil && remote.Failed(err) {
		return outcome{exitVerify, err.Error()}
	}
	return err
}

// moving shows how far bytes have come, on a terminal only.
type moving struct {
	done  atomic.Int64
	end   chan struct{}
	ended chan struct{}
}

func showMoving(what string, total int64) *moving {
	m := &moving{end: make(chan struct{}), ended: make(chan struct{})}
	if !isTerminal(os.Stderr) {
		close(m.ended)
		return m
	}
	bar := progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription(what), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
	go func() {
		defer close(m.ended)
		for {
			_ = bar.Set64(min(m.done.Load(), max(total, 1)))
			select {
			case <-m.end:
				_ = bar.Clear()
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return m
}

func (m *moving) stop() {
	close(m.end)
	<-m.ended
}

// note tells of a pause before the next try.
func (m *moving) note(why string) { fmt.Fprintln(os.Stderr, "amber: "+safetext.Line(why)) }
