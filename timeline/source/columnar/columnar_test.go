package columnar

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/parquet-go/parquet-go"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

// flowRow are columns as AWS names them.
type flowRow struct {
	Version   int32   `parquet:"version,optional"`
	Account   string  `parquet:"account_id,optional"`
	Interface string  `parquet:"interface_id,optional"`
	Source    string  `parquet:"srcaddr,optional"`
	To        string  `parquet:"dstaddr,optional"`
	From      int32   `parquet:"srcport,optional"`
	Port      int32   `parquet:"dstport,optional"`
	Protocol  int32   `parquet:"protocol,optional"`
	Packets   int64   `parquet:"packets,optional"`
	Bytes     int64   `parquet:"bytes,optional"`
	Start     int64   `parquet:"start,optional"`
	End       int64   `parquet:"end,optional"`
	Action    string  `parquet:"action,optional"`
	Status    string  `parquet:"log_status,optional"`
	Region    *string `parquet:"region,optional"`
	Path      int32   `parquet:"traffic_path,optional"`
}

type eventRow struct {
	Metadata struct {
		Product struct {
			Name string `parquet:"name,optional"`
		} `parquet:"product,optional"`
		Version  string   `parquet:"version,optional"`
		UID      string   `parquet:"uid,optional"`
		Profiles []string `parquet:"profiles,list"`
	} `parquet:"metadata"`
	Time     int64             `parquet:"time"`
	TimeText int64             `parquet:"time_dt,timestamp(millisecond)"`
	Class    int32             `parquet:"class_uid"`
	Name     string            `parquet:"class_name,optional"`
	Activity int32             `parquet:"activity_id"`
	Status   *int32            `parquet:"status_id,optional"`
	Unmapped map[string]string `parquet:"unmapped"`
	Actor    *actorRow         `parquet:"actor,optional"`
	API      struct {
		Operation string `parquet:"operation,optional"`
		Service   struct {
			Name string `parquet:"name,optional"`
		} `parquet:"service"`
	} `parquet:"api"`
	Resources []resourceRow `parquet:"resources,list"`
	Score     float64       `parquet:"risk_score"`
	MFA       bool          `parquet:"is_mfa"`
}

type actorRow struct {
	User struct {
		Name   string `parquet:"name,optional"`
		Groups []struct {
			Name string `parquet:"name,optional"`
		} `parquet:"groups"`
	} `parquet:"user"`
}

type resourceRow struct {
	UID  string   `parquet:"uid,optional"`
	Tags []string `parquet:"tags,list"`
}

func write[T any](tb testing.TB, rows []T, each int) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[T](&out, parquet.Compression(&parquet.Zstd))
	for i := range rows {
		if _, err := w.Write(rows[i : i+1]); err != nil {
			tb.Fatal(err)
		}
		if (i+1)%each == 0 {
			if err := w.Flush(); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func flows(n int) (rows []flowRow) {
	region := "us-east-1"
	for i := range n {
		r := flowRow{10, "123456789012", "eni-1", fmt.Sprintf("10.0.%d.%d", i%200, i%250), "203.0.113.9", int32(1024 + i), 4444, 6, int64(i), int64(i) * 31, 1772359210 + int64(i), 1772359270 + int64(i), "ACCEPT", "OK", &region, 8}
		if i%7 == 3 {
			r.Action, r.Region = "REJECT", nil
		}
		rows = append(rows, r)
	}
	return rows
}

func events(n int) (rows []eventRow) {
	failed := int32(2)
	for i := range n {
		r := eventRow{Time: 1772359200000 + int64(i), TimeText: 1772359200000 + int64(i), Class: 6003, Name: "API Activity", Activity: 1, Unmapped: map[string]string{"recipientAccountId": "1"}}
		r.Metadata.Product.Name, r.Metadata.Version, r.Metadata.UID, r.Metadata.Profiles = "CloudTrail", "1.1.0", fmt.Sprintf("ev-%d", i), []string{"cloud", "datetime"}
		r.API.Operation, r.API.Service.Name = "CreateAccessKey", "iam.amazonaws.com"
		if i%2 == 0 {
			r.Actor = &actorRow{}
			r.Actor.User.Name = fmt.Sprintf("user \"%d\"\n", i%90)
			r.Actor.User.Groups = append(r.Actor.User.Groups, struct {
				Name string `parquet:"name,optional"`
			}{"ops"})
			r.Resources = []resourceRow{{"arn:1", []string{"a", "b"}}, {"arn:2", nil}}
			r.Status = &failed
		}
		rows = append(rows, r)
	}
	return rows
}

// Rows of several row groups are all there, each once.
func TestAllRows(t *testing.T) {
	for name, log := range map[string][]byte{"flows": write(t, flows(1000), 300), "events": write(t, events(1000), 300)} {
		seen := map[string]bool{}
		c, err := sourcetest.Read(Source{}, bytes.NewReader(log), func(rec timeline.Record, e *timeline.Event) {
			if rec.Range.Length == 0 || rec.Range.Offset+rec.Range.Length > int64(len(log)) {
				t.Errorf("%s: %+v", name, rec.Range)
			}
			seen[fmt.Sprint(rec.Range, e.Sub, e.ID)] = true
		})
		if err != nil || c.Kept != 1000 || len(seen) != 1000 {
			t.Errorf("%s: %+v, %d rows, %v", name, c, len(seen), err)
		}
	}
}

// Files that are cut or changed are rejected.
func TestBroken(t *testing.T) {
	whole := write(t, flows(50), 20)
	for i := 4; i < len(whole); i += 37 {
		changed := bytes.Clone(whole)
		changed[i] ^= 0x5a
		for _, log := range [][]byte{whole[:i], changed} {
			if _, err := sourcetest.Read(Source{}, bytes.NewReader(log), func(timeline.Record, *timeline.Event) {}); err != nil {
				t.Errorf("at %d: %v", i, err)
			}
		}
	}
}

func TestUnknownColumns(t *testing.T) {
	type other struct{ A, B string }
	c, err := sourcetest.Read(Source{}, bytes.NewReader(write(t, []other{{"a", "b"}}, 1)), func(timeline.Record, *timeline.Event) {})
	if err != nil || c.Rejected[timeline.UnknownWrap] != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A reader that was stopped leaves no file behind, and does not go on.
func TestStopped(t *testing.T) {
	n := 0
	for range (Source{}).Records(context.Background(), bytes.NewReader(write(t, flows(600), 300))) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d", n)
	}
}

// TestSamples writes the files of testdata when AMBER_WRITE_SAMPLES is set.
func TestSamples(t *testing.T) {
	if os.Getenv("AMBER_WRITE_SAMPLES") == "" {
		t.Skip("AMBER_WRITE_SAMPLES is not set: the files are there")
	}
	for name, log := range map[string][]byte{"flows": write(t, flows(8), 5), "events": write(t, events(4), 3)} {
		if err := os.WriteFile("testdata/"+name+".parquet", log, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkFlows(b *testing.B) {
	sourcetest.Bench(b, Source{}, write(b, flows(20_000), 10_000), nil)
}

func BenchmarkEvents(b *testing.B) {
	sourcetest.Bench(b, Source{}, write(b, events(20_000), 10_000), nil)
}
