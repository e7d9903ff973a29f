// Package termtest is test support: pseudo terminals that behave like serial
// lines. It is imported by tests only and starts no goroutine.
package termtest

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"watchpost/engine/need"
)

// PTY opens a pseudo terminal of w columns and h lines; 0 and 0 is what a serial
// line says. Both ends are closed when the test ends.
func PTY(t testing.TB, w, h uint16) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		need.Skip(t, "no pseudo terminals here: "+err.Error())
	}
	t.Cleanup(func() { master.Close() })
	conn, err := master.SyscallConn() // not Fd: it would make reads block for ever
	if err != nil {
		t.Fatal(err)
	}
	var number int
	err2 := conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err != nil {
			return
		}
		if number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN); err != nil {
			return
		}
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: h, Col: w})
	})
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}
