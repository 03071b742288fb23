package keys

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	keyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINNwMHM8lLcve+HMdKmjaanRnkdOE0Sm3ZUxkjv5LTgg"
	keyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOrvP89uyupCbqyFcCz1nNtKuLT8YIUkj0Vhf/xYamSs"
)

func parsed(t testing.TB, line string) ssh.PublicKey {
	t.Helper()
	pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func TestLookup(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	tests := []struct {
		name, list string
		want       string // principal; empty where it is refused
	}{
		{"plain", "ana@x " + keyA, "ana@x"},
		{"comments and blanks", "# " + keyA + "\n\n \t\n  ana@x\t" + keyA + " a comment\r\n", "ana@x"},
		{"several principals", `"ana@x,*@y" ` + keyA, "ana@x,*@y"},
		{"another key", "bob@x " + keyB, ""},
		{"second line", "bob@x " + keyB + "\nana@x " + keyA, "ana@x"},
		{"namespace", `ana@x namespaces="file,amber" ` + keyA, "ana@x"},
		{"namespace pattern", `ana@x NameSpaces="am?*" ` + keyA, "ana@x"},
		{"other namespace", `ana@x namespaces="file" ` + keyA, ""},
		{"namespace excluded", `ana@x namespaces="*,!amber" ` + keyA, ""},
		{"brackets are plain", `ana@x namespaces="[a]mber" ` + keyA, ""},
		{"first refuses, second allows", `ana@x namespaces="file" ` + keyA + "\nana@y " + keyA, "ana@y"},
		{"after", `ana@x valid-after="20261122Z" ` + keyA, "ana@x"},
		{"not yet", `ana@x valid-after="202611220301Z" ` + keyA, ""},
		{"before", `ana@x valid-before="20261122030000Z" ` + keyA, "ana@x"},
		{"no more", `ana@x valid-before="20261122025959Z" ` + keyA, ""},
		{"all options", `ana@x namespaces="amber",valid-after="20200101",valid-before="20300101" ` + keyA, "ana@x"},
		{"empty", "", ""},
		{"two names", "ana@x " + keyA + "\neve@x " + keyA + "\nana@x " + keyA, "ana@x,eve@x"},
		{"two names, one no more", "ana@x " + keyA + "\neve@x valid-before=\"20200101\" " + keyA, "ana@x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSigners([]byte(tt.list))
			if err != nil {
				t.Fatal(err)
			}
			got, ok := s.Lookup(parsed(t, keyA), "amber", at)
			if got != tt.want || ok != (tt.want != "") {
				t.Fatalf("got %q, %v; want %q", got, ok, tt.want)
			}
		})
	}
	if _, ok := (*Signers)(nil).Lookup(parsed(t, keyA), "amber", at); ok {
		t.Error("a nil list knows somebody")
	}
}

// A key that may not sign here is told by what the list has it for.
func TestStranger(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	pub := parsed(t, keyA)
	for list, want := range map[string]string{
		"bob@x " + keyB:                                          "",
		`ana@x namespaces="git" ` + keyA:                         ", which the list has for ana@x, and only for git, not for amber",
		`ana@x valid-before="20260101Z" ` + keyA:                 ", which the list has for ana@x, and only until 2026-01-01T00:00:00Z",
		`ana@x valid-after="20270101Z" ` + keyA:                  ", which the list has for ana@x, and only from 2027-01-01T00:00:00Z on",
		`ana@x valid-after="20270101Z",namespaces="git" ` + keyA: ", which the list has for ana@x, and only for git, not for amber",
	} {
		s, err := ParseSigners([]byte(list))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Stranger(pub, "amber", at); got != Fingerprint(pub)+want {
			t.Errorf("%s: %q", list, got)
		}
	}
	if got := (*Signers)(nil).Stranger(pub, "amber", at); got != Fingerprint(pub) {
		t.Errorf("no list: %q", got)
	}
}

func TestParseSignersRefuses(t *testing.T) {
	for list, want := range map[string]string{
		"ana@x":                                       "without a key",
		"ana@x ssh-ed25519":                           "no key",
		"ana@x ssh-ed25519 AAAA":                      "no key",
		"ana@x ssh-rsa " + keyA[12:]:                  "no key", // named as another type
		`"ana@x ` + keyA:                              "quote",
		`"" ` + keyA:                                  "no principals",
		"ana@x cert-authority " + keyA:                "cert-authority: certificates are not taken",
		"ana@x no-pty " + keyA:                        "unknown option",
		`ana@x namespaces=amber ` + keyA:              "no quotes",
		`ana@x namespaces="amber ` + keyA:             "quote",
		`ana@x namespaces="" ` + keyA:                 "empty",
		`ana@x namespaces="a",namespaces="b" ` + keyA: "twice",
		`ana@x namespaces="a"x ` + keyA:               "no comma",
		`ana@x namespaces="a", ` + keyA:               "unknown option",
		`ana@x valid-after="tomorrow" ` + keyA:        "want YYYYMMDD",
		`ana@x valid-after="20269999" ` + keyA:        "want YYYYMMDD",
		`ana@x valid-after="20270101Z",valid-before="20260101Z" ` + keyA: "is not before",
	} {
		_, err := ParseSigners([]byte("# first\n" + list))
		if err == nil {
			t.Errorf("%q is taken", list)
			continue
		}
		if !strings.Contains(err.Error(), want) && want != "no key" || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%q: %q does not say %q", list, err, want)
		}
	}
}

func TestSignerLine(t *testing.T) {
	line, err := SignerLine("ana@x", parsed(t, keyA))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "signers")
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ReadSigners(path)
	if err != nil {
		t.Fatal(err)
	}
	for space, want := range map[string]bool{NamespaceBundle: true, NamespaceCustody: true, NamespaceReceipt: true, "git": false} {
		if _, ok := s.Lookup(parsed(t, keyA), space, time.Now()); ok != want {
			t.Errorf("namespace %s: %v", space, ok)
		}
	}
	for _, bad := range []string{"", "a b", "a\nb", "a,b", "*", "!a", `a"`, "#a", "é"} {
		if line, err := SignerLine(bad, parsed(t, keyA)); err == nil {
			t.Errorf("principal %q gives %q", bad, line)
		}
	}
}

func FuzzParseSigners(f *testing.F) {
	f.Add([]byte("ana@x " + keyA))
	f.Add([]byte(`"a,b" namespaces="a\"b,!c",valid-after="20200101" ` + keyB + "\n#\n"))
	f.Add([]byte("a cert-authority " + keyA))
	pub := parsed(f, keyA)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSigners(data)
		if err != nil {
			return
		}
		if who, ok := s.Lookup(pub, "amber", time.Unix(0, 0)); ok && !strings.Contains(string(data), who) {
			t.Fatalf("principal %q is not in the list", who)
		}
	})
}
