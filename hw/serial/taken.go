package serial

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"watchpost/engine/durable"
)

// lockDir is where programs that dial out (minicom, picocom, uucp) keep a file
// LCK..ttyS0 with the number of the process that uses the port (FHS 3.0, 5.9).
var lockDir = "/var/lock"

// lockFile is ours; nil: none could be written, which is not needed.
type lockFile struct{ path string }

// lockPath is where a port's lock file is.
func lockPath(device string) string {
	if to, err := filepath.EvalSymlinks(device); err == nil { // of /dev/serial/by-id/…
		device = to
	}
	return filepath.Join(lockDir, "LCK.."+short(device))
}

// lockedBy is a *TakenError where a running process has the port's lock file.
func lockedBy(device string) error {
	text, err := os.ReadFile(lockPath(device))
	if pid := pidOf(text); err == nil && pid > 0 && pid != os.Getpid() && runs(pid) {
		return taken(device, pid)
	}
	return nil
}

func writeLockFile(device string) *lockFile {
	path := lockPath(device)
	if durable.WriteFile(path, 0o644, fmt.Appendf(nil, "%10d\n", os.Getpid())) != nil {
		return nil
	}
	return &lockFile{path}
}

func (l *lockFile) remove() {
	if l == nil {
		return
	}
	if text, err := os.ReadFile(l.path); err == nil && pidOf(text) == os.Getpid() {
		os.Remove(l.path)
	}
}

// pidOf reads a lock file: the number in ten columns, or as 4 bytes in the oldest kind.
func pidOf(text []byte) int {
	if len(text) == 4 && !bytes.ContainsAny(text, "\n ") {
		return int(uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16 | uint32(text[3])<<24)
	}
	first, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte{' '})
	first, _, _ = bytes.Cut(first, []byte{'\n'})
	pid, _ := strconv.Atoi(string(first))
	return pid
}

func runs(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

// taken is the error for a port that process pid has; 0: whoever has it open.
func taken(device string, pid int) *TakenError {
	e := &TakenError{Device: device, PID: pid}
	if pid == 0 {
		e.PID = holder(device)
	}
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", e.PID)); err == nil && e.PID > 0 {
		e.Name = strings.TrimSpace(string(name))
	}
	return e
}

// holder finds a process that has the device open, among those that may be looked at.
func holder(device string) int {
	path, err := filepath.EvalSymlinks(device)
	if err != nil {
		return 0
	}
	for _, pid := range processes() {
		if pid == os.Getpid() {
			continue
		}
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && to == path {
				return pid
			}
		}
	}
	return 0
}

// sessionOn finds a process whose controlling terminal the port is: a getty, a
// log-in, a shell. The kernel tells that of every process to everybody.
func sessionOn(fd int) (pid int, ok bool) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, false
	}
	// tty_nr holds a minor number's low byte, the major one and the minor's rest (proc(5)).
	major, minor := unix.Major(st.Rdev), unix.Minor(st.Rdev)
	want := strconv.Itoa(int(int32(minor&0xff | major<<8 | minor>>8<<20)))
	for _, pid := range processes() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// pid (name) state ppid pgrp session tty_nr; the name may hold anything.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) > 4 && string(fields[4]) == want {
			return pid, true
		}
	}
	return 0, false
}

func processes() (pids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
