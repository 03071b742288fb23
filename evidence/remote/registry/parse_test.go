package registry

import (
	"context"
	"testing"
)

func TestParameters(t *testing.T) {
	p := parameters(`realm="https://auth.example.com/token?a=b,c",service=reg,scope="repository:a/b:pull,push"`)
	if p["realm"] != "https://auth.example.com/token?a=b,c" || p["service"] != "reg" || p["scope"] != "repository:a/b:pull,push" {
		t.Errorf("%q", p)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(`realm="x",scope=`, []byte(`{"manifests":[{"digest":"sha256:00"}]}`))
	f.Add(`=,=","`, []byte(`{"layers":[{"digest":"","size":-1}],"artifactType":"application/vnd.amber.evidence.v1"}`))
	f.Add("", []byte(`{"auths":{"h":{"auth":"!"}}}`))
	f.Fuzz(func(_ *testing.T, challenge string, data []byte) {
		parameters(challenge)
		_, _ = parseIndex(data)
		_, _ = namedBy(data)
		_, _ = parseLogin(context.Background(), data, "no-such-host.invalid")
	})
}
