package casedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Variable is the environment variable that Find looks at.
const Variable = "AMBER_CASE"

// Find gives the directory of the case that is meant: flag, else AMBER_CASE,
// else the current directory or the nearest one above that holds a case. None
// gives ErrNoCase. The first two are taken as they are; one that is stumbled
// upon must belong to root, to this user or to the one who called sudo, for a
// case says who may sign.
func Find(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if dir := os.Getenv(Variable); dir != "" {
		return dir, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for a case: %w", err)
	}
	for {
		info, err := os.Lstat(filepath.Join(dir, infoFile))
		if err == nil && info.Mode().IsRegular() {
			if err := checkOwner(dir, info); err != nil {
				return "", err
			}
			return dir, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("looking for a case: %w", err)
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%w here or above; name one with --case or %s", ErrNoCase, Variable)
		}
		dir = filepath.Dir(dir)
	}
}

func checkOwner(dir string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("looking for a case: no owner of its file is known")
	}
	sudo, err := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32)
	if st.Uid == 0 || int64(st.Uid) == int64(os.Geteuid()) || err == nil && uint64(st.Uid) == sudo {
		return nil
	}
	return fmt.Errorf("the case found in %s belongs to another user (uid %d); name it with --case if it is the one you mean", dir, st.Uid)
}
