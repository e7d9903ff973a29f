package transfer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/jlaffaye/ftp"

	"watchpost/engine/config"
	"watchpost/engine/trust"
)

// ftpTarget is a place with kind ftp (RFC 959, 2228, 2428, 3659, 4217).
//
// github.com/jlaffaye/ftp leads the dialogue. What it leaves open is done below
// it, in the connections that it is given (wire, ftpData): a deadline for each step,
// a bound on replies, an end when the context ends, the TLS session of the
// control connection for the data, and an end of the data that loses nothing.
type ftpTarget struct {
	c        config.Transfer
	password string
	patience patience
	pasv     atomic.Bool // EPSV led nowhere: the next session uses PASV, and the other way round
}

// newFTP makes the target of a place with kind ftp. password may be empty.
func newFTP(c config.Transfer, password string) target {
	return &ftpTarget{c: c, password: password, patience: usualPatience}
}

// connect logs in. Without a user name it is anonymous.
func (t *ftpTarget) connect(ctx context.Context) (session, error) {
	s := &ftpSession{t: t, ctx: ctx, made: map[string]bool{}, tickets: newControlTickets()}
	if s.conf, s.fault = s.protection(); s.fault != nil {
		return nil, s.fault
	}
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()

	options := []ftp.DialOption{ftp.DialWithDialFunc(s.dial), ftp.DialWithDebugOutput(&s.words), ftp.DialWithDisabledEPSV(t.pasv.Load())}
	switch {
	case s.conf == nil:
	case t.c.Security == "tls":
		options = append(options, ftp.DialWithTLS(s.conf))
	default:
		options = append(options, ftp.DialWithExplicitTLS(s.conf))
	}
	step := "hello"
	conn, err := ftp.Dial(t.far().addr, options...)
	if err == nil {
		s.conn, step = conn, "login"
		s.greeted(trialOf(ctx))
		s.control.step(t.patience.command)
		err = s.login()
	}
	if err != nil {
		if s.conf != nil && s.control != nil && !s.secured && (t.c.Security == "tls" || step == "login" || s.words.verb() == "AUTH") {
			step = "tls"
		}
		if step == "tls" {
			trialOf(ctx).secured("", tls.ConnectionState{}, err, "")
		}
		f := s.failed(step, err)
		if f.kind == network && f.code == 0 && step != "login" && s.control != nil && s.control.why() != nil {
			f.do = "Choose security tls if this is port 990, auto if it is port 21; else check server and port."
		}
		s.abort()
		return nil, f
	}
	s.control.rest()
	s.loggedIn(trialOf(ctx))
	return s, nil
}

// greeted and loggedIn tell a trial what the server takes.
func (s *ftpSession) greeted(x *trial) {
	x.passed("hello", "", s.lastSaid(), "the server answers")
}

func (s *ftpSession) loggedIn(x *trial) {
	user, verdict := s.t.c.Username, "user name and password accepted"
	if user == "" {
		user, verdict = "anonymous", "the server lets anybody in"
	}
	x.passed("login", user, s.lastSaid(), verdict)
}

func (s *ftpSession) login() error {
	user, password := s.t.c.Username, s.t.password
	if user == "" {
		user, password = "anonymous", "watchpost@"
	}
	err := s.conn.Login(user, password)
	if err != nil && s.conf == nil && s.words.verb() == "OPTS" && s.control.why() == nil {
		err = nil // logged in; only UTF-8 cannot be switched on, which is mostly on then
	}
	if err == nil && s.conf != nil && !s.secured {
		err = errors.New("tls: no handshake") // cannot be; the library would have to be at fault
	}
	return err
}

func (t *ftpTarget) far() far {
	return far{"ftp", t.c.Server, net.JoinHostPort(config.HostForDial(t.c.Server), strconv.Itoa(ftpPort(t.c)))}
}

func ftpPort(c config.Transfer) int {
	switch {
	case c.Port != 0:
		return c.Port
	case c.Security == "tls":
		return 990
	}
	return 21
}

// protection is how TLS is used; nil: not at all, which only security none is. The
// certificate is verified at every handshake, of control and data.
func (s *ftpSession) protection() (*tls.Config, *fault) {
	switch s.t.c.Security {
	case "none":
		return nil, nil
	case "", "auto", "starttls", "tls":
	default:
		return nil, &fault{kind: account, step: "tls", text: "Security " + strconv.Quote(s.t.c.Security) + " is not known", do: "Choose auto, starttls, tls or none."}
	}
	conf, err := trust.Config(s.t.c.Pin, s.t.c.CAFile, config.HostForDial(s.t.c.Server), true)
	if err != nil {
		return nil, lineFault("tls", s.t.far(), err)
	}
	verify := conf.VerifyConnection
	conf.VerifyConnection = func(cs tls.ConnectionState) error {
		if verify != nil {
			if err := verify(cs); err != nil {
				return err
			}
		}
		if !s.secured {
			trialOf(s.ctx).secured("", cs, nil, map[bool]string{true: "encrypted from the first byte", false: "encrypted by AUTH TLS"}[s.t.c.Security == "tls"])
		}
		s.secured = true
		return nil
	}
	conf.ClientSessionCache = s.tickets
	return conf, nil
}

// ftpSession is used by one goroutine; abort by any.
type ftpSession struct {
	t       *ftpTarget
	ctx     context.Context // of the connect or put that is under way; the library's dialling knows none
	conf    *tls.Config     // nil: in clear
	tickets controlTickets
	conn    *ftp.ServerConn
	control *wire
	words   lastWords
	made    map[string]bool // folders that are there, as far as this session knows
	secured bool            // a handshake succeeded
	sent    int             // files handed over
	fault   *fault          // the connection is lost

	mu   sync.Mutex
	open []*wire // what abort closes
}

// abort ends whatever is waited for, at once.
func (s *ftpSession) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.open {
		w.Close()
	}
	s.open = nil
}

func (s *ftpSession) close() {
	if s.fault == nil {
		s.control.step(s.t.patience.linger)
		_ = s.conn.Quit() // writes QUIT and closes; no reply is waited for
	}
	s.abort()
}

// failed is the fault for an error of the library in a step.
func (s *ftpSession) failed(step string, err error) *fault {
	f := s.understand(step, err)
	if f.kind == network || f.kind == account {
		s.fault = f
	}
	return f
}

func (s *ftpSession) understand(step string, err error) *fault {
	var reply *textproto.Error
	var garbage textproto.ProtocolError
	var data *ftpDataError
	port := strconv.Itoa(ftpPort(s.t.c))
	code, words := s.words.reply()
	var broken error
	if s.control != nil {
		broken = s.control.why()
	}
	switch {
	case s.ctx.Err() != nil:
		return lineFault(step, far{}, s.ctx.Err())
	case errors.As(err, &reply):
		if verb := s.words.verb(); step == "login" && (verb == "PBSZ" || verb == "PROT") {
			step = "protection"
		}
		f := ftpRefusal(step, reply.Code, serverWords(reply.Msg, s.t.password))
		if s.sent > 0 && step == "send" && f.kind == account && reply.Code == 522 {
			f.kind = network // it went before: the session's ticket ran out, and a new connection has a new one
		}
		return f
	case errors.As(err, &garbage) && step != "hello":
		return &fault{kind: network, step: step, text: "The server answers what is no FTP: " + serverWords(garbage.Error(), s.t.password), do: againByItself}
	case errors.As(err, &garbage), step == "hello" && code == 0 && len(s.words.text) > 0 && !errors.Is(broken, errReplyTooLong):
		return &fault{kind: network, step: step, text: fmt.Sprintf("What answers on port %s does not speak FTP: %q", port, serverWords(string(s.words.text), s.t.password)),
			do: "Check server and port; for port 990 choose security tls, else auto."}
	case errors.Is(err, errReplyTooLong), errors.Is(broken, errReplyTooLong):
		return lineFault(step, s.t.far(), errReplyTooLong)
	case errors.As(err, &data):
		return data.fault()
	case s.control == nil:
		return lineFault("tcp", s.t.far(), err, s.t.password)
	case step == "login" && code >= 300 && broken == nil:
		return ftpRefusal(step, code, serverWords(words, s.t.password)) // the library has dropped the code
	}
	if broken != nil && !isTLS(err) {
		err = broken
	}
	return lineFault(step, s.t.far(), err, s.t.password)
}
