package keys

import (
	"testing"
	"time"
)

func TestOnlyFor(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJFEzcrJEoKxNK1cuj0AWD+FDG0zff9k6immimnn8skI"
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for line, allowed := range map[string]bool{
		`ana@laptop namespaces="amber,amber-custody" ` + key: true,
		`ana@laptop ` + key: true,
		`"ana of node 1" valid-after="20260101Z",namespaces="am*" ` + key:          true,
		`ana@laptop namespaces="amber-custody" ` + key:                             false,
		`ana@laptop namespaces="amber*,!amber" ` + key:                             false,
		`ana@laptop valid-before="20270101000000Z",valid-after="20260101Z" ` + key: true,
	} {
		only, err := OnlyFor(line, NamespaceBundle)
		if err != nil || (only != "") != allowed {
			t.Errorf("%s becomes %q, %v", line, only, err)
			continue
		}
		if !allowed {
			continue
		}
		was, err := ParseSigners([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		is, err := ParseSigners([]byte(only))
		if err != nil || is.Len() != 1 {
			t.Errorf("%s: %v", only, err)
			continue
		}
		a, b := was.lines[0], is.lines[0]
		if a.principals != b.principals || !a.after.Equal(b.after) || !a.before.Equal(b.before) || b.allows(NamespaceCustody, at) || !b.allows(NamespaceBundle, at) {
			t.Errorf("%s becomes %s", line, only)
		}
	}
	if _, err := OnlyFor("nonsense", NamespaceBundle); err == nil {
		t.Error("what is no line becomes one")
	}
}
