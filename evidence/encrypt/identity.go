package encrypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"
)

// User is whom a locked identity, or a plugin, can ask and tell. The zero User
// answers nothing.
type User struct {
	Ask  func(question string) ([]byte, error) // for a secret
	Tell func(text string)                     // "touch the token"; text is the plugin's
}

func (u User) ask(question string) ([]byte, error) {
	if u.Ask == nil {
		return nil, errors.New("there is nobody to answer: " + question)
	}
	return u.Ask(question)
}

// Keyring is a custodian's identities. It remembers the bundles' keys that these
// have opened, so that a token is touched once. A nil Keyring opens nothing.
type Keyring struct {
	ids []age.Identity

	mu     sync.Mutex
	opened map[string]*Box // by the bundle's recipient
}

// maxIdentities bounds a file of identities in bytes.
const maxIdentities = 1 << 20

// ReadIdentities reads files of identities: age's, an SSH private key, or either
// of these encrypted with a passphrase, for which the user is asked when it is
// needed. No file gives no Keyring.
func ReadIdentities(files []string, u User) (*Keyring, error) {
	if len(files) == 0 {
		return nil, nil
	}
	k := &Keyring{opened: map[string]*Box{}}
	for _, name := range files {
		data, err := readFile(name, maxIdentities)
		if err != nil {
			return nil, fmt.Errorf("reading the identity %s: %w", name, err)
		}
		ids, err := parseIdentities(data, name, u)
		if err != nil {
			return nil, fmt.Errorf("reading the identity %s: %w", name, err)
		}
		k.ids = append(k.ids, ids...)
	}
	return k, nil
}

// Of what a file can be; the words are age's.
const (
	ageBegin = "age-encryption.org/v1\n"
	pemBegin = "-----BEGIN"
)

func parseIdentities(data []byte, name string, u User) ([]age.Identity, error) {
	switch {
	case bytes.HasPrefix(data, []byte(ageBegin)), bytes.HasPrefix(data, []byte(armor.Header)):
		plain, err := withPassphrase(data, name, u)
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(plain, []byte(ageBegin)) || bytes.HasPrefix(plain, []byte(armor.Header)) {
			return nil, errors.New("it is encrypted more than once")
		}
		return parseIdentities(plain, name, u)
	case bytes.HasPrefix(data, []byte(pemBegin)):
		id, err := sshIdentity(data, name, u)
		return []age.Identity{id}, err
	}
	return identityLines(data, u)
}

// withPassphrase opens a file of identities that age -p has encrypted.
func withPassphrase(data []byte, name string, u User) ([]byte, error) {
	var in io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte(armor.Header)) {
		in = armor.NewReader(in)
	}
	secret, err := u.ask("Passphrase of " + name + ": ")
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(string(secret))
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(in, id)
	if err != nil {
		return nil, fmt.Errorf("the passphrase is wrong, or it is not encrypted with one: %w", err)
	}
	return io.ReadAll(io.LimitReader(r, maxIdentities))
}

func sshIdentity(data []byte, name string, u User) (age.Identity, error) {
	id, err := agessh.ParseIdentity(data)
	missing := (*ssh.PassphraseMissingError)(nil)
	if !errors.As(err, &missing) {
		return id, err
	}
	if missing.PublicKey == nil {
		return nil, errors.New("it has a passphrase and is in an old format: ssh-keygen -p -f FILE converts it")
	}
	return agessh.NewEncryptedSSHIdentity(missing.PublicKey, data, func() ([]byte, error) { return u.ask("Passphrase of " + name + ": ") })
}

func identityLines(data []byte, u User) (ids []age.Identity, err error) {
	for n, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		var id age.Identity
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "AGE-PLUGIN-"):
			id, err = plugin.NewIdentity(line, talking(u))
		case strings.HasPrefix(line, "AGE-SECRET-KEY-PQ-1"):
			id, err = age.ParseHybridIdentity(line)
		case strings.HasPrefix(line, "AGE-SECRET-KEY-1"):
			id, err = age.ParseX25519Identity(line)
		case strings.HasPrefix(line, "age1"), strings.HasPrefix(line, "ssh-"):
			err = errors.New("this is a recipient, not an identity")
		default: // the line itself may be a secret
			err = errors.New("no identity that is known (AGE-SECRET-KEY-…, AGE-PLUGIN-…, an SSH private key)")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, errors.New("it holds no identity")
	}
	return ids, nil
}

// talking lets a plugin speak to the user.
func talking(u User) *plugin.ClientUI {
	ui := silent()
	ui.DisplayMessage = func(name, text string) error {
		if u.Tell != nil {
			u.Tell("age-plugin-" + name + ": " + text)
		}
		return nil
	}
	ui.RequestValue = func(_, question string, _ bool) (string, error) {
		answer, err := u.ask(question + " ")
		return string(answer), err
	}
	return ui
}

// silent is a user interface that refuses questions.
func silent() *plugin.ClientUI {
	refuse := func(name string) error {
		return fmt.Errorf("age-plugin-%s asks something, and nobody can answer", name)
	}
	return &plugin.ClientUI{
		DisplayMessage: func(string, string) error { return nil },
		RequestValue:   func(name, _ string, _ bool) (string, error) { return "", refuse(name) },
		Confirm:        func(name, _, _, _ string) (bool, error) { return false, refuse(name) },
		WaitTimer:      func(string) {},
	}
}
