package keys

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/evidence/attest"
	"amber/testdata/testbed"
)

const pin = "123456"

// token makes a PKCS#11 token of SoftHSM with a key of ECDSA P-256 that is
// generated in it, and gives the module.
func token(t *testing.T) (module string) {
	t.Helper()
	for _, tool := range []string{"ssh-agent", "ssh-add", "ssh-keygen", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	if err := testbed.Fetch("softhsm"); err != nil {
		t.Skipf("no SoftHSM and OpenSC here: %v", err)
	}
	at := testbed.SoftHSM()
	module = filepath.Join(at, "lib", "libsofthsm2.so")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", filepath.Join(dir, "tokens"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	tool := func(args ...string) {
		run(t, filepath.Join(at, "bin", "pkcs11-tool"), append([]string{"--module", module}, args...)...)
	}
	tool("--init-token", "--slot-index", "0", "--label", "amber", "--so-pin", "87654321")
	tool("--token-label", "amber", "--init-pin", "--login", "--login-type", "so", "--so-pin", "87654321", "--pin", pin)
	tool("--token-label", "amber", "--login", "--pin", pin, "--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--id", "01", "--label", "amber")
	return module
}

// askpass has ssh-add get the PIN, which it takes from no file.
func askpass(t *testing.T, says string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "askpass")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+says+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSH_ASKPASS", path)
	t.Setenv("SSH_ASKPASS_REQUIRE", "force")
}

// TestTokenThroughAgent signs with a key that never leaves a PKCS#11 token: the
// ssh-agent speaks to the token, amber to the agent.
func TestTokenThroughAgent(t *testing.T) {
	module := token(t)
	startAgentWith(t, []string{"-P", module})
	askpass(t, "000000")
	if out, err := exec.Command("ssh-add", "-s", module).CombinedOutput(); err == nil {
		t.Fatalf("a wrong PIN opens the token\n%s", out)
	}
	askpass(t, pin)
	run(t, "ssh-add", "-s", module)
	list, err := exec.Command("ssh-add", "-L").Output()
	if err != nil || !strings.HasPrefix(string(list), "ecdsa-sha2-nistp256 ") {
		t.Fatalf("%v\n%s", err, list)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "token.pub")
	write := func(name string, data []byte) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	write("token.pub", list)
	s, err := Unlock(path, func() ([]byte, error) { return nil, errors.New("nobody is to be asked") })
	if err != nil {
		t.Fatal(err)
	}
	armored, err := Sign(s, NamespaceBundle, strings.NewReader("message"))
	if err != nil {
		t.Fatal(err)
	}
	line, err := SignerLine("ana@token", s.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	verify := exec.Command("ssh-keygen", "-Y", "verify", "-f", write("signers", []byte(line+"\n")), "-I", "ana@token", "-n", NamespaceBundle, "-s", write("sig", armored))
	verify.Stdin = strings.NewReader("message")
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("ssh-keygen: %v\n%s", err, out)
	}
	k, ok := s.(StatementSigner)
	if !ok {
		t.Fatal("the token's key makes no statements")
	}
	statement := []byte(`{"a":"b"}`)
	files, err := attest.Sign(k.Statements(), statement)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := attest.Verify(files, statement); err != nil {
		t.Error(err)
	}
	run(t, "openssl", "dgst", "-sha256", "-verify", write("pub.pem", files.PublicKey), "-signature", write("raw", files.Signature), write("pae", files.PAE))

	// Once the token is pulled, the key is gone, and that is said.
	run(t, "ssh-add", "-e", module)
	if _, err := Sign(s, NamespaceBundle, strings.NewReader("message")); !errors.Is(err, ErrAgent) {
		t.Errorf("signed without the token: %v", err)
	}
	if _, err := Unlock(path, nil); !errors.Is(err, ErrAgent) || !strings.Contains(err.Error(), "does not have the key") {
		t.Error(err)
	}
}
