package transfer

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
)

// brokerAt is the place that a raw server is.
func brokerAt(t *testing.T, serve func(*rawConn)) mqttTarget {
	t.Helper()
	u, err := url.Parse(rawServer(t, serve))
	must(t, err)
	port, err := strconv.Atoi(u.Port())
	must(t, err)
	c := config.Transfer{Name: "ha", Kind: "mqtt", Server: u.Hostname(), Port: port, Security: "none", Topic: "watchpost/a/{trigger}"}
	return mqttTarget{c, serverPassword, clientID(c), 500 * time.Millisecond}
}

const (
	welcome = "\x20\x03\x00\x00\x00" // CONNACK
	thanks  = "\x40\x02\x00\x01"     // PUBACK of the first packet
	refusal = "\x40\x04\x00\x01"     // and with a reason code to follow, and no properties
	size    = 3_000_000              // of what is published
)

// heardOf reads so many bytes and answers.
func (c *rawConn) heardOf(n int, answer string) { c.swallow(n); c.say(answer) }

// Brokers that stand still, lie, refuse or never end: each is a fault in bounded
// time and memory, and a slow one that goes on is none.
func TestFaultyBroker(t *testing.T) {
	f, _ := image(imageLevel, size, 1)
	f.dir = "watchpost/a/yard"
	published := func(answer string) func(*rawConn) {
		return func(c *rawConn) { c.heardOf(1, welcome); c.heardOf(size, answer); c.wait() }
	}
	for name, c := range map[string]struct {
		serve func(*rawConn)
		kind  kind
		step  string
		says  string
		ok    bool
	}{
		"says nothing":         {serve: func(c *rawConn) { c.wait() }, step: "login", says: "timed out"},
		"closes at once":       {serve: func(c *rawConn) {}, step: "login"},
		"is no broker":         {serve: func(c *rawConn) { c.say("220 mail.example.test ESMTP\r\n"); c.wait() }, step: "login"},
		"speaks 3.1.1":         {serve: func(c *rawConn) { c.heardOf(1, "\x20\x02\x00\x01"); c.wait() }, kind: account, step: "login", says: "no MQTT 5"},
		"knows no 5":           {serve: func(c *rawConn) { c.heardOf(1, "\x20\x03\x00\x84\x00"); c.wait() }, kind: account, step: "login", says: "no MQTT 5"},
		"is busy":              {serve: func(c *rawConn) { c.heardOf(1, "\x20\x03\x00\x89\x00"); c.wait() }, step: "login", says: "busy"},
		"echoes":               {serve: func(c *rawConn) { c.heardOf(1, "\x20\x18\x00\x86\x15\x1f\x00\x12no "+serverPassword); c.wait() }, kind: account, step: "login", says: "wrong user name or password (no ****)"},
		"has half a packet":    {serve: func(c *rawConn) { c.heardOf(1, "\x20\x03\x00"); c.wait() }, step: "login"},
		"has a huge packet":    {serve: func(c *rawConn) { c.heardOf(1, "\x20\xff\xff\xff\x7f"); c.flood(strings.Repeat("blah", 1000)) }, step: "login", says: "says more than"},
		"acknowledges nothing": {serve: published(""), step: "send", says: "timed out"},
		"reads nothing":        {serve: func(c *rawConn) { c.heardOf(1, welcome); c.wait() }, step: "send", says: "timed out"},
		"reads a part":         {serve: func(c *rawConn) { c.heardOf(1, welcome); c.swallow(100_000); c.wait() }, step: "send", says: "timed out"},
		"closes in the middle": {serve: func(c *rawConn) { c.heardOf(1, welcome); c.swallow(size / 2) }, step: "send"},
		"closes after it":      {serve: func(c *rawConn) { c.heardOf(1, welcome); c.swallow(size) }, step: "send"},
		"floods":               {serve: func(c *rawConn) { c.heardOf(1, welcome); c.swallow(size); c.flood("\x30\x05\x00\x01a\x00b") }, step: "send"},
		"is full":              {serve: published(refusal + "\x97\x00"), kind: temporary, step: "send", says: "quota"},
		"forbids":              {serve: published(refusal + "\x87\x00"), kind: account, step: "send", says: "not allowed"},
		"dislikes the topic":   {serve: published(refusal + "\x90\x00"), kind: permanent, step: "send", says: "topic"},
		"ends it":              {serve: published("\xe0\x02\x8b\x00"), step: "send", says: "shutting down"},
		"finds it too large":   {serve: published("\xe0\x02\x95\x00"), kind: permanent, step: "send", says: "too large"},
		"takes little":         {serve: func(c *rawConn) { c.heardOf(1, "\x20\x08\x00\x00\x05\x27\x00\x00\x10\x00"); c.wait() }, kind: permanent, step: "send", says: "4096 bytes at most"},
		"retains nothing":      {serve: func(c *rawConn) { c.heardOf(1, "\x20\x05\x00\x00\x02\x25\x00"); c.wait() }, kind: account, step: "send", says: "retain"},
		"has no subscriber":    {serve: published(refusal + "\x10\x00"), ok: true},
		"is slow":              {serve: func(c *rawConn) { c.heardOf(1, welcome); c.sip(size); c.say(thanks); c.wait() }, ok: true},
		"is well":              {serve: published(thanks), ok: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := brokerAt(t, c.serve)
			s, err := to.connect(t.Context())
			if err == nil {
				defer s.close()
				s.(*mqttSession).slowest = 1 << 20
				_, err = s.put(t.Context(), f)
			}
			if c.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if got := asFault(t, err); got.kind != c.kind || got.step != c.step || !strings.Contains(strings.ToLower(got.text), strings.ToLower(c.says)) {
				t.Errorf("%+v", got)
			}
		})
	}
	began := make(chan struct{})
	to := brokerAt(t, func(c *rawConn) { c.heardOf(1, welcome); c.swallow(1000); close(began); c.wait() })
	to.stall = time.Hour
	s := connected(t, to)
	cancelledSoon(t, began, func(ctx context.Context) error { _, err := s.put(ctx, f); return err })
	began = make(chan struct{})
	to = brokerAt(t, func(c *rawConn) { close(began); c.wait() })
	to.stall = time.Hour
	cancelledSoon(t, began, func(ctx context.Context) error { _, err := to.connect(ctx); return err })
}

// Where a connection goes, and whether with TLS, as the configuration says it.
func TestBrokerAddress(t *testing.T) {
	for _, c := range []struct {
		security string
		port     int
		user     string
		want     string
		tls      bool
	}{
		{"auto", 0, "", "ha.local:1883", false}, {"auto", 0, "u", "ha.local:8883", true}, {"auto", 8883, "", "ha.local:8883", true},
		{"auto", 1883, "u", "ha.local:1883", true}, {"tls", 0, "", "ha.local:8883", true}, {"none", 0, "u", "ha.local:1883", false}, {"", 5000, "", "ha.local:5000", false},
	} {
		to := newMQTT(config.Transfer{Server: "ha.local", Port: c.port, Security: c.security, Username: c.user}, "").(mqttTarget)
		if to.address() != c.want || to.usesTLS() != c.tls {
			t.Errorf("%+v: %s %v", c, to.address(), to.usesTLS())
		}
	}
	for topic, want := range map[string]string{"watchpost/Gate_3/{trigger}": "watchpost/Gate_3", "cam/yard": "cam/yard", "a/x{trigger}/b": "a"} {
		if got := (mqttTarget{config: config.Transfer{Topic: topic}}).root(); got != want {
			t.Errorf("%s: %s", topic, got)
		}
	}
	if got := (mqttTarget{config: config.Transfer{Topic: "{trigger}"}, id: "watchpost-1"}).availability(); got != "watchpost/watchpost-1/availability" {
		t.Error(got)
	}
}

// A ping that has no answer ends the session, and none is due while an image goes.
func TestPinger(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	to := brokerAt(t, func(c *rawConn) { c.heardOf(1, welcome); c.wait() })
	s := connected(t, to).(*mqttSession)
	p := pinger{busy: &s.busy}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, ours, 1) }()
	buf := make([]byte, 10)
	n, err := theirs.Read(buf)
	if err != nil || string(buf[:n]) != "\xc0\x00"[:n] {
		t.Errorf("%q %v", buf[:n], err)
	}
	go theirs.Read(buf)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("%v", err)
	}
}
