package sshd

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"watchpost/engine/secret"
)

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
