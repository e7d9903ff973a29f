package sshd

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// What is let in, and how often. Who has not logged in yet costs a goroutine, some
// 100 kB and a key exchange.
const (
	maxSessions  = 64 // interfaces, commands and transfers at once, all together
	maxPerConn   = 8  // of them over one connection
	maxConns     = 64 // that have logged in
	maxPending   = 32 // that have not yet
	maxPendingBy = 16 // of them from one address
	maxTries     = 6  // keys or passwords offered in one connection, as OpenSSH's
	loginTime    = time.Minute

	maxFailures   = 10 // logins that failed from one address in failuresFor
	failuresFor   = 10 * time.Minute
	maxAddresses  = 1024 // remembered
	idleTime      = 30 * time.Minute
	keepalive     = 30 * time.Second
	maxUnanswered = 3
	writeTime     = time.Minute // for the network to take what is written, not for the person
	afterWrong    = time.Second // the next password is not looked at before
)

// limits bounds who is let in. It is safe for concurrent use.
type limits struct {
	now func() time.Time

	mu       sync.Mutex // guards what follows
	pending  map[netip.Addr]int
	waiting  int // sum of pending
	conns    int
	sessions int
	failed   map[netip.Addr]failures
}

type failures struct {
	n     int
	since time.Time
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, pending: map[netip.Addr]int{}, failed: map[netip.Addr]failures{}}
}

// address is whom a connection is counted for: an IPv4 address, or the network that
// an IPv6 host may choose its addresses in.
func address(a net.Addr) netip.Addr {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := t.AddrPort().Addr().Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// connect reports whether a connection may try to log in; done ends the trying.
func (l *limits) connect(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut(from) || l.waiting >= maxPending || l.pending[from] >= maxPendingBy || l.conns >= maxConns {
		return false
	}
	l.pending[from]++
	l.waiting++
	return true
}

// tried ends what connect began. Whoever is in counts as a connection until left;
// false: there are too many.
func (l *limits) tried(from netip.Addr, in bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if l.pending[from]--; l.pending[from] == 0 {
		delete(l.pending, from)
	}
	if !in || l.conns >= maxConns {
		return false
	}
	l.conns++
	return true
}

func (l *limits) left() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns--
}

// session reports whether another session may begin; ended ends it.
func (l *limits) session() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sessions >= maxSessions {
		return false
	}
	l.sessions++
	return true
}

func (l *limits) ended() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions--
}

// open is how many sessions there are.
func (l *limits) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sessions
}

// refused reports whether an address has failed too often.
func (l *limits) refused(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shut(from)
}

func (l *limits) shut(from netip.Addr) bool {
	f, ok := l.failed[from]
	if ok && l.now().Sub(f.since) >= failuresFor {
		delete(l.failed, from)
		return false
	}
	return f.n >= maxFailures
}

// fail counts a login that failed. Where too many addresses are remembered, the
// one that has failed least, and of those the longest ago, is forgotten.
func (l *limits) fail(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.failed[from]
	if !ok || l.now().Sub(f.since) >= failuresFor {
		f = failures{since: l.now()}
	}
	f.n++
	l.failed[from] = f
	if len(l.failed) <= maxAddresses {
		return
	}
	var least netip.Addr
	var found bool
	for a, g := range l.failed {
		if a == from {
			continue
		}
		if h := l.failed[least]; !found || g.n < h.n || g.n == h.n && g.since.Before(h.since) {
			least, found = a, true
		}
	}
	delete(l.failed, least)
}
