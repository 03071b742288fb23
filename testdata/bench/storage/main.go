// Storage measures amber evidence push beside plain uploads of the same files by
// minio-go, to one MinIO on loopback, by turns. It is a module of its own: amber
// links no client library (docs/decisions/remote.md).
//
//	storage [-amber FILE] [-minio FILE] [-dir DIR] [-segments N] [-rounds N]
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	key, secret = "amber-bench", "only for a bench"
	segment     = 64 << 20
	parallel    = 4
	bundle      = "20261122T000000Z-bench-abcdef"
)

func main() {
	amber := flag.String("amber", "../../../bin/amber", "the binary to measure")
	server := flag.String("minio", "", "MinIO's binary (default: the testbed's)")
	dir := flag.String("dir", os.TempDir(), "where everything is put, and removed again")
	segments := flag.Int("segments", 16, "segments of 64 MiB in the bundle")
	rounds := flag.Int("rounds", 5, "of each")
	flag.Parse()
	if err := run(*amber, *server, *dir, *segments, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "storage:", err)
		os.Exit(1)
	}
}

type bench struct {
	amber, dir, host string
	files            []string
	client           *minio.Client
}

func run(amber, server, parent string, segments, rounds int) (err error) {
	b := &bench{}
	if b.amber, err = filepath.Abs(amber); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(parent, "amber-bench-storage-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	stop, err := b.start(server)
	if err != nil {
		return err
	}
	defer stop()
	if err := b.makeCase(segments); err != nil {
		return err
	}
	var ours, plain []time.Duration
	for i := range rounds {
		bucket := fmt.Sprintf("round-%d", i)
		a, p, err := b.round(bucket, i%2 == 0)
		if err != nil {
			return err
		}
		ours, plain = append(ours, a), append(plain, p)
		fmt.Fprintf(os.Stderr, "round %d: amber %.2f s, minio-go %.2f s\n", i+1, a.Seconds(), p.Seconds())
	}
	slices.Sort(ours)
	slices.Sort(plain)
	a, p := ours[len(ours)/2], plain[len(plain)/2]
	bytes := float64(segments) * segment / 1e6
	ratio := p.Seconds() / a.Seconds()
	met := "met"
	if ratio < 0.8 {
		met = "NOT MET"
	}
	fmt.Printf("push of %.0f MB in %d blobs to MinIO on loopback, median of %d by turns, %d at once:\n", bytes, segments, rounds, parallel)
	fmt.Printf("  amber evidence push   %6.2f s  %4.0f MB/s  (each byte hashed on its way, each blob asked for afterwards)\n", a.Seconds(), bytes/a.Seconds())
	fmt.Printf("  minio-go FPutObject   %6.2f s  %4.0f MB/s\n", p.Seconds(), bytes/p.Seconds())
	fmt.Printf("  ratio                 %6.2f    (target: 0.80 or more, %s)\n", ratio, met)
	return nil
}

// start brings MinIO up.
func (b *bench) start(server string) (stop func(), err error) {
	if server == "" {
		cache := os.Getenv("AMBER_TESTBED_CACHE")
		if cache == "" {
			cache = filepath.Join(os.Getenv("HOME"), ".cache", "amber-testbed")
		}
		found, _ := filepath.Glob(filepath.Join(cache, "minio-*", "bin", "minio"))
		if len(found) == 0 {
			return nil, errors.New("no MinIO in the cache: testdata/testbed/fetch.sh minio")
		}
		server = found[len(found)-1]
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b.host = l.Addr().String()
	_ = l.Close()
	cmd := exec.Command(server, "server", "--quiet", "--anonymous", "--address", b.host, filepath.Join(b.dir, "data"))
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+key, "MINIO_ROOT_PASSWORD="+secret, "MINIO_BROWSER=off", "MINIO_UPDATE=off")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	b.client, err = minio.New(b.host, &minio.Options{Creds: credentials.NewStaticV4(key, secret, "")})
	for end := time.Now().Add(time.Minute); err == nil; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get("http://" + b.host + "/minio/health/cluster"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return stop, nil
			}
		}
		if time.Now().After(end) {
			err = errors.New("MinIO does not come up")
		}
	}
	stop()
	return nil, err
}

// makeCase makes a case with what is to push the same as a bundle: segments of
// random bytes, and SHA256SUMS.
func (b *bench) makeCase(segments int) error {
	dir := filepath.Join(b.dir, "case", "evidence", bundle)
	if out, err := b.command("case", "new", filepath.Join(b.dir, "case")).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o700); err != nil {
		return err
	}
	var sums []string
	data := make([]byte, segment)
	for range segments {
		if _, err := rand.Read(data); err != nil {
			return err
		}
		name := fmt.Sprintf("%x", sha256.Sum256(data))
		path := filepath.Join(dir, "blobs", "sha256", name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
		b.files = append(b.files, path)
		sums = append(sums, name+"  blobs/sha256/"+name+"\n")
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(strings.Join(sums, "")), 0o600)
}

func (b *bench) command(args ...string) *exec.Cmd {
	cmd := exec.Command(b.amber, args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+secret, "AWS_ENDPOINT_URL=http://"+b.host, "HOME="+b.dir, "AMBER_KEY=", "AMBER_KEY_PASSPHRASE=x")
	return cmd
}

// round measures both once, in an order that changes, and empties the bucket.
func (b *bench) round(bucket string, first bool) (ours, plain time.Duration, err error) {
	ctx := context.Background()
	if err := b.client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}); err != nil {
		return 0, 0, err
	}
	for _, amber := range []bool{first, !first} {
		begun := time.Now()
		if amber {
			out, err := b.command("evidence", "push", "--case", filepath.Join(b.dir, "case"), "--parallel", fmt.Sprint(parallel), "s3://"+bucket+"/amber", bundle).CombinedOutput()
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 3 { // the inventory is not signed
				err = nil
			}
			if err != nil {
				return 0, 0, fmt.Errorf("%w: %s", err, out)
			}
			ours = time.Since(begun)
		} else {
			if err := b.plain(ctx, bucket); err != nil {
				return 0, 0, err
			}
			plain = time.Since(begun)
		}
		if err := b.empty(ctx, bucket); err != nil {
			return 0, 0, err
		}
	}
	return ours, plain, nil
}

// plain uploads the files as the library does by itself.
func (b *bench) plain(ctx context.Context, bucket string) error {
	var wg sync.WaitGroup
	next := make(chan string)
	errs := make(chan error, len(b.files))
	for range parallel {
		wg.Go(func() {
			for f := range next {
				_, err := b.client.FPutObject(ctx, bucket, "plain/"+filepath.Base(f), f, minio.PutObjectOptions{})
				errs <- err
			}
		})
	}
	for _, f := range b.files {
		next <- f
	}
	close(next)
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

func (b *bench) empty(ctx context.Context, bucket string) error {
	for o := range b.client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			return o.Err
		}
		if o.Key == "" {
			return io.ErrUnexpectedEOF
		}
		if err := b.client.RemoveObject(ctx, bucket, o.Key, minio.RemoveObjectOptions{}); err != nil {
			return err
		}
	}
	return nil
}
