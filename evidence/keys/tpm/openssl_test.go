package tpm

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"amber/evidence/keys/tpm/tpmtest"
)

// providers runs openssl with its tpm2 provider on that TPM, in dir; the test is
// skipped where there is none.
func providers(t *testing.T, p *tpmtest.TPM, dir string) (run func(args ...string)) {
	t.Helper()
	tcti := p.TCTI()
	do := func(args ...string) ([]byte, error) {
		cmd := exec.Command("openssl", slices.Insert(slices.Clone(args), 1, "-provider", "tpm2", "-provider", "default")...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TPM2OPENSSL_TCTI="+tcti)
		return cmd.CombinedOutput()
	}
	if out, err := do("list", "-providers"); err != nil {
		t.Skipf("no tpm2 provider for openssl here (Debian packages tpm2-openssl, libtss2-tcti-swtpm0): %v\n%s", err, out)
	}
	return func(args ...string) {
		t.Helper()
		if out, err := do(args...); err != nil {
			t.Fatalf("openssl %q: %v\n%s", args, err, out)
		}
	}
}

// openssl's provider reads a key file of ours, and signs by it.
func TestOpenSSLSignsByOurs(t *testing.T) {
	for name, auth := range map[string]string{"with a passphrase": passphrase, "without": ""} {
		t.Run(name, func(t *testing.T) {
			p := tpmtest.New(t)
			k := newKey(t, deviceOf(p), auth)
			file, err := k.PEM()
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for name, data := range map[string][]byte{"key": file, "msg": []byte("a message")} {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			providers(t, p, dir)("dgst", "-propquery", "?provider=tpm2", "-sha256", "-sign", "key", "-passin", "pass:"+auth, "-out", "sig", "msg")
			sig, err := os.ReadFile(filepath.Join(dir, "sig"))
			if err != nil {
				t.Fatal(err)
			}
			opensslVerifies(t, k.Public(), "a message", sig)
		})
	}
}

// A key that openssl's provider has made signs here, be it under the owner
// hierarchy or under a key that is in the TPM for good.
func TestOpenSSLsKeySigns(t *testing.T) {
	for name, options := range map[string][]string{
		"without a passphrase": nil,
		"with a passphrase":    {"-pkeyopt", "user-auth:" + passphrase},
	} {
		t.Run(name, func(t *testing.T) {
			p := tpmtest.New(t)
			dir := t.TempDir()
			openssl := providers(t, p, dir)
			openssl(append([]string{"genpkey", "-algorithm", "EC", "-pkeyopt", "group:P-256", "-out", "key"}, options...)...)
			openssl("pkey", "-in", "key", "-passin", "pass:"+passphrase, "-pubout", "-out", "pub")
			p.Serve()
			file, err := os.ReadFile(filepath.Join(dir, "key"))
			if err != nil {
				t.Fatal(err)
			}
			k, err := Parse(file)
			if err != nil {
				t.Fatalf("%v of\n%s", err, file)
			}
			samePublic(t, k, filepath.Join(dir, "pub"))
			s, err := k.Open(deviceOf(p), []byte(passphrase))
			if err != nil {
				t.Fatal(err)
			}
			opensslVerifies(t, k.Public(), "a message", signed(t, s, "a message"))
		})
	}
}

func samePublic(t *testing.T, k *Key, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("no PEM in %s", data)
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !k.Public().Equal(pub) {
		t.Errorf("the public key is %v, openssl says %v", k.Public(), pub)
	}
}
