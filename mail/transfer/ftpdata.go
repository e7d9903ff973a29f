package transfer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// dial is what the library opens each connection with: first the control connection,
// then those for data.
func (s *ftpSession) dial(_, addr string) (net.Conn, error) {
	if s.control != nil {
		return s.dialData(addr)
	}
	w, err := s.dialWire(addr)
	if err != nil {
		return nil, err
	}
	s.control = w
	if s.conf == nil {
		return w, nil
	}
	if s.t.c.Security != "tls" {
		w.exact.Store(true)
		return w, nil // the library asks for TLS
	}
	return secure(s.ctx, w, s.conf)
}

func secure(ctx context.Context, w *wire, conf *tls.Config) (net.Conn, error) {
	c := tls.Client(w, conf)
	if err := c.HandshakeContext(ctx); err != nil {
		w.Close()
		return nil, err
	}
	return c, nil
}

// dialWire opens a connection that abort closes.
func (s *ftpSession) dialWire(addr string) (*wire, error) {
	w, err := dialWire(s.ctx, addr, s.t.patience)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.open = append(s.open, w)
	s.mu.Unlock()
	if err := s.ctx.Err(); err != nil { // abort may have come before it was in the list
		w.Close()
		return nil, err
	}
	return w, nil
}

// dialData opens a data connection. Only the port is the server's choice: a reply to
// PASV that names another host would have the box connect wherever it says, and
// behind NAT it names one that cannot be reached.
func (s *ftpSession) dialData(addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	to := *s.control.RemoteAddr().(*net.TCPAddr)
	host := net.IPAddr{IP: to.IP, Zone: to.Zone}
	addr = net.JoinHostPort(host.String(), port)
	s.control.step(s.t.patience.connect + s.t.patience.command)
	w, err := s.dialWire(addr)
	if err != nil {
		s.t.pasv.Store(!s.t.pasv.Load())
		return nil, &ftpDataError{addr, err}
	}
	trialOf(s.ctx).passed("data", addr, "", "a data connection is open")
	s.control.step(s.t.patience.command) // for the reply to STOR
	w.progress = s.t.patience.progress
	d := &ftpData{Conn: w, raw: w, s: s}
	if s.conf != nil {
		conf := s.conf.Clone()
		conf.ClientSessionCache = s.tickets.forData()
		d.tls = tls.Client(w, conf) // the server begins once it has read STOR: so does the first Write
		d.Conn = d.tls
	}
	return d, nil
}

// ftpDataError is a data connection that could not be opened.
type ftpDataError struct {
	addr string
	err  error
}

func (e *ftpDataError) Error() string { return e.err.Error() }
func (e *ftpDataError) Unwrap() error { return e.err }

func (e *ftpDataError) fault() *fault {
	f := lineFault("data", far{addr: e.addr}, e.err)
	f.step = "data"
	f.text = fmt.Sprintf("The data connection to %s, which the server named, could not be opened: %s", e.addr, serverWords(e.err.Error(), ""))
	f.do = "It is tried again by itself, in the other passive mode. If it lasts, have the firewall let the server's passive ports through."
	return f
}

// ftpData is a data connection for the library, which copies the file into it and
// closes it.
type ftpData struct {
	net.Conn // with or without TLS
	raw      *wire
	tls      *tls.Conn // nil: without
	s        *ftpSession
}

// Handshake is called by the library where the file is empty.
func (d *ftpData) Handshake() error {
	if d.tls == nil {
		return nil
	}
	return d.tls.Handshake()
}

// Close says under TLS that this is all, and then reads until the server says so too.
// Without that the tickets that a server sends under TLS 1.3 would lie unread, and the
// kernel would end the connection with a reset, for which the server may drop the
// end of the file. What goes wrong here is left to the server's reply.
func (d *ftpData) Close() error {
	if d.tls != nil && d.tls.CloseWrite() == nil {
		_ = d.raw.tcp.CloseWrite() // some servers wait for the end of TCP (curl's issue 17130)
		_ = d.raw.SetReadDeadline(time.Now().Add(d.s.t.patience.linger))
		_, _ = io.Copy(io.Discard, d.tls)
	}
	if err := d.raw.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	d.s.forget(d.raw)
	d.s.control.step(d.s.t.patience.command) // for the reply to the file
	return nil
}

func (s *ftpSession) forget(w *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.open {
		if s.open[i] == w {
			s.open = append(s.open[:i], s.open[i+1:]...)
			return
		}
	}
}
