package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protowire"
)

// usual are the capabilities that a container has where nobody asked for more.
// CRIU restores what was dumped, so that with another one nothing is restored.
const usual = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FSETID | 1<<unix.CAP_FOWNER | 1<<unix.CAP_MKNOD |
	1<<unix.CAP_NET_RAW | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETUID | 1<<unix.CAP_SETFCAP | 1<<unix.CAP_SETPCAP |
	1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_SYS_CHROOT | 1<<unix.CAP_KILL | 1<<unix.CAP_AUDIT_WRITE

// bearable refuses images of threads with more capabilities than usual.
func bearable(dir string) error {
	cores, err := filepath.Glob(filepath.Join(dir, "core-*.img"))
	if err != nil || len(cores) == 0 {
		return errors.Join(err, errors.New("the checkpoint has no processes"))
	}
	for _, name := range cores {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		caps, err := capabilities(data)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
		if more := caps &^ usual; more != 0 {
			return fmt.Errorf("%s had capabilities beyond the usual (mask %#x) and would have them here: it is not restored; run the recorded file system instead", filepath.Base(name), more)
		}
	}
	return nil
}

// Numbers of fields in CRIU's images/core.proto and images/creds.proto.
const (
	coreTask         = 3
	coreThread       = 5
	taskState        = 1
	threadCreds      = 10
	credsInheritable = 9
	credsBounding    = 12
)

var errCore = errors.New("not an image of a thread")

// capabilities is what a core image's thread has, may inherit, or may come by.
func capabilities(image []byte) (caps uint64, err error) {
	const head = 12 // two magic numbers and the message's size
	if len(image) < head || uint64(binary.LittleEndian.Uint32(image[8:])) > uint64(len(image)-head) {
		return 0, errCore
	}
	core := image[head : head+int(binary.LittleEndian.Uint32(image[8:]))]
	if dead(core) {
		return 0, nil
	}
	thread, err := field1(core, coreThread)
	if err != nil {
		return 0, err
	}
	creds, err := field1(thread, threadCreds)
	if err != nil {
		return 0, err
	}
	words := map[protowire.Number]int{}
	for len(creds) > 0 {
		num, kind, n := protowire.ConsumeTag(creds)
		if n < 0 {
			return 0, errCore
		}
		creds = creds[n:]
		if num < credsInheritable || num > credsBounding {
			if n = protowire.ConsumeFieldValue(num, kind, creds); n < 0 {
				return 0, errCore
			}
			creds = creds[n:]
			continue
		}
		values, rest, err := numbers(creds, kind)
		if err != nil {
			return 0, err
		}
		creds = rest
		for _, v := range values {
			if words[num] < 2 {
				caps |= (v & 0xffffffff) << (32 * words[num])
			}
			words[num]++
		}
	}
	if words[credsBounding] == 0 {
		return 0, fmt.Errorf("%w: it has no capabilities' sets", errCore)
	}
	return caps, nil
}

// States of a task in CRIU's images (criu/include/pid.h).
const (
	stateDead   = 2
	stateZombie = 6
)

// dead tells of a process that had ended and was not reaped. Its image has no
// thread: CRIU restores its number and its exit code, and runs nothing of it.
func dead(core []byte) bool {
	task, err := field1(core, coreTask)
	if err != nil {
		return false
	}
	var states []uint64
	for len(task) > 0 {
		num, kind, n := protowire.ConsumeTag(task)
		if n < 0 {
			return false
		}
		task = task[n:]
		if n = protowire.ConsumeFieldValue(num, kind, task); n < 0 {
			return false
		}
		if num == taskState {
			v, _ := protowire.ConsumeVarint(task)
			states = append(states, v)
		}
		task = task[n:]
	}
	return len(states) == 1 && (states[0] == stateDead || states[0] == stateZombie)
}

// numbers reads one of a repeated field's values, or all where they are packed.
func numbers(b []byte, kind protowire.Type) (values []uint64, rest []byte, err error) {
	switch kind {
	case protowire.VarintType:
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, nil, errCore
		}
		return []uint64{v}, b[n:], nil
	case protowire.BytesType:
		packed, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return nil, nil, errCore
		}
		for len(packed) > 0 {
			v, m := protowire.ConsumeVarint(packed)
			if m < 0 {
				return nil, nil, errCore
			}
			values, packed = append(values, v), packed[m:]
		}
		return values, b[n:], nil
	}
	return nil, nil, errCore
}

// field1 is the one message of that number; two are nobody's writing, and CRIU
// would take both together.
func field1(b []byte, want protowire.Number) (found []byte, err error) {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, errCore
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, kind, b); n < 0 {
			return nil, errCore
		}
		if num == want {
			v, m := protowire.ConsumeBytes(b)
			if m < 0 || kind != protowire.BytesType || found != nil {
				return nil, errCore
			}
			found = v
		}
		b = b[n:]
	}
	if found == nil {
		return nil, fmt.Errorf("%w: field %d is not there", errCore, want)
	}
	return found, nil
}
