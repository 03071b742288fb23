package keys

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"
)

// PassphraseVariable is the environment variable that Ask and AskNew look at
// before the terminal.
const PassphraseVariable = "AMBER_KEY_PASSPHRASE"

// Ask gets the passphrase of the key at path from AMBER_KEY_PASSPHRASE or from
// the controlling terminal. It is made for Unlock.
func Ask(path string) func() ([]byte, error) {
	return func() ([]byte, error) {
		if secret, ok := os.LookupEnv(PassphraseVariable); ok {
			return []byte(secret), nil
		}
		return prompt("Passphrase of " + path + ": ")
	}
}

// AskNew gets a passphrase for a new key, from the terminal twice.
func AskNew() ([]byte, error) {
	if secret, ok := os.LookupEnv(PassphraseVariable); ok {
		return []byte(secret), nil
	}
	first, err := prompt("New passphrase: ")
	if err != nil {
		return nil, err
	}
	again, err := prompt("The same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, again) {
		return nil, errors.New("the two passphrases differ")
	}
	return first, nil
}

func prompt(question string) ([]byte, error) { return promptFor(PassphraseVariable, question) }

func promptFor(variable, question string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("no terminal to ask for the passphrase, and %s is not set", variable)
	}
	defer tty.Close()
	fmt.Fprint(tty, question)
	secret, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(tty)
	if err != nil {
		return nil, fmt.Errorf("asking for the passphrase: %w", err)
	}
	return secret, nil
}

// AskSecret gets a secret from the environment variable, or, where that is not
// set, from the controlling terminal.
func AskSecret(variable, question string) ([]byte, error) {
	if secret, ok := os.LookupEnv(variable); ok {
		return []byte(secret), nil
	}
	return promptFor(variable, question)
}
