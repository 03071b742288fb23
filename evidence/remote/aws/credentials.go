// Package aws finds the credentials of Amazon Web Services where AWS's own tools
// find them, and signs requests with them (Signature Version 4).
package aws

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Credentials are an access key. They are found where the AWS tools find them,
// and never on a command line.
type Credentials struct {
	Key, Secret, Token string
	From               string // where they were found, for people
}

// ErrNoCredentials says that there are none.
var ErrNoCredentials = errors.New("no credentials for AWS: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or have a profile in ~/.aws (AWS_PROFILE names it)")

// maxShared bounds what is read of a shared file.
const maxShared = 1 << 20

// Find looks where the AWS tools look, in their order: the
// environment, the profile AWS_PROFILE (or "default") of the shared files, and
// what the place gives that this runs in. It asks AWS's services where what it
// finds there is not a key yet; a key that lasts for a while is not renewed.
func Find(ctx context.Context) (Credentials, error) {
	c := Credentials{os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"), "environment"}
	if c.Key != "" && c.Secret != "" {
		return c, nil
	}
	if c.Key != "" || c.Secret != "" {
		return Credentials{}, errors.New("only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set")
	}
	f := finder{newClient(), Region()}
	if file, role := os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), os.Getenv("AWS_ROLE_ARN"); file != "" && role != "" {
		return f.webIdentity(ctx, role, os.Getenv("AWS_ROLE_SESSION_NAME"), file)
	}
	return f.byProfile(ctx, profileName(), nil)
}

func profileName() string {
	if name := os.Getenv("AWS_PROFILE"); name != "" {
		return name
	}
	return "default"
}

// DefaultRegion is where nothing names one.
const DefaultRegion = "us-east-1"

// Region is AWS_REGION, AWS_DEFAULT_REGION, or what the shared files say;
// else us-east-1.
func Region() string {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if r := os.Getenv(name); r != "" {
			return r
		}
	}
	if p, err := profile(profileName()); err == nil && p["region"] != "" {
		return p["region"]
	}
	return DefaultRegion
}

func sharedFile(variable, name string) string {
	if path := os.Getenv(variable); path != "" {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".aws", name)
}

// profile is what both shared files say of a profile; where both say something
// the file for credentials has it. No file is an empty one.
func profile(name string) (map[string]string, error) {
	sections := []string{name, "profile " + name}
	p, err := section(sharedFile("AWS_CONFIG_FILE", "config"), sections...)
	if err != nil {
		return nil, err
	}
	keys, err := section(sharedFile("AWS_SHARED_CREDENTIALS_FILE", "credentials"), sections...)
	maps.Copy(p, keys)
	return p, err
}

// section reads what a shared file has below one of the headings.
func section(file string, headings ...string) (map[string]string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) || file == "" {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the shared credentials: %w", err)
	}
	defer f.Close()
	found, err := parseSection(io.LimitReader(f, maxShared), headings)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return found, nil
}

// parseSection reads [heading] of an INI file.
func parseSection(r io.Reader, headings []string) (map[string]string, error) {
	found := map[string]string{}
	inside := false
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if heading, ok := strings.CutPrefix(line, "["); ok {
			heading, _, _ = strings.Cut(heading, "]")
			inside = slices.Contains(headings, strings.Join(strings.Fields(heading), " "))
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if inside && ok && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") {
			found[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	return found, lines.Err()
}
