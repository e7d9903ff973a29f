package sshd

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Nothing listens before there is a key, and nothing after the last one is gone.
func TestClosedUntilThereIsAKey(t *testing.T) {
	r := serve(t, nil)
	time.Sleep(settle + 200*time.Millisecond)
	if c, err := net.Dial("tcp", r.addr); err == nil {
		c.Close()
		t.Fatal("it listens without a key")
	}
	if w := r.s.Ways()[0]; w.State != "closed" {
		t.Errorf("%+v", w)
	}
	c := r.login(r.key(""))
	if w := r.s.Ways()[0]; w.State != "ready" || w.How != "1 key" || w.Name != r.addr {
		t.Errorf("%+v", w)
	}
	s := shell(t, c)
	s.sees("size 80x24")
	keys, _, _ := r.file.Keys()
	if _, err := r.file.Remove(keys[0].Fingerprint); err != nil {
		t.Fatal(err)
	}
	s.sees("does not let in any more") // its session ends, with the reason
	if err := c.Wait(); err == nil {
		t.Error("the connection is still there")
	}
	r.until("nothing listens", func() bool {
		c, err := net.Dial("tcp", r.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

func TestInterface(t *testing.T) {
	r := serve(t, nil)
	c := r.login(r.key(""))
	s := shell(t, c, "LANG=de_DE.UTF-8", "LC_ALL=C", "LC_X\n=1", "COLORTERM=truecolor", "NO_COLOR=1", "PATH=/tmp", "LD_PRELOAD=/tmp/x.so", "SSH_AUTH_SOCK=/tmp/a")
	s.sees("size 80x24")
	env := strings.Join((<-r.lines).Env, " ")
	if env != "LANG=de_DE.UTF-8 LC_ALL=C COLORTERM=truecolor NO_COLOR=1 TERM=xterm SSH_TTY=ssh" {
		t.Errorf("the environment is %q", env)
	}
	for i := range 50 { // nobody is held up by sizes that come fast
		if err := s.WindowChange(30+i, 100+i); err != nil {
			t.Fatal(err)
		}
	}
	s.sees("size 149x79")
	s.in.Write([]byte("a"))
	s.sees("key a")
	s.in.Write([]byte("q"))
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
	for what, ask := range map[string]func() (bool, error){
		"an agent": func() (bool, error) { return second(t, c).SendRequest("auth-agent-req@openssh.com", true, nil) },
		"X11":      func() (bool, error) { return second(t, c).SendRequest("x11-req", true, nil) },
		"a remote port": func() (bool, error) {
			ok, _, err := c.SendRequest("tcpip-forward", true, ssh.Marshal(struct {
				A string
				P uint32
			}{"", 0}))
			return ok, err
		},
		"a subsystem": func() (bool, error) {
			return second(t, c).SendRequest("subsystem", true, ssh.Marshal(struct{ N string }{"netconf"}))
		},
	} {
		if ok, err := ask(); ok || err != nil {
			t.Errorf("%s: %v, %v", what, ok, err)
		}
	}
	if _, err := c.Dial("tcp", r.addr); err == nil {
		t.Error("a port was forwarded")
	}
	if _, _, err := c.OpenChannel("auth-agent@openssh.com", nil); err == nil {
		t.Error("an agent's channel was opened")
	}
}

func second(t *testing.T, c *ssh.Client) *ssh.Session {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestCommands(t *testing.T) {
	r := serve(t, nil)
	c, op := r.login(r.key("")), r.login(r.key("operator "))
	for _, x := range []struct {
		c           *ssh.Client
		line        string
		out, errOut string
		code        int
	}{
		{c, "queue 'a b'", `["queue" "a b"] operator=false` + "\n", "", 0},
		{op, "status", `["status"] operator=true` + "\n", "", 0},
		{c, "fail", "", "it failed\n", 3},
		{c, "trigger 'yard", "", "watchpost: a quotation mark is not closed\n", 2},
	} {
		s := second(t, x.c)
		var out, errs bytes.Buffer
		s.Stdout, s.Stderr = &out, &errs
		err := s.Run(x.line)
		var exit *ssh.ExitError
		code := 0
		if errors.As(err, &exit) {
			code = exit.ExitStatus()
		}
		if out.String() != x.out || errs.String() != x.errOut || code != x.code {
			t.Errorf("%s: %q %q %d (%v)", x.line, &out, &errs, code, err)
		}
	}
	s := second(t, c)
	if err := s.Start("wait"); err != nil {
		t.Fatal(err)
	}
	s.Signal(ssh.SIGINT)
	var exit *ssh.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 9 {
		t.Errorf("after an interrupt: %v", err)
	}
	s = second(t, c) // no terminal, no command
	var errs bytes.Buffer
	s.Stderr = &errs
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err == nil || !strings.Contains(errs.String(), "needs a terminal") {
		t.Errorf("%v %q", err, &errs)
	}
}

// A client that stops reading holds up neither its own session's end, nor another's.
func TestClientThatStopsReading(t *testing.T) {
	r := serve(t, nil)
	auth := r.key("")
	stuck := shell(t, r.login(auth))
	stuck.sees("size")
	stuck.in.Write([]byte("f")) // 8 MB, four times what the window and the buffers take; nobody reads
	other := shell(t, r.login(auth))
	other.sees("size")
	for range 20 {
		other.in.Write([]byte("a"))
		other.sees("key a")
	}
	stuck.sees("flooded") // it reads again: what was dropped is gone, what comes now is there
	stuck.in.Write([]byte("b"))
	stuck.sees("key b")
}

// Nor the end of the server.
func TestServerEndsBesideAClientThatStopsReading(t *testing.T) {
	r := serve(t, nil)
	stuck := shell(t, r.login(r.key("")))
	stuck.sees("size")
	stuck.in.Write([]byte("f"))
	time.Sleep(100 * time.Millisecond)
	// The rig's cleanup ends Run, and fails where that does not end.
}

func TestListenIsTakenOverLive(t *testing.T) {
	r := serve(t, nil)
	auth := r.key("")
	s := shell(t, r.login(auth))
	s.sees("size")
	old := r.addr
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	listen := func(at string) {
		r.mu.Lock()
		r.settings.Listen = at
		r.mu.Unlock()
	}
	listen(taken.Addr().String())
	r.until("a port that is taken is told", func() bool { return strings.Contains(r.s.Ways()[0].Problem, "another program has that port") })
	r.addr = freePort(t)
	listen(r.addr)
	r.login(auth)
	if c, err := net.Dial("tcp", old); err == nil {
		c.Close()
		t.Error("it still listens where it did")
	}
	s.in.Write([]byte("a"))
	s.sees("key a") // who was there stays
	listen(Off)
	s.sees("does not let in any more")
	r.until("it is off", func() bool { return r.s.Ways()[0].State == "off" })
}

func TestHostKeyThatIsDamagedIsTold(t *testing.T) {
	r := serve(t, func(s *Server) { os.WriteFile(s.HostKey, []byte("rubbish"), 0o600) })
	r.key("")
	r.until("the damage is told", func() bool { return strings.Contains(r.s.Ways()[0].Problem, "damaged") })
	if c, err := net.Dial("tcp", r.addr); err == nil {
		c.Close()
		t.Error("it listens with another key")
	}
}

func TestSFTP(t *testing.T) {
	r := serve(t, nil)
	c, err := sftp.NewClient(r.login(r.key("operator ")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	list, err := c.ReadDir("/ev")
	if err != nil || len(list) != 2 || list[0].Name() != "1.jpg" {
		t.Errorf("%v %v", list, err)
	}
	f, err := c.Open("ev/1.jpg")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(f); string(data) != "picture" || err != nil {
		t.Errorf("%q %v", data, err)
	}
	f.Close()
	for what, err := range map[string]error{
		"create": first(c.Create("/ev/2.jpg")), "remove": c.Remove("/ev/1.jpg"), "rename": c.Rename("/ev/1.jpg", "/x"),
		"mkdir": c.Mkdir("/x"), "chmod": c.Chmod("/ev/1.jpg", 0o777), "link": c.Symlink("/etc/passwd", "/x"), "truncate": c.Truncate("/ev/1.jpg", 0),
		"append": first(c.OpenFile("/ev/1.jpg", os.O_RDWR)),
	} {
		if err == nil {
			t.Errorf("%s was done", what)
		}
	}
	for _, path := range []string{"/../etc/passwd", "../../etc/passwd", "/ev/../../etc/passwd", "/nothing"} {
		if _, err := c.Open(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	n := 0
	for range maxHandles + 10 {
		if _, err := c.Open("/ev/1.jpg"); err == nil {
			n++
		}
	}
	if n != maxHandles {
		t.Errorf("%d files are open, want %d", n, maxHandles)
	}
}

func first[T any](_ T, err error) error { return err }
