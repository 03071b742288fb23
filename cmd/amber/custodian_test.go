package main

import (
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	agefile "filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
)

// withCustodian is "custodian NAME KIND": a key pair of that kind (x25519,
// hybrid, ssh) in NAME.key and NAME.pub, the recipient also in $NAME.
func withCustodian(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: custodian NAME KIND")
	}
	var secret, public string
	switch args[1] {
	case "x25519":
		k, err := agefile.GenerateX25519Identity()
		ts.Check(err)
		secret, public = k.String(), k.Recipient().String()
	case "hybrid":
		k, err := agefile.GenerateHybridIdentity()
		ts.Check(err)
		secret, public = k.String(), k.Recipient().String()
	case "ssh":
		pub, private, err := ed25519.GenerateKey(nil)
		ts.Check(err)
		block, err := ssh.MarshalPrivateKey(private, "")
		ts.Check(err)
		p, err := ssh.NewPublicKey(pub)
		ts.Check(err)
		secret, public = string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(p)))
	default:
		ts.Fatalf("a custodian of kind %q", args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".key"), []byte(secret), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pub"), fmt.Appendln(nil, public), 0o600))
	ts.Setenv(args[0], public)
}
