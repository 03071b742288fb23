package bundle

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"amber/evidence"
	"amber/evidence/custody"
	"amber/evidence/record"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

var read = at("2026-11-22T06:02:14.5Z")

// member is one object of a bundle that a test makes.
type member struct {
	m    record.Member
	body []byte
}

func file(path string, body []byte) member {
	return member{record.Member{Path: path, Type: record.File, Mode: 0o644, Links: 1, Size: int64(len(body)), ReadAt: read}, body}
}

func lines(list ...any) []byte {
	var b bytes.Buffer
	for _, v := range list {
		switch v := v.(type) {
		case string:
			b.WriteString(v + "\n")
		case *record.Drift:
			b.Write(append(v.AppendJSON(nil), '\n'))
		default:
			text, err := json.Marshal(v)
			if err != nil {
				panic(err)
			}
			b.Write(append(text, '\n'))
		}
	}
	return b.Bytes()
}

func packed(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// write makes a real bundle of what each payload is given.
func write(t testing.TB, payloads map[string][]member, misses ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "e1")
	w, err := evidence.Create(dir, "e1", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"network", "process", "filesystem", "logs", "metadata"} {
		p, err := w.Payload(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range payloads[name] {
			m := o.m
			if err := p.Add(&m, bytes.NewReader(o.body)); err != nil {
				t.Fatal(err)
			}
		}
		if name == "logs" {
			for _, path := range misses {
				if err := p.Miss(path, errors.New("gone")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Seal(sampleAcquisition(), nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func sampleAcquisition() *record.Acquisition {
	return &record.Acquisition{
		Format: "1", Evidence: "e1", Tool: custody.Tool{Name: "amber", Version: "1"}, Argv: []string{"amber", "respond", "shop"},
		Actor:  custody.Actor{User: "root", Login: "ana"},
		Host:   record.Host{Name: "node-1", BootID: "b00t"},
		Target: json.RawMessage(`{"runtime":"containerd","id":"abc","name":"shop","image":{"ref":"amber.test/shop:1.4","digest":"sha256:00"},"pod":{"namespace":"prod","name":"shop-0","uid":"u1","container":"web"}}`),
		Start:  at("2026-11-22T06:02:14Z"), End: at("2026-11-22T06:02:16Z"),
		Frozen: &record.Frozen{From: at("2026-11-22T06:02:13.5Z"), How: "runtime", Before: "running"},
		Steps: []record.Step{
			{Name: "network", Start: at("2026-11-22T06:02:14.1Z"), End: at("2026-11-22T06:02:14.2Z"), Members: 3},
			{Name: "process", Start: at("2026-11-22T06:02:14.2Z"), End: at("2026-11-22T06:02:14.3Z"), Error: "no /proc"},
		},
		Alters: []string{"froze it"},
	}
}

// sample is one of everything that is read, and of what goes wrong.
func sample() map[string][]member {
	uid, login := uint32(33), uint32(1000)
	dropped := file("filesystem/upper/tmp/drop\xff\n", []byte("#!/bin/sh\n"))
	dropped.m.Mtime, dropped.m.Atime = at("2026-11-22T06:00:00.000000001Z"), at("2026-11-22T06:00:01Z")
	dir := member{m: record.Member{Path: "filesystem/upper/tmp", Type: record.Dir, Mode: 0o1777, Links: 2, ReadAt: read, Mtime: at("2026-11-22T06:00:00Z"), Ctime: at("2026-11-22T06:00:00Z")}}
	odd := file("filesystem/volumes/1/odd", []byte("x"))
	odd.m.Mtime, odd.m.Ctime, odd.m.Btime = time.Unix(1<<40, 5).UTC(), at("1601-01-01T00:00:00Z"), at("9999-12-31T23:59:59.999999999Z")
	log := file("logs/var/log/pods/shop/0.log", lines("2026-11-22T06:00:02.123456789Z stdout F hello", "2026-11-22T06:00:03Z stderr P half", `2026-11-22T06:00:04Z stdout F 203.0.113.9 - - [01/Jan/2020:00:00:00 +0000] "GET /.git/config HTTP/1.1" 404 0 "-" "curl/8.14.1"`, "no line of a log", "", "2026-13-22T06:00:03Z stdout F bad"))
	log.m.Mtime = at("2026-11-22T06:00:03Z")
	return map[string][]member{
		"network": {
			file("network/sockets.jsonl", lines(
				record.NetSocket{Family: "inet", Type: "stream", Protocol: "tcp", State: "established", Local: "10.0.0.5", LocalPort: 40000, Remote: "198.51.100.7", RemotePort: 443, Inode: 9, UID: &uid, TCP: &record.TCP{LastSentMS: 1500, BytesSent: 10, LastReceivedMS: 250, BytesReceived: 20}, Owners: []record.Owner{{PID: 42, FD: 3, Comm: "nc"}, {PID: 43, FD: 3, Comm: "sh"}}},
				record.NetSocket{Family: "inet6", Type: "stream", Protocol: "tcp", State: "listen", Local: "::", LocalPort: 4444},
				record.NetSocket{Family: "unix", Type: "stream", State: "unconnected", Path: "@x\xff"},
			)),
			file("network/conntrack.jsonl", lines(
				record.Flow{Family: "inet", Protocol: "udp", Original: record.Tuple{Source: "10.0.0.5", SourcePort: 1, Destination: "192.0.2.1", DestinationPort: 53, Bytes: 7}, Reply: record.Tuple{Source: "10.96.0.10"}, StartNS: 1795327200000000005},
				record.Flow{Family: "inet", Protocol: "tcp", Original: record.Tuple{Source: "10.0.0.5", Destination: "192.0.2.1"}, Reply: record.Tuple{Source: "192.0.2.1"}, State: "established"},
			)),
		},
		"process": {file("process/processes.jsonl", lines(
			record.Process{PID: 42, PPID: 1, Start: at("2026-11-22T05:59:59.12Z"), StartTicks: 77, BootID: "b00t", Comm: "nc", Args: []record.Text{"nc", "-e", "/bin/sh"}, Exe: &record.Executable{Link: "/tmp/nc (deleted)", SHA256: "ab", Deleted: true}, Cwd: "/tmp", UIDs: &record.IDs{Real: 33}, LoginUID: &login, Capabilities: &record.CapabilitySets{Effective: []string{"CAP_NET_RAW"}}, Lies: []string{"its name is not its program's"}, Read: read},
			record.Process{PID: 43, Comm: "x", Read: read},
			record.Process{PID: 44, Comm: "y"},
			"{broken",
		))},
		"filesystem": {
			dir, dropped, odd,
			{m: record.Member{Path: "filesystem/mounts/none", Type: record.Dir, Mode: 0o755, ReadAt: read}},
			file("filesystem/drift.jsonl", lines(
				&record.Drift{Path: "/tmp/drop\xff\n", Change: record.Added, Type: record.File, Mode: 0o755, UID: 33, Size: 10, Mtime: at("2026-11-22T06:00:00.000000001Z"), Atime: at("2026-11-22T06:00:01Z"), Btime: at("2026-11-22T05:59:59Z"), SHA256: "", Member: "filesystem/upper/tmp/drop\xff\n", Xattrs: []record.Xattr{{Name: "user.x", Value: []byte("1")}}, Notes: []string{"grew"}},
				&record.Drift{Path: "/etc/passwd", Change: record.Changed, Type: record.File, Mode: 0o644, Size: 5, Ctime: at("2026-11-22T06:00:04Z"), Was: &record.Was{Type: record.File, Mode: 0o600, Mtime: at("2020-01-01T00:00:00Z"), Layer: 1}},
				&record.Drift{Path: "/var/log/auth.log", Change: record.Deleted, Type: record.File, Mtime: at("2026-11-22T06:00:05Z")},
				&record.Drift{Path: "/gone", Change: record.Deleted, Type: record.File},
				`{"change":"lost","path":"/x"}`,
			)),
		},
		"logs": {log, file("logs/var/lib/docker/abc-json.log.1", packed(lines(
			`{"log":"one\n","stream":"stdout","time":"2026-11-22T06:00:06.5Z"}`, `{"log":"two","stream":"stderr","time":"2026-11-22T06:00:07Z","attrs":{"a":1}}`,
		)))},
		"metadata": {
			file("metadata/container.json", []byte(`{"created":"2026-11-22T05:59:00Z","started":"2026-11-22T05:59:01Z","state":"paused"}`)),
			file("metadata/runtime/image/config.json", []byte(`{"created":"2026-01-02T03:04:05Z","author":"ci","history":[{"created":"2026-01-01T00:00:00Z","created_by":"COPY x /","comment":"buildkit"},{"created_by":"no time"},{"created":"2026-01-02T03:04:05Z","created_by":"CMD [\"sh\"]","empty_layer":true}]}`)),
			file("metadata/runtime/runtime/container.json", []byte(`{"State":{"FinishedAt":"2026-11-22T05:00:00Z","ExitCode":137,"OOMKilled":true},"RestartCount":2}`)),
			file("metadata/host.json", []byte(`{}`)),
		},
	}
}
