package tpm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"amber/evidence/keys/tpm/tpmtest"
)

// within does something with the TPM itself.
func within(t *testing.T, d Device, do func(transport.TPM) error) {
	t.Helper()
	c, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(do(c), c.Close()); err != nil {
		t.Fatal(err)
	}
}

// provision puts the storage key where the TCG has it.
func provision(t *testing.T, d Device) {
	t.Helper()
	within(t, d, func(c transport.TPM) error {
		parent, err := storageKey(c, &Key{parent: tpm2.TPMRHOwner})
		if err != nil {
			return err
		}
		_, err = tpm2.EvictControl{Auth: tpm2.TPMRHOwner, ObjectHandle: parent.as(tpm2.PasswordAuth(nil)), PersistentHandle: provisioned}.Execute(c)
		return errors.Join(err, parent.flush(c))
	})
}

func signsAndLeavesNothing(t *testing.T, d Device, k *Key) {
	t.Helper()
	s, err := reread(t, k).Open(d, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	opensslVerifies(t, k.Public(), "a message", signed(t, s, "a message"))
	nothingLeft(t, d)
}

func TestOwnersPassword(t *testing.T) {
	d := deviceOf(tpmtest.New(t))
	provision(t, d)
	within(t, d, func(c transport.TPM) error {
		_, err := tpm2.HierarchyChangeAuth{AuthHandle: tpm2.TPMRHOwner, NewAuth: tpm2.TPM2BAuth{Buffer: []byte("owner")}}.Execute(c)
		return err
	})
	k := newKey(t, d, passphrase)
	if k.parent != provisioned {
		t.Errorf("the key lies under %#x", k.parent)
	}
	signsAndLeavesNothing(t, d, k)
	within(t, d, func(c transport.TPM) error {
		key, err := persistentKey(c, provisioned)
		if err != nil {
			return err
		}
		owner := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth([]byte("owner"))}
		_, err = tpm2.EvictControl{Auth: owner, ObjectHandle: key.as(tpm2.PasswordAuth(nil)), PersistentHandle: provisioned}.Execute(c)
		return err
	})
	refused(t, d, "owner hierarchy has a password")
	if _, err := k.Open(d, []byte(passphrase)); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "no key at 0x81000001") {
		t.Errorf("without the key that it lies under: %v", err)
	}
}

// Other programs' keys lie under RSA at times.
func TestRSAParent(t *testing.T) {
	d := deviceOf(tpmtest.New(t))
	k := &Key{parent: tpm2.TPMRHOwner, rsaParent: true}
	within(t, d, func(c transport.TPM) error {
		parent, err := storageKey(c, k)
		if err != nil {
			return err
		}
		return errors.Join(k.create(c, parent, []byte(passphrase)), parent.flush(c))
	})
	signsAndLeavesNothing(t, d, k)
}

// A key that openssl's provider made under a key that is in the TPM for good.
func TestOpenSSLsKeyUnderPersistent(t *testing.T) {
	p := tpmtest.New(t)
	provision(t, deviceOf(p))
	dir := t.TempDir()
	providers(t, p, dir)("genpkey", "-algorithm", "EC", "-pkeyopt", "group:P-256", "-pkeyopt", "parent:0x81000001", "-out", "key")
	p.Serve()
	file, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	k := parsed(t, string(file))
	if k.parent != provisioned {
		t.Errorf("the key lies under %#x", k.parent)
	}
	signsAndLeavesNothing(t, deviceOf(p), k)
}
