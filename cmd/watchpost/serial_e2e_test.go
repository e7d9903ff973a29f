package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/need"
	"watchpost/engine/secret"
	"watchpost/tui/term/termtest"
)

// cable is a serial port of the box, whose other end is in the test: it carries
// 960 bytes a second, as 9600 baud do, and knows no size.
type cable struct {
	r      *rig
	device string // a link, which stays when the port behind it does not
	master *os.File

	mu   sync.Mutex
	raw  bytes.Buffer
	to   io.Writer     // where it goes; nil: only into raw
	stop chan struct{} // closed by unplug
}

// plug makes a port; its bytes go to w too.
func (r *rig) plug(w io.Writer) *cable {
	r.t.Helper()
	c := &cable{r: r, device: filepath.Join(r.dir, "ttyUSB0"), to: w, stop: make(chan struct{})}
	master, slave := termtest.PTY(r.t, 0, 0)
	c.master = master
	os.Remove(c.device)
	if err := os.Symlink(slave.Name(), c.device); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 48)
		for {
			n, err := master.Read(buf)
			c.mu.Lock()
			c.raw.Write(buf[:n])
			c.mu.Unlock()
			if w != nil {
				w.Write(buf[:n])
			}
			if err != nil {
				return
			}
			time.Sleep(time.Duration(n) * time.Second / 960)
		}
	}()
	return c
}

func (c *cable) unplug() {
	os.Remove(c.device)
	c.master.Close()
}

func (c *cable) types(s string) {
	c.r.t.Helper()
	if _, err := c.master.WriteString(s); err != nil {
		c.r.t.Fatal(err)
	}
}

func (c *cable) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

// forget forgets what came, and returns it.
func (c *cable) forget() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.raw.String()
	c.raw.Reset()
	return s
}

func (c *cable) sees(text string) {
	c.r.t.Helper()
	c.r.until(fmt.Sprintf("%q comes over the line; there is %.300q", text, c.text()), func() bool { return strings.Contains(c.text(), text) })
}

// vt100 is a terminal at the end of a cable.
type vt100 struct {
	c  *cable
	em *vt.SafeEmulator
}

func newVT100(r *rig, w, h int) *vt100 {
	v := &vt100{em: vt.NewSafeEmulator(w, h)}
	v.c = r.plug(v.em)
	go io.Copy(v.c.master, v.em) // what it answers
	r.t.Cleanup(func() { v.em.InputPipe().(io.Closer).Close() })
	return v
}

func (v *vt100) wait(text string) {
	v.c.r.t.Helper()
	v.c.r.until(fmt.Sprintf("%q stands on the screen", text), func() bool { return strings.Contains(v.em.String(), text) })
}

func (r *rig) console() event.Way {
	r.t.Helper()
	for _, w := range r.status().Ways {
		if w.Kind == "serial" {
			return w
		}
	}
	r.t.Fatalf("no console in %+v", r.status().Ways)
	return event.Way{}
}

const serialBox = "site: {name: Gate 3}\ncamera: {source: \"scene:\"}\nssh: {listen: off}\ntriggers: [{name: bell, source: manual}]\n"

// A VT100 at 9600 baud whose port knows no size: it is asked, nothing it does not
// know is sent, and the first screen and a page are as short as promised. Stopped by
// XOFF it holds nobody up; unplugged and back it is greeted again.
func TestSerialVT100(t *testing.T) {
	r := newRig(t, serialBox)
	v := newVT100(r, 80, 24)
	r.write(serialBox + fmt.Sprintf("serial: [{device: %q, baud: 9600, term: vt100, flow: xonxoff}]", v.c.device))
	r.serve().ready()
	v.c.sees("Watchpost, Gate 3. Press Enter to begin.")
	v.c.forget()
	v.c.types("\r\n")
	v.wait("[1 Status]")
	v.wait("bell")
	time.Sleep(time.Second) // what comes behind it
	first := v.c.forget()
	if n := len(first); n > 1800 {
		t.Errorf("the first screen is %d bytes", n)
	} else {
		t.Logf("first screen: %d bytes", n)
	}
	for i := 0; i < len(first); i++ {
		if c := first[i]; c >= 0x7f || c < 0x20 && !strings.ContainsRune("\x1b\r\n\b", rune(c)) {
			t.Fatalf("byte %#x is sent to a VT100: %.60q", c, first[max(0, i-20):])
		}
	}
	for _, never := range []string{"\x1b[>", "\x1b[<", "\x1b[=", "\x1b[?1049", "\x1b[?2004", "\x1b]"} {
		if strings.Contains(first, never) {
			t.Errorf("a VT100 is sent %q", never)
		}
	}
	if !strings.Contains(first, "\x1b[6n") {
		t.Error("its size is not asked for")
	}
	if w := r.console(); w.State != "in use" || w.How != "9600 baud, vt100, xonxoff" {
		t.Errorf("the console is %+v", w)
	}
	v.c.types("7")
	v.wait("[7 System]")
	time.Sleep(time.Second)
	if n := len(v.c.forget()); n > 1800 {
		t.Errorf("a page is %d bytes", n)
	} else {
		t.Logf("page switch: %d bytes", n)
	}
	v.c.types("\x13") // ctrl+s
	for i := range 20 {
		if out, errOut, code := r.run("", "trigger", "bell"); code != exitOK {
			t.Fatalf("trigger %d beside a stopped line: %d %s%s", i, code, out, errOut)
		}
	}
	v.c.types("1\x11")
	v.wait("[1 Status]")

	v.c.unplug()
	r.until("the console is absent", func() bool { return r.console().State == "absent" })
	if p := strings.Join(r.status().Problems, "\n"); strings.Contains(p, "serial") {
		t.Errorf("a cable that was pulled is told as a problem: %s", p)
	}
	again := newVT100(r, 100, 30)
	again.c.sees("Press Enter to begin.")
	again.c.types("\n")
	again.wait("[1 Status]")
	again.wait(strings.Repeat("-", 90))                                              // it was asked for its size
	again.em.Write([]byte("\r\n[   71.203] usb 1-1: new high-speed USB device\r\n")) // the kernel, into the middle of it
	again.wait("usb 1-1")
	again.c.types("\x0c") // ctrl+l
	r.until("the kernel's words are gone", func() bool { return !strings.Contains(again.em.String(), "usb 1-1") })
	again.wait("[1 Status]")
}

// The password is asked for, and what is saved of it is no password.
func TestSerialPassword(t *testing.T) {
	r := newRig(t, serialBox)
	c := r.plug(nil)
	r.write(serialBox + fmt.Sprintf("serial: [{device: %q, term: vt220}]", c.device))
	if _, errOut, code := r.run("open sesame\n", "set", "console.password", "-"); code != exitOK {
		t.Fatalf("set: %d %s", code, errOut)
	}
	l, err := config.Open(r.config).Load()
	if err != nil || !secret.Is(l.Secrets.ConsolePassword) {
		t.Fatalf("kept is something else than a hash: %v", err)
	}
	r.serve().ready()
	c.sees("Press Enter")
	c.types("\r")
	c.sees("Password: ")
	c.types("open\r")
	c.sees("That is not it. Wait 1 s.")
	c.forget()
	c.sees("Press Enter")
	c.types("\r")
	c.sees("Password: ")
	c.types("open sesame\r")
	c.sees("1 Status")
	if strings.Contains(c.text(), "sesame") {
		t.Error("the password is echoed")
	}
}

// TERM=dumb: prompts, without one escape sequence, up to a saved configuration; the
// console's own settings too, which are in force at once.
func TestSerialDumb(t *testing.T) {
	r := newRig(t, serialBox)
	c := r.plug(nil)
	r.write(serialBox + fmt.Sprintf("serial: [{device: %q, baud: 9600, term: dumb}]", c.device))
	r.serve().ready()
	c.sees("Press Enter")
	c.types("\r\n")
	say := func(answer, then string) {
		t.Helper()
		c.forget()
		c.types(answer + "\r\n")
		c.sees(then)
	}
	c.sees("Command (? lists them): ")
	say("status", "Command (?")
	if !strings.Contains(c.text(), "trigger  bell  manual  armed") {
		t.Errorf("status: %q", c.text())
	}
	say("trigger 'bell'", "Command (?")
	if st := r.status(); st.Triggers[0].Fired != 1 {
		t.Errorf("not fired: %q", c.text())
	}
	say("setup", "Site [Gate 3]: ")
	say("Gate 4", "Time zone")
	say("!", "More settings?")
	say("serial", "There is no serial here")
	say("", "Save?")
	say("yes", "Saved.")
	all := c.text()
	if strings.Contains(all, "\x1b") {
		t.Errorf("an escape sequence in %q", all)
	}
	c.sees("Command (?")
	if st := r.status(); st.Site != "Gate 4" {
		t.Errorf("the site is %q", st.Site)
	}
	if out, errOut, code := r.run("", "set", "serial", c.device+" 19200 dumb"); code != exitOK {
		t.Fatalf("set: %d %s%s", code, out, errOut)
	}
	c.sees("The settings of this console have changed.")
	c.sees("Watchpost, Gate 4. Press Enter to begin.")
}

// A log-in of the system on the port is told by name, with what to do.
func TestSerialTaken(t *testing.T) {
	r := newRig(t, serialBox)
	_, slave := termtest.PTY(t, 0, 0)
	getty := exec.Command("sleep", "600")
	getty.Stdin, getty.SysProcAttr = slave, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := getty.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { getty.Process.Kill(); getty.Wait() })
	r.write(serialBox + fmt.Sprintf("serial: [{device: %q}]", slave.Name()))
	r.serve().ready()
	r.until("the problem is told", func() bool {
		p := strings.Join(r.status().Problems, "\n")
		return strings.Contains(p, fmt.Sprintf("serial: %s is used by sleep (process %d)", slave.Name(), getty.Process.Pid)) && strings.Contains(p, "systemctl disable --now serial-getty@")
	})
}

// terminal programs as an installer has them, in a real terminal, at the other end of
// a slow line.
func TestSerialPrograms(t *testing.T) {
	for _, prog := range []struct {
		name, term string
		args       func(device string) []string
	}{
		{"picocom", "xterm", func(d string) []string { return []string{"-q", "-b", "9600", "--omap", "delbs", d} }},
		{"minicom", "vt102", func(d string) []string { return []string{"-o", "-b", "9600", "-D", d} }},
	} {
		t.Run(prog.name, func(t *testing.T) {
			path := need.Program(t, prog.name, prog.name)
			r := newRig(t, serialBox)
			far, farSlave := termtest.PTY(t, 80, 24) // the laptop's port
			c := r.plug(far)
			go io.Copy(c.master, far)
			r.write(serialBox + fmt.Sprintf("serial: [{device: %q, baud: 9600, term: %s}]", c.device, prog.term))
			cmd := exec.Command(path, prog.args(farSlave.Name())...)
			cmd.Env = append(os.Environ(), "HOME="+r.dir, "TERM=tmux")
			p := r.paneOf(80, 24, cmd)
			r.serve().ready()
			begun := func() bool { return strings.Contains(p.screen(), "[1 Status]") }
			r.until("the screen comes", func() bool { // a key that comes before the program has its port is lost
				p.keys("Enter")
				for range 60 {
					if time.Sleep(50 * time.Millisecond); begun() {
						return true
					}
				}
				return false
			})
			p.wait("bell")
			p.keys("7")
			p.wait("[7 System]")
			p.keys("Tab")
			p.text("x")
			p.wait("Gate 3x")
			p.keys("BSpace", "BSpace")
			p.text("4")
			p.wait("Gate 4")
			p.keys("C-u")
			p.wait("Site            Gate 3 ")
			p.keys("C-g")
			p.keys("3")
			p.wait("[3 Triggers]")
			s := p.screen()
			if strings.Contains(s, ";2m") || strings.Contains(s, "[?") || strings.Contains(s, "1049") {
				t.Errorf("pieces of sequences stand on the screen:\n%s", s)
			}
			p.keys("C-l")
			p.wait("[3 Triggers]")
			p.keys("q")
			p.wait("y leave")
			p.keys("y")
			p.wait("Press Enter to begin")
		})
	}
}
