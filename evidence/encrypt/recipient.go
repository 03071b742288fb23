package encrypt

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"
	"filippo.io/age/tag"
	"golang.org/x/crypto/ssh"
)

// Recipient is a custodian's public key.
type Recipient struct {
	age  age.Recipient
	text string // as it was written, without a comment
	name string
}

// Name is how a custodian is told of: an age recipient, cut with its digest
// where it is long, or an SSH key's type and fingerprint.
func (r Recipient) Name() string { return r.name }

// String is the recipient as age takes it.
func (r Recipient) String() string { return r.text }

// postQuantum asks the recipient by wrapping a key that is none.
func (r Recipient) postQuantum() (bool, error) {
	l, ok := r.age.(age.RecipientWithLabels)
	if !ok {
		return false, nil
	}
	_, labels, err := l.WrapWithLabels(make([]byte, 16))
	return slices.Contains(labels, "postquantum"), err
}

// ParseRecipient reads an age recipient (X25519, hybrid post-quantum, tagged, or
// a plugin's) or a line of an SSH public key (ed25519, RSA).
func ParseRecipient(s string) (r Recipient, err error) {
	s = strings.TrimSpace(s)
	r = Recipient{text: s, name: short(s)}
	switch kind, _, _ := strings.Cut(s, " "); {
	case strings.HasPrefix(s, "AGE-"):
		return r, errors.New("this is a secret key, not a recipient: keep it from others, and give its public half")
	case strings.HasPrefix(s, "age1tag1"), strings.HasPrefix(s, "age1tagpq1"):
		r.age, err = tag.ParseRecipient(s)
	case strings.HasPrefix(s, "age1pq1"):
		r.age, err = age.ParseHybridRecipient(s)
	case strings.HasPrefix(s, "age1") && strings.Count(s, "1") > 1:
		r.age, err = pluginRecipient(s)
	case strings.HasPrefix(s, "age1"):
		r.age, err = age.ParseX25519Recipient(s)
	case kind == ssh.KeyAlgoED25519, kind == ssh.KeyAlgoRSA:
		r, err = sshRecipient(s)
	case strings.HasPrefix(kind, "ssh-"), strings.HasPrefix(kind, "ecdsa-"), strings.HasPrefix(kind, "sk-"):
		err = fmt.Errorf("an SSH key of type %s cannot be encrypted to; want ssh-ed25519 or ssh-rsa", kind)
	default:
		err = errors.New("want age1…, ssh-ed25519 …, ssh-rsa …, or a file of these")
	}
	if err != nil {
		return Recipient{}, fmt.Errorf("recipient %q: %w", short(s), err)
	}
	return r, nil
}

// short keeps a hybrid recipient, which has 2,000 characters, readable.
func short(s string) string {
	if len(s) <= 100 {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return s[:24] + "… (SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]) + ")"
}

func sshRecipient(line string) (Recipient, error) {
	pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return Recipient{}, err
	}
	text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))
	a, err := agessh.ParseRecipient(text)
	return Recipient{age: a, text: text, name: pub.Type() + " " + ssh.FingerprintSHA256(pub)}, err
}

// pluginRecipient is one of a program age-plugin-NAME, which must be there: it
// is looked for now, not when the target stands still.
func pluginRecipient(s string) (age.Recipient, error) {
	r, err := plugin.NewRecipient(s, silent())
	if err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("age-plugin-" + r.Name()); err != nil {
		return nil, fmt.Errorf("it needs a program that is not here: %w", err)
	}
	return r, nil
}

// Custodians reads what --encrypt-to gives: recipients, or files of them, a line
// each. They must be two at least, and different: one alone can be lost.
func Custodians(args []string, one bool) ([]Recipient, error) {
	var all []Recipient
	for _, arg := range args {
		list, err := readRecipients(arg)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	seen := map[string]bool{}
	all = slices.DeleteFunc(all, func(r Recipient) bool {
		twice := seen[r.text]
		seen[r.text] = true
		return twice
	})
	switch {
	case len(all) > MaxCustodians:
		return nil, fmt.Errorf("a bundle has at most %d custodians, not %d", MaxCustodians, len(all))
	case one && len(all) != 1:
		return nil, fmt.Errorf("--one-custodian goes with one recipient, not with %d", len(all))
	case len(all) == 1 && !one:
		return nil, errors.New("one custodian alone can lose the key, and the evidence with it: name two at least, or say --one-custodian")
	}
	return all, nil
}

// maxRecipients bounds a file of recipients in bytes.
const maxRecipients = 1 << 20

func readRecipients(arg string) ([]Recipient, error) {
	if looksLikeOne(strings.TrimSpace(arg)) {
		r, err := ParseRecipient(arg)
		return []Recipient{r}, err
	}
	data, err := readFile(arg, maxRecipients)
	if err != nil {
		return nil, fmt.Errorf("recipients: %q is neither a recipient (age1…, ssh-ed25519 …) nor a file that can be read: %w", short(arg), err)
	}
	var list []Recipient
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := ParseRecipient(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", arg, n, err)
		}
		list = append(list, r)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", arg, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no recipient", arg)
	}
	return list, nil
}

func looksLikeOne(arg string) bool {
	for _, begin := range []string{"age1", "AGE-", "ssh-", "ecdsa-", "sk-"} {
		if strings.HasPrefix(arg, begin) {
			return true
		}
	}
	return false
}

// readFile reads a regular file of bounded size; a FIFO does not block it.
func readFile(name string, most int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(errors.New("it is not a file"), err)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	return data, err
}
