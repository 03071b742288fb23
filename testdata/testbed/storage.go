package testbed

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Storage is a server that keeps blobs, on loopback, in a folder of its own.
type Storage struct {
	Dir    string
	Host   string // "127.0.0.1:PORT"
	Daemon process
	env    []string
	argv   []string
	ready  string // the path that answers when it is up
	log    string
}

// The access key of every MinIO of the testbed.
const (
	MinIOKey    = "amber-testbed"
	MinIOSecret = "only for a test"
)

// StartMinIO starts a MinIO without buckets, which is gone when the test ends.
func StartMinIO(t testing.TB) *Storage { return start(t, UpMinIO) }

// StartRegistry starts distribution's registry, which is gone when the test
// ends.
func StartRegistry(t testing.TB) *Storage { return start(t, UpRegistry) }

func start(t testing.TB, up func(dir string) (*Storage, error)) *Storage {
	t.Helper()
	s, err := up(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Down(); err != nil {
			t.Errorf("taking the storage down: %v", err)
		}
	})
	return s
}

// UpMinIO starts a MinIO in a folder.
func UpMinIO(dir string) (*Storage, error) {
	if err := Fetch("minio"); err != nil {
		return nil, err
	}
	host, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Storage{
		Dir: dir, Host: host, ready: "/minio/health/cluster", log: filepath.Join(dir, "minio.log"),
		env:  append(os.Environ(), "MINIO_ROOT_USER="+MinIOKey, "MINIO_ROOT_PASSWORD="+MinIOSecret, "MINIO_BROWSER=off", "MINIO_UPDATE=off", "HOME="+dir),
		argv: []string{filepath.Join(binDir(minioDir), "minio"), "server", "--quiet", "--anonymous", "--address", host, filepath.Join(dir, "data")},
	}
	return s, s.Up()
}

// UpRegistry starts a registry in a folder.
func UpRegistry(dir string) (*Storage, error) {
	if err := Fetch("registry"); err != nil {
		return nil, err
	}
	host, err := freePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: %s\n  delete:\n    enabled: true\nhttp:\n  addr: %s\n", filepath.Join(dir, "data"), host)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	s := &Storage{
		Dir: dir, Host: host, ready: "/v2/", log: filepath.Join(dir, "registry.log"), env: os.Environ(),
		argv: []string{filepath.Join(binDir(registryDir), "registry"), "serve", config},
	}
	return s, s.Up()
}

// Up starts it, again where it was taken down, at the same address.
func (s *Storage) Up() (err error) {
	if s.Daemon, err = spawn(s.log, s.env, s.argv...); err != nil {
		return err
	}
	client := http.Client{Timeout: time.Second}
	up := waitFor(60*time.Second, func() bool {
		resp, err := client.Get("http://" + s.Host + s.ready)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK || !s.Daemon.alive()
	})
	if !up || !s.Daemon.alive() {
		log, _ := os.ReadFile(s.log)
		return errors.Join(fmt.Errorf("%s does not come up: %s", s.argv[0], log), s.Down())
	}
	return nil
}

// Down ends it. What it keeps stays in its folder.
func (s *Storage) Down() error { return s.Daemon.stop() }

// Kill ends it at once.
func (s *Storage) Kill() error { return s.Daemon.kill() }

// freePort finds an address that nobody listens at just now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return "127.0.0.1:" + strconv.Itoa(port), l.Close()
}
