// Package serial opens a serial port as a line for a person: raw, 8 data bits, no
// parity, one stop bit, for this program alone, and as it was before when it is closed.
//
// It is no protocol and draws nothing. It starts no goroutine: whoever opened a
// port reads it, writes it and closes it; Close ends a Read and a Write that wait.
//
// It is made of golang.org/x/sys/unix alone. The libraries that there are
// (go.bug.st/serial, tarm/serial) wait without end when they close a port that is
// stopped by flow control, and know no write deadline; a terminal needs both.
package serial

import (
	"errors"
	"fmt"
)

// Config says how a port is used.
type Config struct {
	Baud int    // bits a second; a byte is 10 of them
	Flow string // none, rtscts, xonxoff; empty is none
}

var (
	// ErrNotSerial says that the device is no terminal line.
	ErrNotSerial = errors.New("not a serial port")
	// ErrClosed says that the port was closed.
	ErrClosed = errors.New("the serial port is closed")
)

// TakenError says that another program uses the port.
type TakenError struct {
	Device string
	PID    int    // 0: not known
	Name   string // the program; empty: not known
	// Login says that it is a log-in prompt or a session on the line, as a getty gives.
	Login bool
}

// Error is a sentence with what to do, for a person.
func (e *TakenError) Error() string {
	by := "another program"
	if e.Name != "" {
		by = e.Name
	}
	if e.PID > 0 {
		by += fmt.Sprintf(" (process %d)", e.PID)
	}
	if e.Login {
		return fmt.Sprintf("%s is used by %s, the system's log-in. End it: systemctl disable --now serial-getty@%s", e.Device, by, short(e.Device))
	}
	return fmt.Sprintf("%s is used by %s: end that, or name another port", e.Device, by)
}
