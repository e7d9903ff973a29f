package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// timeouts bound each phase (RFC 5321 §4.5.3.2); each covers the whole reply.
type timeouts struct {
	lookup, connect, handshake       time.Duration
	greeting, command, data, dot     time.Duration
	firstGreeting                    time.Duration // where a person waits, or nothing is known of the server yet
	block                            time.Duration // one write of the mail's text
	stop                             time.Duration // the final dot's reply, once the program is to end
	quit                             time.Duration
	networkRetry, slowRetry, account []time.Duration
}

var defaultTimeouts = timeouts{
	lookup: 10 * time.Second, connect: 8 * time.Second, handshake: 30 * time.Second,
	greeting: 5 * time.Minute, firstGreeting: 30 * time.Second, command: 5 * time.Minute, data: 2 * time.Minute, dot: 10 * time.Minute,
	block: 3 * time.Minute, stop: 10 * time.Second, quit: 5 * time.Second,
	networkRetry: []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute,
		2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute},
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
	left int // bytes that may still be read before the next phase
}

// phase begins a step of the dialogue: it must be over within d.
func (l *line) phase(d time.Duration) {
	l.left = maxReply
	l.SetDeadline(time.Now().Add(d))
}

func (l *line) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errReplyTooLong
	}
	n, err := l.Conn.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// dial looks the server up and connects to the first address that answers,
// with both families tried. Each attempt is reported.
func dial(ctx context.Context, c config.SMTP, t timeouts, report func(event.Step)) (*line, *fault) {
	host := config.HostForDial(c.Server)
	addrs, f := lookup(ctx, host, t, report)
	if f != nil {
		return nil, f
	}
	var last *fault
	for i, a := range addrs {
		target := net.JoinHostPort(a.String(), strconv.Itoa(c.Port))
		began := time.Now()
		d := net.Dialer{Timeout: t.connect}
		conn, err := d.DialContext(ctx, "tcp", target)
		if err == nil {
			report(passed("tcp", target, began, 0, "", "connected"))
			return &line{Conn: conn, left: maxReply}, nil
		}
		last = newFault("tcp", target, err)
		st := failed(last, began)
		if i < len(addrs)-1 {
			st.Do = "Nothing yet: the next address is tried."
		}
		report(st)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// lookup returns the addresses of host, at most maxAddresses of each family,
// the families by turns, in the resolver's order.
func lookup(ctx context.Context, host string, t timeouts, report func(event.Step)) ([]netip.Addr, *fault) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, t.lookup)
	defer cancel()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
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
