package transfer

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence/custody"
	"amber/evidence/keys"
)

func newSigner(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	giving    = "20261122T033000Z-giving"
	receiving = "20261122T033000Z-recvng"
)

// add makes entries in a log, and gives its receipt.
func add(t testing.TB, path, caseID string, s ssh.Signer, actions ...string) custody.Receipt {
	t.Helper()
	l, err := custody.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var r custody.Receipt
	for _, a := range actions {
		e := custody.Entry{Case: caseID, Action: a, Tool: custody.Tool{Name: "amber", Version: "test"}}
		custody.Stamp(&e)
		if _, r, err = l.Append(e, s); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// papers makes both of them, with the logs that they are of.
func papers(t testing.TB) (o Offer, a Acknowledgement, gave, got string, giver, receiver ssh.Signer) {
	t.Helper()
	dir := t.TempDir()
	gave, got = filepath.Join(dir, "gave.jsonl"), filepath.Join(dir, "got.jsonl")
	giver, receiver = newSigner(t), newSigner(t)
	o, err := Offer{
		Case: giving, From: "ana@node1", To: "bob@lab", Reason: "analysis", Authority: "IR-7", Time: time.Now(),
		Evidence: []Item{{"b1", "sha256:" + strings.Repeat("ab", 32)}}, Receipt: add(t, gave, giving, giver, "acquire", "transfer"),
	}.Seal(giver)
	if err != nil {
		t.Fatal(err)
	}
	a, err = Acknowledgement{Offer: o, Case: receiving, By: "bob@lab", Time: time.Now(), Receipt: add(t, got, receiving, receiver, "import", "receive")}.Seal(receiver)
	if err != nil {
		t.Fatal(err)
	}
	return o, a, gave, got, giver, receiver
}

func TestPapers(t *testing.T) {
	o, a, _, _, giver, receiver := papers(t)
	text, err := Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseAcknowledgement(text)
	if err != nil {
		t.Fatal(err)
	}
	by, err := again.Signer()
	from, err2 := again.Offer.Signer()
	if err := errors.Join(err, err2); err != nil || !bytes.Equal(by.Marshal(), receiver.PublicKey().Marshal()) || !bytes.Equal(from.Marshal(), giver.PublicKey().Marshal()) {
		t.Fatalf("signed by %v, offered by %v: %v", by, from, err)
	}
	d1, _ := Digest(o)
	if d2, _ := Digest(again.Offer); d1 != d2 {
		t.Error("the offer is another in the acknowledgement")
	}
}

// TestChanged flips every byte of both papers: none passes.
func TestChanged(t *testing.T) {
	o, a, _, _, _, _ := papers(t)
	offer, _ := Marshal(o)
	ack, _ := Marshal(a)
	for i := range len(offer) - 1 {
		bad := bytes.Clone(offer)
		bad[i] ^= 1
		if _, err := ParseOffer(bad); !errors.Is(err, ErrPaper) {
			t.Fatalf("byte %d of the offer: %v", i, err)
		}
	}
	for i := range len(ack) - 1 {
		bad := bytes.Clone(ack)
		bad[i] ^= 1
		if _, err := ParseAcknowledgement(bad); !errors.Is(err, ErrPaper) {
			t.Fatalf("byte %d of the acknowledgement: %v", i, err)
		}
	}
	if _, err := ParseOffer(ack); !errors.Is(err, ErrPaper) {
		t.Errorf("an acknowledgement is taken for an offer: %v", err)
	}
	if _, err := custody.ParseReceipt(offer); err == nil {
		t.Error("an offer is taken for a receipt")
	}
}

func TestRefused(t *testing.T) {
	o, _, _, _, giver, _ := papers(t)
	for name, change := range map[string]func(*Offer){
		"nothing":       func(o *Offer) { o.Evidence = nil },
		"nobody":        func(o *Offer) { o.To = "" },
		"no reason":     func(o *Offer) { o.Reason = "" },
		"no authority":  func(o *Offer) { o.Authority = "" },
		"no digest":     func(o *Offer) { o.Evidence[0].Digest = "sha256:" },
		"twice":         func(o *Offer) { o.Evidence = append(o.Evidence, o.Evidence[0]) },
		"another's log": func(o *Offer) { o.Receipt.Case = receiving },
	} {
		bad := o
		bad.Evidence = append([]Item(nil), o.Evidence...)
		change(&bad)
		if _, err := bad.Seal(giver); err == nil {
			t.Errorf("%s: an offer is made", name)
		}
	}
}

// TestReceipts: a log that was cut or rewritten after the hand-over does not
// agree with the other's paper.
func TestReceipts(t *testing.T) {
	o, a, gave, got, giver, _ := papers(t)
	offer, _ := Marshal(o)
	ack, _ := Marshal(a)
	for name, c := range map[string]struct {
		paper  []byte
		log    string
		caseID string
	}{"the giver's log by the offer": {offer, gave, giving}, "the giver's by the acknowledgement": {ack, gave, giving}, "the receiver's": {ack, got, receiving}} {
		r, err := ReadReceipt(c.paper, c.caseID)
		if err != nil {
			t.Fatal(err)
		}
		check := func(log string) custody.Report {
			report, err := custody.Verify(log, nil, &r)
			if err != nil {
				t.Fatal(err)
			}
			return report
		}
		if report := check(c.log); report.Tampered() {
			t.Errorf("%s: %v: %v", name, report, report.Problems)
		}
		whole, err := os.ReadFile(c.log)
		if err != nil {
			t.Fatal(err)
		}
		cut := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(cut, whole[:bytes.IndexByte(whole, '\n')+1], 0o600); err != nil {
			t.Fatal(err)
		}
		if !check(cut).Tampered() {
			t.Errorf("%s: a cut is not seen", name)
		}
		add(t, cut, c.caseID, giver, "something-else", "and-more")
		if !check(cut).Tampered() {
			t.Errorf("%s: a rewritten log is not seen", name)
		}
	}
}

// TestByHand verifies an offer as docs/handover.md says, with ssh-keygen alone.
func TestByHand(t *testing.T) {
	for _, tool := range []string{"sh", "ssh-keygen", "fold", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	doc, err := os.ReadFile("../../docs/handover.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, found := strings.Cut(string(doc), "```sh\n# by hand\n")
	script, _, end := strings.Cut(script, "```")
	if !found || !end {
		t.Fatal("the document has no script")
	}
	o, a, _, _, giver, receiver := papers(t)
	offer, _ := Marshal(o)
	ack, _ := Marshal(a)
	for who, c := range map[string]struct {
		paper []byte
		key   ssh.Signer
	}{"ana@node1": {offer, giver}, "bob@lab": {ack, receiver}} {
		line, err := keys.SignerLine(who, c.key.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for good, paper := range map[bool][]byte{true: c.paper, false: bytes.Replace(c.paper, []byte("analysis"), []byte("analysts"), 1)} {
			for name, data := range map[string][]byte{"paper": paper, "signers": []byte(line + "\n")} {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("sh", "-c", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PAPER=paper", "SIGNERS=signers", "WHO="+who, "LC_ALL=C")
			out, err := cmd.CombinedOutput()
			if (err == nil) != good {
				t.Errorf("%s, good %v: %v: %s", who, good, err, out)
			}
		}
	}
}

func FuzzPapers(f *testing.F) {
	o, a, _, _, _, _ := papers(f)
	offer, _ := Marshal(o)
	ack, _ := Marshal(a)
	f.Add(offer)
	f.Add(ack)
	f.Add([]byte(`{"kind":"amber-transfer-offer"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := ParseOffer(data); err == nil {
			if again, err := Marshal(p); err != nil || !bytes.Equal(bytes.TrimSuffix(again, []byte("\n")), bytes.TrimSuffix(data, []byte("\n"))) {
				t.Error("an offer has two forms")
			}
		}
		_, _ = ParseAcknowledgement(data)
		_, _ = ReadReceipt(data, giving)
	})
}
