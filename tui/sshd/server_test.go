package sshd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"watchpost/engine/secret"
	"watchpost/tui/term"
)

// patience is how long a broken server is waited for.
const patience = 30 * time.Second

// rig is a server with an interface that echoes what it is told.
type rig struct {
	t    testing.TB
	s    *Server
	file KeyFile
	addr string

	mu       sync.Mutex
	settings Settings
	lines    chan *term.Line // of the interfaces that were shown
}

func serve(t testing.TB, change func(*Server)) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, file: KeyFile(filepath.Join(dir, "authorized_keys")), lines: make(chan *term.Line, 100)}
	r.addr = freePort(t)
	r.settings = Settings{Listen: r.addr, Keys: r.file}
	r.s = New(Options{
		Settings: func() Settings { r.mu.Lock(); defer r.mu.Unlock(); return r.settings },
		HostKey:  filepath.Join(dir, HostKeyName),
		Show:     r.show,
		Command: func(ctx context.Context, who Who, args []string, in io.Reader, out, errs io.Writer) int {
			switch args[0] {
			case "wait":
				<-ctx.Done()
				return 9
			case "fail":
				fmt.Fprintln(errs, "it failed")
				return 3
			}
			fmt.Fprintf(out, "%q operator=%v\n", args, who.Operator)
			return 0
		},
		Files: fstest.MapFS{"ev/1.jpg": {Data: []byte("picture")}, "ev/event.json": {Data: []byte("{}")}},
		Log:   slog.New(slog.DiscardHandler),
	})
	if change != nil {
		change(r.s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	return r
}

// show says the size, its changes and what is typed; q leaves.
func (r *rig) show(ctx context.Context, line *term.Line, who Who) error {
	r.lines <- line
	w := term.NewWriter(line.Port)
	fmt.Fprintf(w, "size %dx%d %s\r\n", line.Size.Width, line.Size.Height, strings.Join(line.Env, " "))
	keys := make(chan byte)
	go func() {
		defer close(keys)
		for buf := make([]byte, 100); ; {
			n, err := line.Port.Read(buf)
			for _, b := range buf[:n] {
				keys <- b
			}
			if err != nil {
				return
			}
		}
	}()
	defer func() {
		line.Port.SetReadDeadline(time.Unix(1, 0))
		for range keys {
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-line.Resized:
			fmt.Fprintf(w, "size %dx%d\r\n", s.Width, s.Height)
		case b, ok := <-keys:
			switch {
			case !ok:
				return errors.New("gone")
			case b == 'q':
				return nil
			case b == 'f': // flood
				for range 2000 {
					w.Write(bytes.Repeat([]byte("x"), 4096))
				}
				fmt.Fprint(w, "flooded\r\n")
			default:
				fmt.Fprintf(w, "key %c\r\n", b)
			}
		}
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// key lets a new key in.
func (r *rig) key(options string) ssh.AuthMethod { return ssh.PublicKeys(r.signer(options)) }

func (r *rig) signer(options string) ssh.Signer {
	r.t.Helper()
	signer, line := newPair(r.t, "test")
	keys, err := ParseKeys(options + line)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.file.Add(keys); err != nil {
		r.t.Fatal(err)
	}
	return signer
}

func (r *rig) dial(auth ...ssh.AuthMethod) (*ssh.Client, error) {
	return ssh.Dial("tcp", r.addr, &ssh.ClientConfig{User: "anybody", Auth: auth, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: patience})
}

// login waits until the key is let in.
func (r *rig) login(auth ...ssh.AuthMethod) *ssh.Client {
	r.t.Helper()
	var c *ssh.Client
	r.until("the key is let in", func() bool {
		var err error
		c, err = r.dial(auth...)
		return err == nil
	})
	r.t.Cleanup(func() { c.Close() })
	return c
}

func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("never: %s", what)
		}
	}
}

// screen is an interface over SSH.
type screen struct {
	*ssh.Session
	t   testing.TB
	in  io.WriteCloser
	out io.Reader
	got []byte
}

func shell(t testing.TB, c *ssh.Client, env ...string) *screen {
	t.Helper()
	ses, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		ses.Setenv(name, value) // refused ones are refused
	}
	if err := ses.RequestPty("xterm", 24, 80, ssh.TerminalModes{}); err != nil {
		t.Fatal(err)
	}
	s := &screen{Session: ses, t: t}
	s.in, _ = ses.StdinPipe()
	s.out, _ = ses.StdoutPipe()
	if err := ses.Shell(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *screen) sees(text string) {
	s.t.Helper()
	late := time.AfterFunc(patience, func() { s.Close() })
	defer late.Stop()
	buf := make([]byte, 32<<10)
	for !bytes.Contains(s.got, []byte(text)) {
		n, err := s.out.Read(buf)
		s.got = append(s.got, buf[:n]...)
		if n == 0 && err != nil {
			s.t.Fatalf("%q does not come: %v; got %.300q", text, err, s.got)
		}
	}
	s.got = nil
}

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

func TestWrongKeys(t *testing.T) {
	r := serve(t, nil)
	own := r.signer("")
	good := ssh.PublicKeys(own)
	r.login(good).Close()
	var wrong []ssh.Signer
	for range maxTries + 4 {
		s, _ := newPair(t, "wrong")
		wrong = append(wrong, s)
	}
	if _, err := r.dial(ssh.PublicKeys(wrong...)); err == nil {
		t.Fatal("a wrong key was let in")
	}
	if _, err := r.dial(ssh.PublicKeys(append(wrong[:3:3], own)...)); err != nil {
		t.Errorf("three wrong keys of an agent before the good one: %v", err)
	}
	for range maxFailures {
		r.dial(ssh.PublicKeys(wrong[0]))
	}
	r.until("the address is shut out", func() bool { _, err := r.dial(good); return err != nil })
	// Another address is not.
	if r.s.limits.refused(netip.MustParseAddr("192.0.2.1")) {
		t.Error("everybody is shut out")
	}
}

func TestPassword(t *testing.T) {
	r := serve(t, nil)
	hash, err := secret.Hash("let me in please")
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.settings.Password = hash
	r.mu.Unlock()
	c := r.login(ssh.Password("let me in please"))
	s := shell(t, c)
	s.sees("size")
	if _, err := r.dial(ssh.Password("let me in, please")); err == nil {
		t.Error("a wrong password was let in")
	}
	for _, p := range []string{"", hash, strings.Repeat("x", 5000)} {
		if _, err := r.dial(ssh.Password(p)); err == nil {
			t.Errorf("%.20q was let in", p)
		}
	}
	r.mu.Lock()
	r.settings.Password = "in clear"
	r.mu.Unlock()
	s.sees("does not let in any more")
	r.until("it is told", func() bool { return strings.Contains(r.s.Ways()[0].Problem, "in clear") })
}

// The table of addresses is bounded, and does not forget the worst.
func TestFailuresAreBounded(t *testing.T) {
	now := time.Now()
	l := newLimits(func() time.Time { return now })
	bad := netip.MustParseAddr("192.0.2.1")
	for range maxFailures {
		l.fail(bad)
	}
	for i := range 3 * maxAddresses {
		l.fail(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if len(l.failed) > maxAddresses || !l.refused(bad) {
		t.Errorf("%d addresses, refused %v", len(l.failed), l.refused(bad))
	}
	if l.connect(bad) {
		t.Error("it may connect")
	}
	now = now.Add(failuresFor)
	if l.refused(bad) {
		t.Error("for ever")
	}
	a := address(&net.TCPAddr{IP: net.ParseIP("2001:db8:0:1::5")})
	if b := address(&net.TCPAddr{IP: net.ParseIP("2001:db8:0:1:9::7")}); a != b {
		t.Errorf("%v and %v are one network", a, b)
	}
	if a := address(&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1")}); a != bad {
		t.Error(a)
	}
}

// Who connects and says nothing takes no place from the others.
func TestConnectionsThatSayNothing(t *testing.T) {
	r := serve(t, nil)
	auth := r.key("")
	r.login(auth).Close()
	for range maxPendingBy + 10 {
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	time.Sleep(100 * time.Millisecond)
	r.s.limits.mu.Lock()
	waiting := r.s.limits.waiting
	r.s.limits.mu.Unlock()
	if waiting > maxPendingBy {
		t.Errorf("%d connections wait to log in", waiting)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	r := serve(t, nil)
	auth := r.key("")
	n := 0
	for range maxSessions/maxPerConn + 1 {
		c := r.login(auth)
		for range maxPerConn + 1 {
			s, err := c.NewSession()
			if err != nil {
				continue
			}
			if err := s.Start("wait"); err == nil {
				n++
			}
		}
	}
	if n != maxSessions {
		t.Errorf("%d sessions, want %d", n, maxSessions)
	}
	if w := r.s.Ways()[0]; !strings.Contains(w.How, "64 sessions") {
		t.Errorf("%+v", w)
	}
}

func TestIdle(t *testing.T) {
	r := serve(t, func(s *Server) { s.idle, s.alive = time.Second, 50*time.Millisecond })
	s := shell(t, r.login(r.key("")))
	for range 4 {
		time.Sleep(400 * time.Millisecond)
		s.in.Write([]byte("a"))
		s.sees("key a") // somebody is there
	}
	s.sees("Nobody has typed")
}

// mute is a connection that can stop to answer.
type mute struct {
	net.Conn
	gate sync.RWMutex
}

func (m *mute) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.gate.RLock()
	m.gate.RUnlock()
	return n, err
}

func TestClientThatIsGone(t *testing.T) {
	r := serve(t, func(s *Server) { s.alive = 50 * time.Millisecond })
	auth := r.key("")
	r.login(auth).Close()
	raw, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	m := &mute{Conn: raw}
	sc, chans, reqs, err := ssh.NewClientConn(m, r.addr, &ssh.ClientConfig{User: "x", Auth: []ssh.AuthMethod{auth}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	c := ssh.NewClient(sc, chans, reqs)
	shell(t, c).sees("size")
	m.gate.Lock()
	defer m.gate.Unlock()
	r.until("the session is given up", func() bool { return r.s.limits.open() == 0 })
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
