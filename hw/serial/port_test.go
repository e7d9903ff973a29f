package serial

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"watchpost/tui/term/termtest"
)

// patience is how long a broken port is waited for.
const patience = 20 * time.Second

func line(t *testing.T, c Config) (master *os.File, device string, p *Port) {
	t.Helper()
	lockDir = t.TempDir()
	master, slave := termtest.PTY(t, 0, 0)
	p, err := Open(slave.Name(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return master, slave.Name(), p
}

func termios(t *testing.T, device string) *unix.Termios {
	t.Helper()
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	tio, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		t.Fatal(err)
	}
	return tio
}

func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not end", what)
	}
}

func TestRawAndBack(t *testing.T) {
	lockDir = t.TempDir()
	master, slave := termtest.PTY(t, 0, 0)
	before := termios(t, slave.Name())
	p, err := Open(slave.Name(), Config{Baud: 9600, Flow: "xonxoff"})
	if err != nil {
		t.Fatal(err)
	}
	now := termios(t, slave.Name()) // root may open it still
	if now.Ospeed != 9600 || now.Ispeed != 9600 || now.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 || now.Oflag&unix.OPOST != 0 ||
		now.Iflag&(unix.IXON|unix.IXOFF) != unix.IXON|unix.IXOFF || now.Cflag&unix.CLOCAL == 0 {
		t.Errorf("the port is set to %+v", now)
	}
	text, err := os.ReadFile(filepath.Join(lockDir, "LCK.."+filepath.Base(slave.Name())))
	if want := fmt.Sprintf("%10d\n", os.Getpid()); err != nil || string(text) != want {
		t.Errorf("the lock file is %q, %v", text, err)
	}
	if _, err := p.Write([]byte("a\nb\x03")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if n, _ := master.Read(buf); string(buf[:n]) != "a\nb\x03" {
		t.Errorf("there arrives %q", buf[:n])
	}
	master.Write([]byte("x\r\x03"))
	if n, _ := p.Read(buf); string(buf[:n]) != "x\r\x03" {
		t.Errorf("there comes %q", buf[:n])
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if after := termios(t, slave.Name()); *after != *before {
		t.Errorf("left as %+v, was %+v", after, before)
	}
	if left, _ := os.ReadDir(lockDir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
}

// The other end is gone: a Read that waits ends, and so does everything after.
func TestUnplugged(t *testing.T) {
	master, _, p := line(t, Config{Baud: 115200})
	got := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 16))
		got <- err
	}()
	time.Sleep(20 * time.Millisecond)
	master.Close()
	select {
	case err := <-got:
		if err != io.EOF {
			t.Errorf("Read: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Read does not end")
	}
	if _, err := p.Write([]byte("x")); err != io.EOF {
		t.Errorf("Write: %v", err)
	}
	within(t, "Close", func() { p.Close() })
}

func TestCloseEndsARead(t *testing.T) {
	_, _, p := line(t, Config{Baud: 115200})
	got := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 16))
		got <- err
	}()
	time.Sleep(20 * time.Millisecond)
	within(t, "Close", func() { p.Close() })
	select {
	case err := <-got:
		if !errors.Is(err, ErrClosed) {
			t.Errorf("Read: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Read does not end")
	}
}

// The person pressed ctrl+s on a line with XON/XOFF, or nobody reads the other
// end: a write gives up at its deadline, Close does not hang, and a line that
// goes on takes bytes again.
func TestStopped(t *testing.T) {
	for name, stop := range map[string]func(master *os.File){
		"XOFF":            func(master *os.File) { master.Write([]byte{0x13}) },
		"nobody reads it": func(*os.File) {},
	} {
		t.Run(name, func(t *testing.T) {
			master, _, p := line(t, Config{Baud: 115200, Flow: "xonxoff"})
			stop(master)
			time.Sleep(50 * time.Millisecond)
			stuck := func() error {
				for range 1000 {
					p.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
					if _, err := p.Write(make([]byte, 1024)); err != nil {
						return err
					}
				}
				return nil
			}
			if err := stuck(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("1 MB was written: %v", err)
			}
			if name == "XOFF" {
				master.Write([]byte{0x11})
			}
			go io.Copy(io.Discard, master)
			within(t, "a write after it goes on", func() {
				for {
					p.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
					if _, err := p.Write([]byte("x")); err == nil {
						return
					}
				}
			})
			stop(master)
			stuck()
			within(t, "Close of a stopped line", func() { p.Close() })
		})
	}
}

func TestWhatIsNoPort(t *testing.T) {
	lockDir = t.TempDir()
	c := Config{Baud: 9600}
	if _, err := Open(filepath.Join(t.TempDir(), "ttyUSB7"), c); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
	if _, err := Open("/dev/null", c); !errors.Is(err, ErrNotSerial) {
		t.Errorf("/dev/null: %v", err)
	}
	if left, _ := os.ReadDir(lockDir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTaken(t *testing.T) {
	t.Run("opened twice", func(t *testing.T) {
		_, device, _ := line(t, Config{Baud: 9600})
		var e *TakenError
		if _, err := Open(device, Config{Baud: 9600}); !errors.As(err, &e) || e.Login {
			t.Errorf("%v", err)
		}
	})
	t.Run("lock file", func(t *testing.T) {
		lockDir = t.TempDir()
		_, slave := termtest.PTY(t, 0, 0)
		other := exec.Command("sleep", "60")
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { other.Process.Kill(); other.Wait() }()
		path := filepath.Join(lockDir, "LCK.."+filepath.Base(slave.Name()))
		os.WriteFile(path, fmt.Appendf(nil, "%10d sleep root\n", other.Process.Pid), 0o644)
		_, err := Open(slave.Name(), Config{Baud: 9600})
		if want := fmt.Sprintf("%s is used by sleep (process %d): end that, or name another port", slave.Name(), other.Process.Pid); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the other's lock file: %v", err)
		}
		other.Process.Kill()
		other.Wait()
		p, err := Open(slave.Name(), Config{Baud: 9600}) // a file that was left behind is none
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
	})
	t.Run("a log-in", func(t *testing.T) {
		lockDir = t.TempDir()
		_, slave := termtest.PTY(t, 0, 0)
		getty := exec.Command("sleep", "60")
		getty.Stdin = slave
		getty.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
		if err := getty.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { getty.Process.Kill(); getty.Wait() }()
		_, err := Open(slave.Name(), Config{Baud: 9600})
		var e *TakenError
		if !errors.As(err, &e) || !e.Login || e.PID != getty.Process.Pid || !strings.Contains(err.Error(), "systemctl disable --now serial-getty@") {
			t.Errorf("%v", err)
		}
	})
}
