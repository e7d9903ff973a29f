package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// timeouts bound each phase (RFC 5321 §4.5.3.2); each covers the whole reply.
type timeouts struct {
	lookup, connect, handshake                  time.Duration
	stagger                                     time.Duration // from one address's attempt to the next (RFC 8305 §5)
	greeting, command, data, dot                time.Duration
	firstGreeting                               time.Duration // where a person waits, or nothing is known of the server yet
	block                                       time.Duration // one write of the mail's text
	stop                                        time.Duration // the final dot's reply, once the program is to end
	quit                                        time.Duration
	networkRetry, slowRetry, busyRetry, account []time.Duration
}

var defaultTimeouts = timeouts{
	lookup: 10 * time.Second, connect: 8 * time.Second, handshake: 30 * time.Second, stagger: 300 * time.Millisecond,
	greeting: 5 * time.Minute, firstGreeting: 30 * time.Second, command: 5 * time.Minute, data: 2 * time.Minute, dot: 10 * time.Minute,
	block: 3 * time.Minute, stop: 10 * time.Second, quit: 5 * time.Second,
	networkRetry: []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute,
		2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute},
	busyRetry: []time.Duration{2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour},
	slowRetry: []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute},
	account:   []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute},
}

const (
	maxReply     = 64 << 10 // bytes read between two commands
	maxAddresses = 4        // of each family
)

var errReplyTooLong = errors.New("the reply is longer than 64 KiB")

// line is a connection with a bound on what one reply may hold. It lies under TLS.
type line struct {
	net.Conn
	left  int  // bytes that may still be read before the next phase
	exact bool // nothing may be read ahead
}

// phase begins a step of the dialogue: it must be over within d.
func (l *line) phase(d time.Duration) {
	l.left = maxReply
	l.SetDeadline(time.Now().Add(d))
}

// Read gives one byte at a time after a STARTTLS in clear, so that what somebody
// appends to the reply to it comes to the handshake, which fails, and never to
// the dialogue. (The same bytes under TLS are other bytes here.)
func (l *line) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errReplyTooLong
	}
	room := l.left
	if l.exact {
		room = 1
	}
	l.acknowledge()
	n, err := l.Conn.Read(p[:min(len(p), room)])
	l.left -= n
	return n, err
}

// acknowledge has what arrives acknowledged at once. Else the reply behind a
// TLS 1.3 ticket waits 40 ms for the delayed acknowledgement of that (RFC 1122
// §4.2.3.2, RFC 896), once a connection. Linux falls back by itself, so that each
// read asks anew (tcp(7)).
func (l *line) acknowledge() {
	if tcp, ok := l.Conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) })
		}
	}
}

func (l *line) Write(p []byte) (int, error) {
	l.exact = string(p) == "STARTTLS\r\n"
	return l.Conn.Write(p)
}

// dial looks the server up and connects. Each attempt is reported.
func dial(ctx context.Context, c config.SMTP, avoid string, t timeouts, every bool, report func(event.Step)) (*line, *fault) {
	host := config.HostForDial(c.Server)
	addrs, f := lookup(ctx, host, t, report)
	if f != nil {
		return nil, f
	}
	targets := make([]string, len(addrs))
	for i, a := range addrs {
		targets[i] = net.JoinHostPort(a.String(), strconv.Itoa(c.Port))
	}
	if i := slices.Index(targets, avoid); i >= 0 {
		targets = append(slices.Delete(targets, i, i+1), avoid)
	}
	conn, f := net.Conn(nil), (*fault)(nil)
	if every {
		conn, f = dialEvery(ctx, host, targets, t, report)
	} else {
		conn, f = dialFirst(ctx, targets, t, report)
	}
	if conn == nil {
		return nil, f
	}
	return &line{Conn: conn, left: maxReply}, nil
}

const another = "Nothing yet: another address is tried."

// dialFirst is Happy Eyeballs (RFC 8305 §5): the next address is tried a little
// after the last one began, or at once when one fails; who connects first wins
// and the others are closed. So a family that is broken costs no long wait. Its
// goroutines have ended when it returns.
func dialFirst(ctx context.Context, targets []string, t timeouts, report func(event.Step)) (winner net.Conn, last *fault) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		target string
		began  time.Time
		conn   net.Conn
		err    error
	}
	results := make(chan result, len(targets))
	next, running := 0, 0
	start := func() {
		r := result{target: targets[next], began: time.Now()}
		next, running = next+1, running+1
		go func() {
			d := net.Dialer{Timeout: t.connect}
			r.conn, r.err = d.DialContext(ctx, "tcp", r.target)
			results <- r
		}()
	}
	for start(); running > 0; {
		var tick <-chan time.Time
		if next < len(targets) {
			tick = time.After(t.stagger)
		}
		select {
		case <-tick:
			start()
		case r := <-results:
			running--
			switch {
			case winner != nil:
				if r.conn != nil {
					r.conn.Close()
				}
				report(event.Step{Step: "tcp", Target: r.target, MS: ms(r.began), Verdict: "Not waited for: another address was quicker", Do: "Nothing."})
			case r.err == nil:
				winner = r.conn
				report(passed("tcp", r.target, r.began, 0, "", "connected"))
				cancel()
				next = len(targets)
			default:
				f := newFault("tcp", r.target, r.err)
				if last == nil || !noRoute(r.err) { // a family that this box does not have says little
					last = f
				}
				if ctx.Err() != nil {
					next = len(targets)
				}
				st := failed(f, r.began)
				if next < len(targets) || running > 0 {
					st.Do = another
				}
				report(st)
				if next < len(targets) {
					start()
				}
			}
		}
	}
	return winner, last
}

// dialEvery tries every address to its end, one after the other, for a person who
// wants to know. The first that connects is used.
func dialEvery(ctx context.Context, host string, targets []string, t timeouts, report func(event.Step)) (used net.Conn, last *fault) {
	var works, fails, refusals [2]int // IPv4, IPv6
	began := time.Now()
	for i, target := range targets {
		family := 0
		if strings.HasPrefix(target, "[") {
			family = 1
		}
		began := time.Now()
		d := net.Dialer{Timeout: t.connect}
		conn, err := d.DialContext(ctx, "tcp", target)
		if err != nil {
			f := newFault("tcp", target, err)
			if last == nil || !noRoute(err) {
				last = f
			}
			fails[family]++
			if errors.Is(err, syscall.ECONNREFUSED) {
				refusals[family]++
			}
			st := failed(f, began)
			if i < len(targets)-1 {
				st.Do = another
			} else if used != nil {
				st.Do = "Nothing: another address works."
			}
			report(st)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		works[family]++
		report(passed("tcp", target, began, 0, "", "connected"))
		if used == nil {
			used = conn
		} else {
			conn.Close()
		}
	}
	switch {
	case works[0] == 0 || works[1] > 0 || fails[1] == 0:
	case refusals[1] == fails[1]:
		report(event.Step{Step: "tcp", Target: host, MS: ms(began), Verdict: "The server takes no connections by IPv6, and IPv4 works", Do: "Nothing: mail goes by IPv4."})
	default:
		report(event.Step{Step: "tcp", Target: host, MS: ms(began), Verdict: "IPv6 broken: no IPv6 address of the server connects, IPv4 works",
			Do: "Mail goes by IPv4. Have IPv6 repaired (router, provider), or switch it off on this box."})
	}
	return used, last
}

func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// lookupIP is replaced in tests: a name server that never answers cannot be had otherwise.
var lookupIP = net.DefaultResolver.LookupNetIP

// lookup returns the addresses of host, at most maxAddresses of each family,
// the families by turns, in the resolver's order.
func lookup(ctx context.Context, host string, t timeouts, report func(event.Step)) ([]netip.Addr, *fault) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, t.lookup)
	defer cancel()
	all, err := lookupIP(ctx, "ip", host)
	if err == nil && len(all) == 0 {
		err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	if err != nil {
		f := newFault("lookup", host, err)
		report(failed(f, began))
		return nil, f
	}
	addrs := interleave(all)
	report(passed("lookup", host, began, 0, fmt.Sprint(addrs), fmt.Sprintf("%d of %d addresses", len(addrs), len(all))))
	return addrs, nil
}

func interleave(all []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, a := range all {
		a = a.Unmap()
		if a.Is4() == all[0].Unmap().Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	var out []netip.Addr
	for i := range maxAddresses {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(second) {
			out = append(out, second[i])
		}
	}
	return out
}

// passed and failed make the step that is reported.
func passed(step, target string, began time.Time, code int, text, verdict string) event.Step {
	return event.Step{Step: step, Target: target, OK: true, MS: ms(began), Code: code, Text: sanitise(text), Verdict: verdict}
}

func failed(f *fault, began time.Time) event.Step {
	verdict, do := explain(f)
	return event.Step{Step: f.step, Target: f.target, MS: ms(began), Code: f.code, Text: f.text, Verdict: verdict, Do: do}
}

func ms(began time.Time) float64 {
	return float64(time.Since(began).Round(10*time.Microsecond).Microseconds()) / 1000
}
