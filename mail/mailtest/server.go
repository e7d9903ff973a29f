package mailtest

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Counterpart is a real server, whichever it is.
type Counterpart interface {
	At() Access
	Reject(addr string, code int)
	Mails() [][]byte
	WaitMails(n int, timeout time.Duration) [][]byte
	Idle(timeout time.Duration)
	Kill()
	Start()
}

var _, _ Counterpart = (*Postfix)(nil), (*Server)(nil)

// Access is where a server listens on loopback and who may send. Port 0: it does not.
type Access struct {
	Plain      int // port as 25: no AUTH; STARTTLS offered
	Submission int // port as 587: STARTTLS and AUTH required
	TLS        int // port as 465: TLS from the first byte, AUTH required
	CAFile     string
	User       string
	Password   string
}

// At returns a; a Counterpart has it by embedding.
func (a Access) At() Access { return a }

// access is that of a server with the folder dir, its ports not chosen yet.
func access(dir string) Access {
	return Access{CAFile: filepath.Join(dir, "ca.pem"), User: "camera@" + Domain, Password: "secret of the camera"}
}

// Server is a real server beside Postfix. Its fields do not change, restarts included.
type Server struct {
	Access
	mailbox
	*process
	rejects map[string]int // by address, see Reject
	refuse  func() error   // writes rejects down for the server
}

// newServer makes the folder with what all servers need.
func newServer(t testing.TB, name string) *Server {
	t.Helper()
	p := newProcess(t, name)
	must(t, writeCertificate(p.dir))
	for _, d := range []string{"mail/Maildir/new", "mail/Maildir/cur", "mail/Maildir/tmp"} {
		must(t, os.MkdirAll(p.path(d), 0o755))
	}
	s := &Server{process: p, mailbox: mailbox{t: t, maildir: p.path("mail/Maildir")}, rejects: map[string]int{}, Access: access(p.dir)}
	return s
}

// Reject makes the server answer RCPT for addr with "code refused by the test":
// 550, 450 … Code 0 takes that back.
func (s *Server) Reject(addr string, code int) {
	s.process.t.Helper()
	s.rejects[addr] = code
	if code == 0 {
		delete(s.rejects, addr)
	}
	must(s.process.t, s.refuse())
}

// own gives a file of the server's to the user and group id.
func (s *Server) own(name string, id int) error { return os.Chown(s.path(name), id, id) }
