package tree

import "golang.org/x/sys/unix"

// Names calls visit with each name in the directory behind an O_PATH
// descriptor, in the directory's order and in flat memory.
func Names(fd int, visit func(name string) error) error {
	dir, err := openDir(fd)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	f := frame{fd: dir}
	s := &state{}
	for {
		d, err := f.next(s)
		if err != nil || d == nil {
			return err
		}
		if err := visit(string(d.name)); err != nil {
			return err
		}
	}
}
