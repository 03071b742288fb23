package main

import (
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"amber/evidence/keys"
)

func keysCommand() *cli.Command {
	return &cli.Command{
		Name:  "keys",
		Usage: "the key that signs bundles and the custody log",
		Subcommands: []*cli.Command{
			{
				Name:      "new",
				Usage:     "make an Ed25519 key, locked with a passphrase, or one in a TPM",
				ArgsUsage: "[DEVICE]",
				Description: "The key is an OpenSSH private key at $AMBER_KEY, or ~/.config/amber/key, with mode\n" +
					"0600; its public half is beside it. The passphrase comes from " + keys.PassphraseVariable + "\n" +
					"or from the terminal. Where AMBER_KEY names a public key (KEY.pub), an ssh-agent signs." + tpmHelp,
				Flags:  []cli.Flag{outputFlag(), tpmFlag(), &cli.StringFlag{Name: "comment", Usage: "who holds the key (default: user@host)"}},
				Action: action(0, 1, "[--tpm [DEVICE]]", keysNewAt),
			},
			{Name: "show", Usage: "print the public key, its fingerprint, and its line for an allowed_signers file", Flags: []cli.Flag{outputFlag()}, Action: action(0, 0, "without arguments", keysShow)},
		},
	}
}

// keyInfo is a key as keys prints it.
type keyInfo struct {
	Path        string `json:"path"`
	Fingerprint string `json:"fingerprint"`
	Public      string `json:"public_key"`
	Allowed     string `json:"allowed_signers"`
}

func keysNew(c *cli.Context, asJSON bool) error {
	path, err := keys.DefaultPath()
	if err != nil {
		return err
	}
	passphrase, err := keys.AskNew()
	if err != nil {
		return err
	}
	pub, err := keys.New(path, passphrase, keyComment(c))
	if err != nil {
		return err
	}
	return printKey(path, pub, asJSON)
}

// keyComment says who holds a new key.
func keyComment(c *cli.Context) string {
	if comment := c.String("comment"); comment != "" {
		return comment
	}
	return principal()
}

func keysShow(_ *cli.Context, asJSON bool) error {
	path, err := keys.DefaultPath()
	if err != nil {
		return err
	}
	pub, err := keys.Public(path)
	if err != nil {
		return fmt.Errorf("%w (amber keys new makes one)", err)
	}
	return printKey(path, pub, asJSON)
}

func printKey(path string, pub ssh.PublicKey, asJSON bool) error {
	lines, err := signerLines(path)
	if err != nil {
		return err
	}
	text := strings.Join(lines, "\n")
	info := keyInfo{path, keys.Fingerprint(pub), string(ssh.MarshalAuthorizedKey(pub)), text}
	if asJSON {
		return emit(os.Stdout, info)
	}
	fmt.Printf("key          %s\nfingerprint  %s\nGive these lines to those who verify (ssh allowed_signers):\n%s\n", safeLines(info.Path), info.Fingerprint, safeLines(text))
	return nil
}

// signerLines are the lines of an allowed_signers file for the key at path, and
// for its key for statements.
func signerLines(path string) ([]string, error) {
	pub, err := keys.Public(path)
	if err != nil {
		return nil, err
	}
	all := []ssh.PublicKey{pub}
	statements, err := keys.StatementKey(path)
	if err != nil {
		return nil, err
	}
	if statements != nil {
		all = append(all, statements)
	}
	var lines []string
	for _, k := range all {
		line, err := keys.SignerLine(principal(), k)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// principal is the name under which this user's key stands in a case.
func principal() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if sudo := os.Getenv("SUDO_USER"); sudo != "" {
		name = sudo
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}
