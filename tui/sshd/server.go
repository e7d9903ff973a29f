package sshd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"watchpost/engine/event"
	"watchpost/engine/secret"
	"watchpost/tui/term"
)

// Off is Settings.Listen where nothing listens.
const Off = "off"

// settle is how often the settings and the keys are looked at.
const settle = time.Second

// Settings are what a person may change while the server runs.
type Settings struct {
	Listen   string // address:port, or Off
	Keys     KeyFile
	Password string // a hash (engine/secret); empty: keys only
}

// Who has logged in.
type Who struct {
	Operator bool   // may look, retry and fire
	From     string // address and port
	User     string // the name that the client gave; any does
	By       string // the key's fingerprint, or "password"
}

// Options are what a Server is to serve. All functions are called concurrently.
type Options struct {
	Settings func() Settings
	HostKey  string // path of the host key's file, made where it is missing
	// Show runs the interface on a line until the person leaves (nil), ctx ends or the line does.
	Show func(ctx context.Context, line *term.Line, who Who) error
	// Command runs a command and returns its exit code.
	Command func(ctx context.Context, who Who, args []string, in io.Reader, out, errs io.Writer) int
	Files   fs.FS // read over SFTP; nil: no SFTP
	Version string
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Server is an SSH server. Run it.
type Server struct {
	Options
	limits *limits
	config *ssh.ServerConfig
	group  sync.WaitGroup // of connections

	idle, alive time.Duration // idleTime and keepalive; other ones in tests

	// checking is held while a password is compared: that costs a processor some
	// hundred milliseconds, and the engine is to have the others.
	checking sync.Mutex

	mu       sync.Mutex // guards what follows
	settings Settings
	keys     []Key
	conns    map[*conn]struct{}
	way      event.Way
}

// New makes a server; Run does everything.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{Options: o, idle: idleTime, alive: keepalive, limits: newLimits(o.Now), conns: map[*conn]struct{}{}, way: event.Way{Kind: "ssh", State: "closed"}}
}

// Ways is the server's state for the engine's status.
func (s *Server) Ways() []event.Way {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.way
	if n := s.limits.open(); n > 0 && w.State == "ready" {
		w.State = "in use"
		w.How += fmt.Sprintf(", %d sessions", n)
		if n == 1 {
			w.How = strings.TrimSuffix(w.How, "s")
		}
	}
	return []event.Way{w}
}

func (s *Server) tell(w event.Way) {
	w.Kind = "ssh"
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.Problem != "" && w.Problem != s.way.Problem {
		s.Log.Warn("ssh", "problem", w.Problem)
	}
	s.way = w
}

// Run listens wherever the settings say, as soon as there is a key or a password,
// and follows their changes. It returns when ctx ends, and all sessions have.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.group.Wait()
	defer cancel()
	var at string // where l listens
	var l net.Listener
	if s.Settings().Listen != Off {
		s.ready() // so that its fingerprint is there before the first log-in; what is wrong is told below
	}
	shut := func() {
		if l != nil {
			l.Close()
			l, at = nil, ""
		}
	}
	defer shut()
	tick := time.NewTicker(settle)
	defer tick.Stop()
	for {
		want, w := s.settle()
		if want != at {
			shut()
		}
		if want != "" && l == nil {
			if err := s.ready(); err != nil {
				w = event.Way{Name: want, State: "failed", Problem: err.Error()}
			} else if l, err = new(net.ListenConfig).Listen(ctx, "tcp", want); err != nil {
				w = event.Way{Name: want, State: "failed", Problem: cannotListen(want, err)}
			} else {
				at = want
				s.Log.Info("ssh listens", "address", l.Addr().String())
				s.group.Add(1)
				go func(l net.Listener) {
					defer s.group.Done()
					s.accept(ctx, l)
				}(l)
			}
		}
		s.tell(w)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// settle reads settings and keys, ends the connections of those who may not be here
// any more, and says where to listen (empty: nowhere).
func (s *Server) settle() (listen string, w event.Way) {
	now := s.Settings()
	keys, problems, err := now.Keys.Keys()
	if err != nil {
		problems = append(problems, err.Error())
	}
	if now.Password != "" && !secret.Is(now.Password) {
		problems = append(problems, "the SSH password stands in the secrets file in clear, so that it does not let in: watchpost set ssh.password - keeps its hash")
		now.Password = ""
	}
	s.mu.Lock()
	s.settings, s.keys = now, keys
	var gone []*conn
	for c := range s.conns {
		if !c.may(now, keys) {
			gone = append(gone, c)
		}
	}
	s.mu.Unlock()
	for _, c := range gone {
		c.end("Your key or password does not let in any more.")
	}
	w = event.Way{Name: now.Listen, State: "ready", Problem: strings.Join(problems, "; ")}
	switch {
	case now.Listen == Off:
		w.State, w.Name, w.How = "off", "", "switched off"
		w.Problem = ""
		return "", w
	case len(keys) == 0 && now.Password == "":
		w.State, w.How = "closed", "closed until there is a key or a password"
		return "", w
	}
	w.How = plural(len(keys), "key")
	switch {
	case now.Password != "" && len(keys) == 0:
		w.How = "a password"
	case now.Password != "":
		w.How += " and a password"
	}
	return now.Listen, w
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func cannotListen(at string, err error) string {
	why := err.Error()
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		why = "another program has that port; name another one as ssh.listen"
	case errors.Is(err, syscall.EACCES):
		why = "ports below 1024 are root's; name another one as ssh.listen"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		why = "the box has no such address; name one that it has as ssh.listen, or the port alone"
	}
	return fmt.Sprintf("it cannot listen at %s: %s", at, why)
}

// ready makes the configuration of the protocol, with the host key.
func (s *Server) ready() error {
	if s.config != nil {
		return nil
	}
	key, err := HostKey(s.HostKey)
	if err != nil {
		return err
	}
	c := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-Watchpost",
		MaxAuthTries:  maxTries,
	}
	c.AddHostKey(key)
	s.config = c
	return nil
}

// accept takes connections until l is closed.
func (s *Server) accept(ctx context.Context, l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors left, or one that went away
			select {
			case <-ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		from := address(c.RemoteAddr())
		if !s.limits.connect(from) {
			c.Close()
			continue
		}
		s.group.Add(1)
		go func() {
			defer s.group.Done()
			s.serve(ctx, c, from)
		}()
	}
}

// known returns the key that a wire form is, if it may log in. One that is not known
// may have been added at this moment: the file is looked at.
func (s *Server) known(wire string) (Key, bool) {
	s.mu.Lock()
	keys, file := s.keys, s.settings.Keys
	s.mu.Unlock()
	is := func(k Key) bool { return k.wire == wire }
	i := slices.IndexFunc(keys, is)
	if i < 0 {
		keys, _, _ = file.Keys()
		if i = slices.IndexFunc(keys, is); i < 0 {
			return Key{}, false
		}
		s.mu.Lock()
		s.keys = keys
		s.mu.Unlock()
	}
	return keys[i], true
}

// password is what is kept of the password that lets in, empty where none does.
func (s *Server) password() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings.Password
}
