package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// A key that is the public half alone is kept by an ssh-agent, as ssh-keygen -Y
// sign has it: on this machine, on another whose agent is forwarded, or on a
// hardware token.

// agentTimeout bounds the wait for an agent: it may ask its user, or want a touch.
const agentTimeout = time.Minute

// ErrAgent says that the agent is not there, or has not the key.
var ErrAgent = errors.New("the ssh-agent cannot sign")

// InAgent reports whether the key at path is one that an agent keeps.
func InAgent(path string) bool {
	_, err := agentKey(path)
	return err == nil
}

// agentKey reads a public key; the error of anything else says so.
func agentKey(path string) (ssh.PublicKey, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is not a file", path), err)
	}
	data, err := readBounded(f)
	if err != nil {
		return nil, err
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(data)
	return pub, err
}

// agentTypes are the keys of an agent that amber signs with.
var agentTypes = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256}

// agentSigner signs by the agent at $SSH_AUTH_SOCK. A key of ECDSA P-256 makes
// statements too; of another kind the agent does not give what they are derived
// from.
func agentSigner(pub ssh.PublicKey) (ssh.Signer, error) {
	if !slices.Contains(agentTypes, pub.Type()) {
		return nil, fmt.Errorf("%w: a key of type %s cannot sign here; want ssh-ed25519", ErrAgent, pub.Type())
	}
	s := &viaAgent{pub: pub}
	known := false
	err := s.ask(func(a agent.ExtendedAgent) error {
		list, err := a.List()
		for _, k := range list {
			known = known || bytes.Equal(k.Marshal(), pub.Marshal())
		}
		return err
	})
	if err == nil && !known {
		err = fmt.Errorf("%w: it does not have the key %s (ssh-add)", ErrAgent, Fingerprint(pub))
	}
	if err != nil {
		return nil, err
	}
	if c, ok := pub.(ssh.CryptoPublicKey); ok && pub.Type() == ssh.KeyAlgoECDSA256 {
		if p256, ok := c.CryptoPublicKey().(*ecdsa.PublicKey); ok {
			return &agentStatements{s, p256}, nil
		}
	}
	return s, nil
}

type viaAgent struct{ pub ssh.PublicKey }

func (s *viaAgent) PublicKey() ssh.PublicKey { return s.pub }

func (s *viaAgent) Sign(_ io.Reader, data []byte) (sig *ssh.Signature, err error) {
	err = s.ask(func(a agent.ExtendedAgent) error {
		sig, err = a.Sign(s.pub, data)
		return err
	})
	return sig, err
}

// ask connects anew each time: an agent may be gone, and back, in between.
func (s *viaAgent) ask(do func(agent.ExtendedAgent) error) error {
	at := os.Getenv("SSH_AUTH_SOCK")
	if at == "" {
		return fmt.Errorf("%w: SSH_AUTH_SOCK is not set", ErrAgent)
	}
	c, err := net.DialTimeout("unix", at, agentTimeout)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAgent, err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(agentTimeout)); err != nil {
		return err
	}
	if err := do(agent.NewClient(c)); err != nil {
		return fmt.Errorf("%w: %w", ErrAgent, err)
	}
	return nil
}

// agentStatements signs statements with a key of ECDSA P-256.
type agentStatements struct {
	*viaAgent
	p256 *ecdsa.PublicKey
}

func (s *agentStatements) Statements() crypto.Signer { return (*agentMessages)(s) }

// agentMessages is the key as crypto has it: an agent hashes by itself, so it
// signs messages and no digests.
type agentMessages agentStatements

func (s *agentMessages) Public() crypto.PublicKey { return s.p256 }

func (s *agentMessages) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("an ssh-agent signs no digests")
}

func (s *agentMessages) SignMessage(_ io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 {
		return nil, fmt.Errorf("a key of ECDSA P-256 signs by SHA-256, not by %v", opts.HashFunc())
	}
	sig, err := s.viaAgent.Sign(nil, msg)
	if err != nil {
		return nil, err
	}
	var n struct{ R, S *big.Int }
	if err := ssh.Unmarshal(sig.Blob, &n); err != nil {
		return nil, fmt.Errorf("the agent's signature: %w", err)
	}
	return asn1.Marshal(n)
}
