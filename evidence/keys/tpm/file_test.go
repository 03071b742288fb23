package tpm

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

// opensslMade is a key that openssl's tpm2 provider 1.1.1 made in a software TPM
// which is gone.
const opensslMade = `-----BEGIN TSS2 PRIVATE KEY-----
MIHwBgZngQUKAQOgAwEBAQIEQAAAAQRYAFYAIwALAAYAcgAAABAAEAADABAAIDY5
Gzraqu/Pr7qPnfxcoxfLYl75N1M27Cz4qsCiUlhKACBTDChgGmG7knc6Z3TtZW2F
VwOhbMw9m5RbK/tcjud4ugSBgAB+ACACX08W7LNMyNKypTOV/H+sbTzrxy01OfS7
htaGLC5JYQAQe4P/Td6TxWijQC1XBgVRZoYpdIgekpcFLIHugtRogqm8H393jpLb
LLmJvFn5jFxWlkQ/hZmfSWOl5+WrDfY+Z1gGgLzVR0fRBsXHpwKCACtLceAPqci3
Kpr2
-----END TSS2 PRIVATE KEY-----
`

func parsed(t testing.TB, file string) *Key {
	t.Helper()
	k, err := Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParse(t *testing.T) {
	k := parsed(t, "\n"+opensslMade+"\n")
	if k.NeedsPassphrase() || k.parent != tpm2.TPMRHOwner || k.rsaParent || len(k.public) != 88 || len(k.private) != 128 {
		t.Errorf("%+v", k)
	}
	k.noAuth, k.rsaParent, k.parent = false, true, 0x81000001
	file, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	k = parsed(t, string(file))
	if !k.NeedsPassphrase() || !k.rsaParent || k.parent != 0x81000001 {
		t.Errorf("%+v", k)
	}
}

// mended is the key of opensslMade with bytes of its DER, in hex, replaced: as
// many as there were, for no length is mended.
func mended(t *testing.T, from, to string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(opensslMade))
	text := hex.EncodeToString(block.Bytes)
	if strings.Count(text, from) != 1 || len(from) != len(to) {
		t.Fatalf("%s is there %d times, and is to be %s", from, strings.Count(text, from), to)
	}
	der, err := hex.DecodeString(strings.Replace(text, from, to, 1))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))
}

func TestParseRefuses(t *testing.T) {
	for file, want := range map[string]string{
		"":                            "no PEM block",
		"ssh-ed25519 AAAA":            "no PEM block",
		"# a comment\n" + opensslMade: "no PEM block",
		opensslMade[:200]:             "no PEM block",
		opensslMade + "x":             "something follows",
		opensslMade + opensslMade:     "something follows",
		strings.Replace(opensslMade, "-\n", "-\nProc-Type: 4\n\n", 1): "has headers",
		strings.Replace(opensslMade, "Kpr2\n", "Kpr2AAAA\n", 1):       "no TPMKey",
	} {
		refusedFile(t, file, want)
	}
}

func TestParseRefusesOtherKeys(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"06066781050a0103", "06066781050a0104", "want a loadable key"},
		{"a003010101", "a103010101", "it has policy"},
		{"a003010101", "a003020101", "field emptyAuth"},
		{"020440000001", "02044000000b", "it lies under 0x4000000b"},
		{"00560023", "00550023", "pubkey is not of the length"},
		{"007e0020", "007f0020", "privkey is not of the length"},
		{"0023000b", "0001000b", "pubkey"},
		{"000b00060072", "000c00060072", "named by SHA-256"},
		{"000b00060072", "000b00020072", "may not sign"},
		{"000b00060072", "000b00070072", "is restricted"},
		{"000b00060072", "000b00060032", "by a policy"},
		{"0020530c", "001e530c", "not the one encoding"},
		{"00100010000300100020", "00100010000400100020", "curve P-256"},
		{"002036391b3a", "002036391b3b", "pubkey"},
	} {
		refusedFile(t, mended(t, c.from, c.to), c.want)
	}
}

func refusedFile(t *testing.T, file, want string) {
	t.Helper()
	if _, err := Parse([]byte(file)); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %q of\n%s", err, want, file)
	}
}

func FuzzParse(f *testing.F) {
	block, _ := pem.Decode([]byte(opensslMade))
	f.Add(block.Bytes)
	f.Add(bytes.Replace(block.Bytes, []byte{0xa0, 3, 1, 1, 1}, []byte{0xa5, 3, 1, 1, 255}, 1))
	f.Add(bytes.Replace(block.Bytes, []byte{2, 4, 0x40, 0, 0, 1}, []byte{2, 4, 0x41, 0, 0, 1}, 1))
	f.Add(block.Bytes[:100])
	f.Fuzz(func(t *testing.T, der []byte) {
		k, err := Parse(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Fatalf("an error that says not what it is of: %v", err)
			}
			return
		}
		file, err := k.PEM()
		if err != nil {
			t.Fatal(err)
		}
		same := parsed(t, string(file))
		if same.noAuth != k.noAuth || same.rsaParent != k.rsaParent || same.parent != k.parent ||
			!bytes.Equal(same.public, k.public) || !bytes.Equal(same.private, k.private) || !same.ecdsa.Equal(k.ecdsa) {
			t.Fatalf("%+v was written, and read as %+v", k, same)
		}
	})
}

// FuzzFile gives the parser what need not even be PEM.
func FuzzFile(f *testing.F) {
	f.Add([]byte(opensslMade))
	f.Add([]byte(opensslMade[:50]))
	f.Fuzz(func(t *testing.T, file []byte) {
		if k, err := Parse(file); err == nil && (!Is(file) || k.Public() == nil) {
			t.Fatalf("a key without its public half, or of what is none: %+v", k)
		}
	})
}
