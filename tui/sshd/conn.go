package sshd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"watchpost/engine/secret"
)

var errDenied = errors.New("not let in")

// conn is a connection that has logged in.
type conn struct {
	s      *Server
	ssh    *ssh.ServerConn
	who    Who
	wire   string // the key, empty for a password
	hash   string // what the password was compared with
	ctx    context.Context
	cancel context.CancelCauseFunc
	active atomic.Int64 // when something last came from the person: unix nanoseconds
	group  sync.WaitGroup

	mu       sync.Mutex // guards what follows
	sessions int
}

// bounded is a network connection whose writes end: one that takes nothing for so
// long is dead. A client whose person stopped the screen still takes what comes.
type bounded struct{ net.Conn }

func (b bounded) Write(p []byte) (int, error) {
	b.Conn.SetWriteDeadline(time.Now().Add(writeTime))
	return b.Conn.Write(p)
}

// serve logs a client in and serves its sessions until it leaves.
func (s *Server) serve(ctx context.Context, raw net.Conn, from netip.Addr) {
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { raw.Close() }) // while it logs in
	raw.SetReadDeadline(time.Now().Add(loginTime))
	wrong := 0
	c := &conn{s: s}
	config := *s.config
	config.PublicKeyCallback = func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		k, ok := s.known(string(key.Marshal()))
		if !ok {
			return nil, errDenied
		}
		// Asked for each key that is offered; the one that is proved is in the result.
		return &ssh.Permissions{Extensions: map[string]string{"key": k.wire}}, nil
	}
	if s.password() != "" {
		config.PasswordCallback = func(m ssh.ConnMetadata, typed []byte) (*ssh.Permissions, error) {
			hash, ok := s.check(ctx, from, string(typed))
			if !ok {
				wrong++
				s.limits.fail(from)
				return nil, errDenied
			}
			return &ssh.Permissions{Extensions: map[string]string{"password": hash}}, nil
		}
	}
	sc, channels, requests, err := ssh.NewServerConn(bounded{raw}, &config)
	if !stop() { // ctx has ended
		err = errors.Join(err, ctx.Err())
	}
	in := s.limits.tried(from, err == nil)
	if err != nil {
		var auth *ssh.ServerAuthError
		if errors.As(err, &auth) && wrong == 0 && len(auth.Errors) > 0 {
			s.limits.fail(from) // all its keys together once: an agent has many
		}
		if errors.As(err, &auth) {
			s.Log.Warn("ssh login failed", "from", raw.RemoteAddr().String(), "tries", len(auth.Errors))
		}
		return
	}
	defer sc.Close()
	if !in {
		return
	}
	defer s.limits.left()
	raw.SetReadDeadline(time.Time{})

	c.ssh, c.wire, c.hash = sc, sc.Permissions.Extensions["key"], sc.Permissions.Extensions["password"]
	c.who = Who{From: raw.RemoteAddr().String(), User: oneLine(sc.User()), By: "password"}
	if c.wire != "" {
		k, ok := s.known(c.wire)
		if !ok { // removed at this moment
			return
		}
		c.who.By, c.who.Operator = k.Fingerprint, k.Operator
	}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	defer c.cancel(nil)
	c.touch()
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	s.Log.Info("ssh login", "from", c.who.From, "by", c.who.By, "operator", c.who.Operator)
	defer s.Log.Info("ssh logout", "from", c.who.From)
	c.run(channels, requests)
}

// check compares a password with the one that lets in, one at a time.
func (s *Server) check(ctx context.Context, from netip.Addr, typed string) (hash string, ok bool) {
	s.checking.Lock()
	defer s.checking.Unlock()
	hash = s.password()
	if hash == "" || s.limits.refused(from) || ctx.Err() != nil || len(typed) > secret.Most {
		return "", false
	}
	if secret.Matches(hash, typed) {
		return hash, true
	}
	select { // nobody else's either: guessing from many addresses is as slow
	case <-ctx.Done():
	case <-time.After(afterWrong):
	}
	return "", false
}

// may reports whether the connection would be let in now as it was.
func (c *conn) may(now Settings, keys []Key) bool {
	if c.wire == "" {
		return now.Password == c.hash && now.Listen != Off
	}
	return now.Listen != Off && slices.ContainsFunc(keys, func(k Key) bool { return k.wire == c.wire && k.Operator == c.who.Operator })
}

// end ends the connection and says why on its screens.
func (c *conn) end(why string) { c.cancel(errors.New(why)) }

func (c *conn) touch() { c.active.Store(time.Now().UnixNano()) }

// run serves sessions until the client leaves or the context ends.
func (c *conn) run(channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	c.group.Go(func() { ssh.DiscardRequests(requests) }) // no forwarding
	c.group.Go(c.watch)
	for n := range channels {
		if n.ChannelType() != "session" {
			n.Reject(ssh.UnknownChannelType, "only sessions here")
			continue
		}
		if !c.begin() {
			n.Reject(ssh.ResourceShortage, "too many sessions")
			continue
		}
		ch, reqs, err := n.Accept()
		if err != nil {
			c.done()
			continue
		}
		c.group.Go(func() {
			defer c.done()
			newSession(c, ch).run(reqs)
		})
	}
	c.cancel(nil)
	c.group.Wait()
}

func (c *conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions >= maxPerConn || !c.s.limits.session() {
		return false
	}
	c.sessions++
	return true
}

func (c *conn) done() {
	c.mu.Lock()
	c.sessions--
	c.mu.Unlock()
	c.s.limits.ended()
}

// watch ends the connection when the context does, when nobody has typed for long,
// and when the client does not answer.
func (c *conn) watch() {
	tick := time.NewTicker(c.s.alive)
	defer tick.Stop()
	answered := make(chan bool, 1)
	asked, unanswered := false, 0
	for {
		select {
		case <-c.ctx.Done():
			// The sessions say why and end; then the connection does.
			for left := 2 * time.Second; left > 0 && c.open() > 0; left -= 10 * time.Millisecond {
				time.Sleep(10 * time.Millisecond)
			}
			c.ssh.Close()
			return
		case <-answered:
			asked, unanswered = false, 0
		case <-tick.C:
			if time.Since(time.Unix(0, c.active.Load())) > c.s.idle {
				c.end("Nobody has typed for half an hour.")
				continue
			}
			if asked {
				if unanswered++; unanswered >= maxUnanswered {
					c.ssh.Close()
				}
				continue
			}
			asked = true
			c.group.Go(func() { // ends with the answer, or the connection
				c.ssh.SendRequest("keepalive@openssh.com", true, nil)
				answered <- true
			})
		}
	}
}

func (c *conn) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions
}
