package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"amber/testdata/testbed"
)

// withStorage is "storage minio" or "storage registry": a real one, at $S3 with
// its credentials in the environment, or at $REGISTRY.
func withStorage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: storage minio|registry")
	}
	w := worldOf(ts)
	switch args[0] {
	case "minio":
		s := testbed.StartMinIO(w.tb)
		for name, value := range map[string]string{"S3": "http://" + s.Host, "AWS_ENDPOINT_URL": "http://" + s.Host, "AWS_ACCESS_KEY_ID": testbed.MinIOKey, "AWS_SECRET_ACCESS_KEY": testbed.MinIOSecret, "S3_DATA": s.Dir + "/data"} {
			ts.Setenv(name, value)
		}
	case "registry":
		s := testbed.StartRegistry(w.tb)
		ts.Setenv("REGISTRY", s.Host)
		ts.Setenv("REGISTRY_DATA", s.Dir+"/data")
	default:
		ts.Fatalf("usage: storage minio|registry")
	}
}

func TestRetainUntil(t *testing.T) {
	now := started
	for text, want := range map[string]string{
		"1d": now.AddDate(0, 0, 1).UTC().Format("2006-01-02"), "7y": now.AddDate(7, 0, 0).UTC().Format("2006-01-02"),
		"2031-01-31": "2031-01-31", "2031-01-31T10:00:00Z": "2031-01-31",
		"0d": "", "d": "", "-1d": "", "1w": "", "99999999999d": "", "x": "",
	} {
		got, err := retainUntil(text, now)
		if want == "" && err == nil || want != "" && got.Format("2006-01-02") != want {
			t.Errorf("%q: %v, %v, want %q", text, got, err, want)
		}
	}
}
