package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"golang.org/x/crypto/ssh"

	"watchpost/engine/event"
)

// client is an x/crypto client, whose screen is a virtual terminal.
type client struct {
	*ssh.Session
	t  *testing.T
	in io.WriteCloser
	mu sync.Mutex
	vt *vt.Emulator
	n  int // bytes that came
	// held stops it from reading.
	held sync.Mutex
}

func (r *sshRig) dial(key string) *ssh.Client {
	r.t.Helper()
	private, err := os.ReadFile(key)
	if err != nil {
		r.t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := ssh.Dial("tcp", "127.0.0.1:"+r.port, &ssh.ClientConfig{User: "x", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

func (r *sshRig) client(key, terminal string) *client {
	r.t.Helper()
	s, err := r.dial(key).NewSession()
	if err != nil {
		r.t.Fatal(err)
	}
	c := &client{Session: s, t: r.t, vt: vt.NewEmulator(80, 24)}
	if err := s.RequestPty(terminal, 24, 80, ssh.TerminalModes{}); err != nil {
		r.t.Fatal(err)
	}
	c.in, _ = s.StdinPipe()
	out, _ := s.StdoutPipe()
	if err := s.Shell(); err != nil {
		r.t.Fatal(err)
	}
	go io.Copy(c.in, c.vt) // the terminal's answers; ends with the session
	go func() {
		for buf := make([]byte, 4096); ; {
			n, err := out.Read(buf)
			c.mu.Lock()
			c.vt.Write(buf[:n])
			c.n += n
			c.mu.Unlock()
			if err != nil {
				return
			}
			c.held.Lock()
			c.held.Unlock()
		}
	}()
	return c
}

func (c *client) screen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.vt.String()
}

func (c *client) sees(text string) {
	c.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(c.screen(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("%q does not come:\n%s", text, c.screen())
		}
	}
}

// TERM=dumb gets words and no escape sequence.
func TestSSHDumb(t *testing.T) {
	r := newSSHRig(t)
	r.serve().ready()
	key := r.letIn("installer")
	r.open()
	op := r.letIn("gate", "--operator")
	for _, c := range []struct{ key, typed, says, not string }{
		{key, "status\rtrigger 'front yard'\rq\r", "front yard", "no command"},
		{op, "?\rqueue drop 1\rq\r", "operator", "drop ID"},
	} {
		cmd := r.ssh(c.key, "-tt", "127.0.0.1")
		cmd.Env = append(cmd.Env, "TERM=dumb")
		cmd.Stdin = strings.NewReader(c.typed)
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte(c.says)) || bytes.Contains(out, []byte(c.not)) || bytes.ContainsRune(out, '\x1b') || regexp.MustCompile(`[^\r]\n`).Match(out) {
			t.Errorf("%v %q", err, out)
		}
	}
}

// A client that stops reading delays no frame of the engine and no other session.
func TestSSHClientThatStopsReading(t *testing.T) {
	r := newSSHRig(t)
	r.serve().ready()
	key := r.letIn("installer")
	r.open()
	stuck, other := r.client(key, "xterm-256color"), r.client(key, "vt100")
	stuck.sees("1 Status")
	other.sees("1 Status")
	stuck.held.Lock()
	for i := range 300 { // pages, until its window and all buffers are full
		stuck.in.Write([]byte{'1' + byte(i%7)})
		time.Sleep(2 * time.Millisecond)
	}
	before := r.status()
	for _, page := range []string{"2", "5", "6", "1"} {
		other.in.Write([]byte(page))
		other.sees("[" + page)
	}
	time.Sleep(2 * time.Second)
	after := r.status()
	if after.Camera.State != event.CameraOK || after.Camera.FPS < before.Camera.FPS/2 {
		t.Errorf("the camera: %v at %.1f, before %.1f frames a second", after.Camera.State, after.Camera.FPS, before.Camera.FPS)
	}
	stuck.held.Unlock()
	stuck.in.Write([]byte("7"))
	stuck.sees("[7 System")
	stuck.WindowChange(10, 40)
	stuck.sees("Watchpost needs 60 columns")
}

// TestSSHManySessions is a table for a person, and a bound on memory that a leak of
// sessions would break: `go test -v -run TestSSHManySessions ./cmd/watchpost`.
func TestSSHManySessions(t *testing.T) {
	const n = 50
	r := newSSHRig(t)
	s := r.serve().ready()
	key := r.letIn("installer")
	r.open()
	time.Sleep(2 * time.Second)
	rss := func() (kb int) {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
		fmt.Sscanf(regexp.MustCompile(`VmRSS:\s+(\d+)`).FindString(string(data)), "VmRSS: %d", &kb)
		return kb
	}
	empty, fps := rss(), r.status().Camera.FPS
	var all []*client
	var slowest, sum time.Duration
	for range n {
		begin := time.Now()
		c := r.client(key, "xterm-256color")
		c.sees("1 Status")
		d := time.Since(begin)
		slowest, sum = max(slowest, d), sum+d
		all = append(all, c)
	}
	time.Sleep(time.Second)
	all[n-1].mu.Lock()
	drawn := all[n-1].n // all that the last one has got so far: the first screen, drawn whole
	all[n-1].mu.Unlock()
	for range 10 { // what all of them show
		r.run("", "trigger", "front yard")
		time.Sleep(300 * time.Millisecond)
	}
	for _, c := range all {
		c.sees("front yard")
	}
	full, st := rss(), r.status()
	t.Logf("%d sessions: %.2f MB each (%.1f MB before, %.1f MB with them); first screen %d bytes, %v at the slowest, %v on average; camera %.1f frames a second before, %.1f with them, %d dropped; %d processors",
		n, float64(full-empty)/1000/n, float64(empty)/1000, float64(full)/1000, drawn, slowest.Round(time.Millisecond), (sum / n).Round(time.Millisecond), fps, st.Camera.FPS, st.Camera.Dropped, runtime.NumCPU())
	if each := float64(full-empty) / 1000 / n; each > 1.5 {
		t.Errorf("%.2f MB a session", each)
	}
	for _, c := range all {
		c.Close()
	}
	s.stop(syscall.SIGTERM)
}
