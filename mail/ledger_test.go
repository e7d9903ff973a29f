package mail

import (
	"bytes"
	"io"
	"net"
	netmail "net/mail"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"watchpost/engine/config"
)

// ledger is a mail server that keeps account of who got which mail how often.
type ledger struct {
	addr *net.TCPAddr

	mu     sync.Mutex
	limit  int64                      // bytes that it takes, 0: any
	busy   *smtp.SMTPError            // what it says to everybody
	refuse map[string]*smtp.SMTPError // what it says of a recipient
	copies map[delivery]int
	data   map[string][]byte // by Message-ID
	differ []string          // the Message-IDs of mails whose copies are not the same
	onMail func(delivery)    // told before the server says 250
}

// delivery is a mail to one recipient.
type delivery struct{ messageID, to string }

// serveLedger runs a server until the test, or the returned stop, ends it.
func serveLedger() (l *ledger, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	l = &ledger{addr: listener.Addr().(*net.TCPAddr), refuse: map[string]*smtp.SMTPError{}, copies: map[delivery]int{}, data: map[string][]byte{}}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.busy != nil {
			return nil, l.busy
		}
		return &ledgerSession{ledger: l}, nil
	}))
	srv.Domain = "ledger.example.test"
	srv.ReadTimeout, srv.WriteTimeout = patience, patience
	srv.ErrorLog = quiet{}
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(listener) })
	return l, func() { srv.Close(); listener.Close(); wg.Wait() }, nil
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	l, stop, err := serveLedger()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return l
}

// set changes what the server does.
func (l *ledger) set(change func(*ledger)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *ledger) settings(to ...string) config.Config {
	c := testConfig()
	c.SMTP = config.SMTP{Server: "127.0.0.1", Port: l.addr.Port, Security: "none"}
	return withTo(c, to)
}

// total is how many copies of the mail with that Message-ID it took for to.
func (l *ledger) total(messageID, to string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.copies[delivery{messageID, to}]
}

type ledgerSession struct {
	*ledger
	to []string
}

func (s *ledgerSession) Reset()        { s.to = nil }
func (s *ledgerSession) Logout() error { return nil }

func (s *ledgerSession) Mail(_ string, o *smtp.MailOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit > 0 && o.Size > s.limit {
		return &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "Message size exceeds fixed limit"}
	}
	return nil
}

func (s *ledgerSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.refuse[to]; e != nil {
		return e
	}
	s.to = append(s.to, to)
	return nil
}

func (s *ledgerSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := netmail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		return err
	}
	id := m.Header.Get("Message-Id")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit > 0 && int64(len(b)) > s.limit {
		return &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "Message size exceeds fixed limit"}
	}
	if had := s.data[id]; had != nil && !bytes.Equal(had, b) {
		s.differ = append(s.differ, id)
	}
	s.data[id] = b
	for _, to := range s.to {
		s.copies[delivery{id, to}]++
		if s.onMail != nil {
			s.onMail(delivery{id, to})
		}
	}
	return nil
}

// quiet keeps the library's words off the test's.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
