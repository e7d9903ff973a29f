package sshd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/crypto/ssh"

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
