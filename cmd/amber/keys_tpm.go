package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"amber/evidence/keys"
	"amber/evidence/keys/tpm"
	"amber/evidence/safetext"
)

// tpmHelp stands in the help of keys new.
const tpmHelp = "\nWith --tpm the key is of ECDSA P-256 and lives in the TPM 2.0 at DEVICE, or $" + tpm.Variable + ", or\n" +
	tpm.DefaultDevice + ": the file at $AMBER_KEY is of use to that TPM alone, and is what openssl's\n" +
	"tpm2 provider reads too (TSS2 PRIVATE KEY). Its passphrase has at most 32 bytes, and the\n" +
	"TPM takes none for a while after a few wrong ones; an empty one makes a key that whoever\n" +
	"may open the device and read the file signs with. Such a key has no copy: it ends with\n" +
	"its TPM, and proves that somebody had that machine, besides the passphrase."

func tpmFlag() cli.Flag {
	return &cli.BoolFlag{Name: "tpm", Usage: "make the key in the TPM 2.0 at DEVICE"}
}

// keysNewAt is keys new: in a file, or in a TPM.
func keysNewAt(c *cli.Context, asJSON bool) error {
	if c.Bool("tpm") {
		return keysNewInTPM(c, asJSON)
	}
	if c.Args().Present() {
		return usagef("DEVICE goes with --tpm: amber keys new --tpm %s", c.Args().First())
	}
	return keysNew(c, asJSON)
}

func keysNewInTPM(c *cli.Context, asJSON bool) error {
	path, err := keys.DefaultPath()
	if err != nil {
		return err
	}
	device := tpm.Default()
	if c.Args().Present() {
		device.Path = c.Args().First()
	}
	passphrase, err := keys.AskNew()
	if err != nil {
		return err
	}
	pub, err := keys.NewInTPM(path, device, passphrase, keyComment(c))
	if err != nil {
		return err
	}
	if device != tpm.Default() {
		fmt.Fprintf(os.Stderr, "amber: whenever this key signs, %s=%s must be set\n", tpm.Variable, safetext.Line(device.Path))
	}
	return printKey(path, pub, asJSON)
}
