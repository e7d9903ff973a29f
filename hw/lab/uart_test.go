//go:build vivid

package lab

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"watchpost/hw/serial"
)

// uart is a real 8250, whose other end is the host's test (farEnd).
const uart = "/dev/ttyS1"

func TestUART(t *testing.T) {
	if _, err := serial.Open("/dev/ttyS3", serial.Config{Baud: 9600}); err == nil || !strings.Contains(err.Error(), "there is no port behind") {
		t.Errorf("a port that is not built in: %v", err)
	}
	if _, err := serial.Open(uart, serial.Config{Baud: 4000000}); err == nil || !strings.Contains(err.Error(), "cannot do 4000000 baud") {
		t.Errorf("a rate that it does not have: %v", err)
	}
	p, err := serial.Open(uart, serial.Config{Baud: 9600, Flow: "rtscts"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	var got []byte
	buf := make([]byte, 64)
	p.SetReadDeadline(time.Now().Add(20 * time.Second))
	for !bytes.Contains(got, []byte("answer\r")) { // raw: no carriage return becomes anything else
		n, err := p.Read(buf)
		if got = append(got, buf[:n]...); err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
	// From here on nobody reads at the other end.
	for written := 0; ; {
		p.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, err := p.Write(make([]byte, 4096))
		if written += n; errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil || written > 8<<20 {
			t.Fatalf("after %d bytes: %v", written, err)
		}
	}
	p.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := p.Write([]byte{0x18}); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a stopped line takes %d more: %v", n, err)
	}
	begin := time.Now()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > 5*time.Second { // the kernel itself waits 30 s (closing_wait)
		t.Errorf("closing a stopped line took %v", d)
	}
	fd, err := unix.Open(uart, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if now, err := unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil || now.Lflag&unix.ECHO == 0 || now.Cflag&unix.CRTSCTS != 0 {
		t.Errorf("it is left as %+v, %v", now, err)
	}
}
