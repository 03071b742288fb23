package harness

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"amber/evidence/keys"
)

// newSigner makes a list of a key that no case knows yet.
func (f *fixture) newSigner(t testing.TB) {
	t.Helper()
	path := filepath.Join(f.home, "newcomer-key")
	pub, err := keys.New(path, []byte(passphrase), "eve@lab")
	must(t, err)
	line, err := keys.SignerLine("eve@lab", pub)
	must(t, err)
	f.newcomer = filepath.Join(f.home, "newcomer")
	write(t, f.newcomer, []byte(line+"\n"))
}

// offered makes the offer of somebody who gives the fixture's bundles.
func (f *fixture) offered(t testing.TB) {
	t.Helper()
	giver := &fixture{user: user{filepath.Join(f.home, "giver")}, who: "bob@lab"}
	must(t, os.Mkdir(giver.home, 0o700))
	giver.newKey(t)
	dir := filepath.Join(giver.home, "case")
	giver.amber(t, "case", "new", dir).want(t, "case new", 0)
	for _, tar := range f.streams {
		giver.amber(t, "evidence", "import", "--case", dir, tar).want(t, "import", 0)
	}
	f.offer = filepath.Join(f.home, "offer")
	giver.amber(t, "evidence", "transfer", "--case", dir, "--signers", f.signers, "--to", f.who, "--reason", "analysis", "--authority", "IR-7", "--offer", f.offer).want(t, "transfer", 0)
}

// unsignedLooks are entries that nobody signed.
func unsignedLooks(t testing.TB, f *fixture, dir string) {
	t.Helper()
	for range 2 {
		f.run(t, []string{"AMBER_KEY=" + filepath.Join(f.home, "no-key")}, plainBin, "evidence", "ls", "--case", dir, f.bundles[0]).want(t, "a look without a key", 0)
	}
}

// moreLogs gives the timeline a second segment.
func moreLogs(t testing.TB, f *fixture, dir string) {
	t.Helper()
	f.amber(t, "timeline", "build", "--case", dir, f.more).want(t, "timeline build", 0)
}

// elsewhere are the verbs that no act is of, and why.
var elsewhere = map[string]string{
	"case": "lists its verbs", "case signers": "the same", "evidence": "the same", "timeline": "the same", "keys": "the same",
	"ps": "looks at runtimes alone", "completion": "prints", "man": "prints",
	"respond": "needs a container: testdata/e2e kills it at every point", "collect": "the same", "isolate": "the same",
	"isolate list": "looks at journals alone", "isolate verify": "needs a container: testdata/e2e", "isolate release": "the same", "isolate rbac": "prints",
	"sandbox": "needs a runtime: collect/checkpoint/sandbox", "sandbox rm": "the same",
	"tui":      "has a pty: tui",
	"keys new": "has no case: evidence/keys", "keys show": "prints",
	"evidence check-proof": "has no case, and writes nothing",
	"evidence push":        "needs a store: evidence/remote and the scripts push and push-registry", "evidence pull": "the same",
	"evidence export": "needs a checkpoint: collect/checkpoint",
	"timeline fetch":  "lists its verbs", "timeline fetch aws": "needs a vendor's store: timeline/fetch", "timeline fetch gcp": "the same", "timeline fetch azure": "the same", "timeline fetch kube": "the same",
	"detect lint": "has no case",
}

// looks are the verbs that write nothing but the entry of the look, which is
// written as evidence cat's is.
var looks = []string{
	"case show", "case signers list", "evidence ls", "evidence diff", "evidence custody", "evidence ps", "evidence sockets", "evidence files", "evidence env", "evidence strings", "evidence search",
	"timeline query", "timeline facets", "timeline histogram", "timeline story", "timeline entities", "timeline links", "timeline raw", "timeline export",
}

var command = regexp.MustCompile(`^ {3}([a-z][a-z-]*)`)

// verbs are amber's, as its help lists them, each with the words before it.
func verbs(t testing.TB, u user, words ...string) (all []string) {
	t.Helper()
	text := u.amber(t, append(slices.Clone(words), "--help")...).want(t, "help", 0).text
	_, list, some := strings.Cut(text, "\nCOMMANDS:\n")
	if !some {
		return []string{strings.Join(words, " ")}
	}
	if len(words) > 0 { // it may do something by itself, too
		all = append(all, strings.Join(words, " "))
	}
	for _, line := range strings.Split(list, "\n") {
		if line == "" || strings.HasSuffix(line, "OPTIONS:") {
			break
		}
		if m := command.FindStringSubmatch(line); m != nil && m[1] != "help" {
			all = append(all, verbs(t, u, append(slices.Clone(words), m[1])...)...)
		}
	}
	return all
}

// TestEveryVerb: a verb that writes is an act of this harness, or it is said
// here where else it is killed.
func TestEveryVerb(t *testing.T) {
	all := verbs(t, user{t.TempDir()})
	if len(all) < 40 {
		t.Fatalf("only %d verbs: %q", len(all), all)
	}
	for _, v := range all {
		act := slices.ContainsFunc(acts, func(a act) bool { return a.name == v })
		if _, known := elsewhere[v]; !act && !known && !slices.Contains(looks, v) {
			t.Errorf("amber %s: no act of the harness, and nothing says why", v)
		}
	}
	for v := range elsewhere {
		if !slices.Contains(all, v) {
			t.Errorf("amber %s is no verb", v)
		}
	}
	for _, v := range looks {
		if !slices.Contains(all, v) {
			t.Errorf("amber %s is no verb that looks", v)
		}
	}
}
