// Package sink is the mail server of demo mode: an SMTP server on loopback that
// takes every mail and keeps the newest in memory, to be shown.
//
// It relays nothing, authenticates nobody and writes no file. Run owns its
// goroutines, one for each connection.
package sink

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	maxMail  = 20_000_000 // bytes of one mail
	maxTotal = 64 << 20   // bytes of all that are kept
)

// Message is a mail as it arrived.
type Message struct {
	From string   // envelope
	To   []string // envelope
	At   time.Time
	Data []byte // header and body, CRLF; not to be changed
}

// Server is the server. Its methods are safe for concurrent use.
type Server struct {
	keep int

	mu       sync.Mutex
	listener net.Listener
	messages []Message // newest last; at most keep, and maxTotal bytes
	bytes    int
}

// New returns a server that keeps the newest keep mails, at least one.
func New(keep int) *Server { return &Server{keep: max(keep, 1)} }

// Listen takes a free port on 127.0.0.1 and returns its address, host:port.
// Connections wait until Run.
func (s *Server) Listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("demo mail server: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = l
	return l.Addr().String(), nil
}

// Run serves until ctx ends; then it closes every connection and returns nil.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	l := s.listener
	s.mu.Unlock()
	if l == nil {
		return fmt.Errorf("demo mail server: Listen comes before Run")
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }))
	srv.Domain = "localhost"
	srv.MaxMessageBytes = maxMail
	srv.MaxRecipients = 100
	srv.ReadTimeout, srv.WriteTimeout = time.Minute, time.Minute
	srv.EnableSMTPUTF8 = true
	srv.ErrorLog = silent{}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		srv.Close()
		l.Close()
	})
	err := srv.Serve(l)
	if !stop() {
		<-closed // the connections, after the listener
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("demo mail server: %w", err)
	}
	return nil
}

// Messages returns what is kept, newest last.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

func (s *Server) add(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
	s.bytes += len(m.Data)
	for len(s.messages) > s.keep || s.bytes > maxTotal {
		s.bytes -= len(s.messages[0].Data)
		s.messages[0] = Message{} // let go of its bytes
		s.messages = s.messages[1:]
	}
}

// session is one client's.
type session struct {
	server *Server
	from   string
	to     []string
}

func (c *session) Reset()        { c.from, c.to = "", nil }
func (c *session) Logout() error { return nil }

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	c.from = from
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = append(c.to, to)
	return nil
}

func (c *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.server.add(Message{From: c.from, To: c.to, At: time.Now(), Data: b})
	return nil
}

// silent keeps the library off standard error, where the interface is.
type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}
