package s3

import (
	"net/http"
	"testing"
)

func TestNew(t *testing.T) {
	for _, c := range []Config{
		{Bucket: ""}, {Bucket: "a/b"}, {Bucket: "b", Endpoint: "ftp://x"}, {Bucket: "b", Endpoint: "https://k:s@x"}, {Bucket: "b", Endpoint: "x"},
	} {
		c.HTTP = http.DefaultClient
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	s, err := New(Config{Bucket: "b", Region: "eu-west-1", HTTP: http.DefaultClient})
	if err != nil || s.base.Host != "b.s3.eu-west-1.amazonaws.com" {
		t.Fatalf("%v, %v", s, err)
	}
	if !s.move("us-west-2") || s.base.Host != "b.s3.us-west-2.amazonaws.com" || s.move("us-west-2") || s.move("evil.example/") {
		t.Errorf("moved to %s", s.base.Host)
	}
}
