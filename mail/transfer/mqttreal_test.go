package transfer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/need"
)

// mosquitto is Debian's, unpacked: one port in clear that lets anybody in, one with
// TLS that asks for the user, who may publish below watchpost/ and homeassistant/.
type mosquitto struct {
	*server
	tls int
}

const mosquittoConf = `user root
per_listener_settings true
log_dest file %[1]s/log.own
max_packet_size 4000000
listener %[2]d 127.0.0.1
allow_anonymous true
listener %[3]d 127.0.0.1
allow_anonymous false
password_file %[1]s/passwd
acl_file %[1]s/acl
certfile %[1]s/cert.pem
keyfile %[1]s/key.pem
`

func startMosquitto(t *testing.T) mosquitto {
	s := newServer(t, "mosquitto", "mosquitto-clients")
	s.write("passwd", "", 0o600)
	m := mosquitto{server: s}
	if out, err := m.command(context.Background(), "mosquitto_passwd", "-b", s.path("passwd"), serverUser, serverPassword).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
	}
	s.write("acl", "user "+serverUser+"\ntopic readwrite watchpost/#\ntopic readwrite homeassistant/#\ntopic read other/#\n", 0o600)
	s.start(func() []string {
		s.write("mosquitto.conf", fmt.Sprintf(mosquittoConf, s.dir, s.port, s.implicit), 0o644)
		return []string{s.packages + "/usr/sbin/mosquitto", "-c", s.path("mosquitto.conf")}
	})
	m.tls = s.implicit
	return m
}

// command is one of the packages' programs.
func (m mosquitto) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, m.packages+"/usr/bin/"+name, args...)
	libraries, _ := filepath.Glob(m.packages + "/usr/lib/*-linux-gnu*")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	return cmd
}

// subscriber is a mosquitto_sub with what it has heard.
type subscriber struct {
	mu    sync.Mutex
	heard []message
}

type message struct {
	topic    string
	retained bool
	payload  []byte
}

// subscribe hears every topic until the test ends.
func (m mosquitto) subscribe() *subscriber {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := m.command(ctx, "mosquitto_sub", "-h", "127.0.0.1", "-p", fmt.Sprint(m.port), "-t", "#", "-q", "1", "-d", "-F", "MESSAGE %r %t %x")
	buffered := need.Program(m.t, "stdbuf", "coreutils") // else a pipe gets it in blocks
	cmd.Args = append([]string{buffered, "-oL", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = buffered
	out, err := cmd.StdoutPipe()
	must(m.t, err)
	must(m.t, cmd.Start())
	s := &subscriber{}
	ready, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 32<<20)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "Subscribed") {
				close(ready)
			}
			f := strings.Split(lines.Text(), " ")
			if f[0] != "MESSAGE" || len(f) != 4 {
				continue
			}
			payload, _ := hex.DecodeString(f[3])
			s.mu.Lock()
			s.heard = append(s.heard, message{f[2], f[1] == "1", payload})
			s.mu.Unlock()
		}
	}()
	m.t.Cleanup(func() { cancel(); <-done; cmd.Wait() })
	select {
	case <-ready:
	case <-time.After(longest):
		m.t.Fatal("mosquitto_sub does not subscribe")
	}
	return s
}

// last waits for a message on a topic and returns the newest.
func (s *subscriber) last(t *testing.T, topic string, ok func(message) bool) message {
	t.Helper()
	var found message
	eventually(t, "a message on "+topic, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, m := range s.heard {
			if m.topic == topic {
				found = m
			}
		}
		return found.topic != "" && ok(found)
	})
	return found
}

func whatever(message) bool { return true }

func (s *subscriber) count(topic string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.heard {
		if m.topic == topic {
			n++
		}
	}
	return n
}

// broker is the place, in clear or with TLS and the user.
func (m mosquitto) broker(secured bool) config.Transfer {
	c := config.Transfer{Name: "ha", Kind: "mqtt", Server: "127.0.0.1", Port: m.port, Security: "auto", Topic: "watchpost/{site}/{trigger}"}
	if secured {
		c.Port, c.Username, c.CAFile = m.tls, serverUser, m.caFile
	}
	return c
}

// An event goes through the queue to a real broker: the newest image is retained,
// the event is JSON and is not, and Home Assistant is told of both.
func TestMosquitto(t *testing.T) {
	m := startMosquitto(t)
	for _, secured := range []bool{false, true} {
		sub := m.subscribe()
		b := opened(t, t.TempDir(), newAlbum(), nil).run()
		c := config.Config{Site: config.Site{Name: fmt.Sprintf("Gate %v", secured)}, Transfers: []config.Transfer{m.broker(secured)}}
		b.Configure(c, config.Secrets{Transfers: map[string]string{"ha": serverPassword}}, time.UTC)
		id := b.event(1, "ha", 5)
		if got := b.untilState(id, "delivered"); got.Subject != "5 images" || got.Recipients[0].Reply != "acknowledged by the broker" {
			t.Errorf("%+v", got)
		}
		topic := fmt.Sprintf("watchpost/Gate_%v/yard", secured)
		want := b.album.data[eventID(1)+"/"+b.album.events[eventID(1)].Images[4].File]
		if got := sub.last(t, topic+"/image", whatever); !bytes.Equal(got.payload, want) || got.retained || sub.count(topic+"/image") != 1 {
			t.Errorf("the image: %d bytes, %d times", len(got.payload), sub.count(topic+"/image"))
		}
		var ev struct {
			Type string `json:"event_type"`
			event.Stored
		}
		if err := json.Unmarshal(sub.last(t, topic+"/event", whatever).payload, &ev); err != nil || ev.Type != "motion" || ev.ID != eventID(1) || len(ev.Images) != 5 || ev.End.IsZero() {
			t.Errorf("%v %+v", err, ev)
		}
		late := m.subscribe()
		if got := late.last(t, topic+"/image", whatever); !got.retained || !bytes.Equal(got.payload, want) {
			t.Errorf("not retained: %+v", got.topic)
		}
		if n := late.count(topic + "/event"); n != 0 {
			t.Error("the event is retained: Home Assistant would see it again at each of its starts")
		}
		if log := b.log.String(); strings.Contains(log, serverPassword) {
			t.Error("the password is in the log")
		}
	}
}

// With discovery the camera and its events are announced, available while this box
// is there and unavailable when it goes, whether it says good-bye or not.
func TestHomeAssistant(t *testing.T) {
	m := startMosquitto(t)
	sub := m.subscribe()
	b := opened(t, t.TempDir(), newAlbum(), nil).run()
	c := config.Config{Site: config.Site{Name: "Gate 3"}, Transfers: []config.Transfer{m.broker(true)}}
	c.Transfers[0].Discovery = true
	b.Configure(c, config.Secrets{Transfers: map[string]string{"ha": serverPassword}}, time.UTC)
	const availability = "watchpost/Gate_3/availability"
	is := func(word string) func(message) bool { return func(m message) bool { return string(m.payload) == word } }
	sub.last(t, availability, is("online")) // with nothing to hand over yet
	b.untilState(b.event(1, "ha", 1), "delivered")
	b.mu.Lock()
	client := clientID(b.places["ha"].config)
	b.mu.Unlock()
	for kind, topics := range map[string]map[string]string{
		"camera": {"topic": "watchpost/Gate_3/yard/image"},
		"event":  {"state_topic": "watchpost/Gate_3/yard/event"},
	} {
		var e map[string]any
		if err := json.Unmarshal(sub.last(t, "homeassistant/"+kind+"/"+client+"/yard/config", whatever).payload, &e); err != nil {
			t.Fatal(err)
		}
		for key, want := range topics {
			if e[key] != want {
				t.Errorf("%s: %s is %v", kind, key, e[key])
			}
		}
		if device, _ := e["device"].(map[string]any); e["availability_topic"] != availability || e["unique_id"] == "" || device["name"] != "Watchpost Gate_3" {
			t.Errorf("%s: %v", kind, e)
		}
		if kind == "event" && !strings.Contains(fmt.Sprint(e["event_types"]), "motion") {
			t.Errorf("%v", e)
		}
	}
	b.stop()
	sub.last(t, availability, is("offline"))

	// The line breaks without a good-bye: the broker says it.
	l, port := listening(t)
	w := &cable{to: fmt.Sprintf("127.0.0.1:%d", m.port)}
	go w.carry(l)
	place := m.broker(false)
	place.Topic, place.Port, place.Discovery = "watchpost/Gate_4/{trigger}", port, true
	s := connected(t, newMQTT(place, ""))
	sub.last(t, "watchpost/Gate_4/availability", is("online"))
	w.cut()
	sub.last(t, "watchpost/Gate_4/availability", is("offline"))
	select {
	case <-s.(losing).lost():
	case <-time.After(longest):
		t.Error("the session does not notice")
	}
}

// The broker goes and comes back: what waits arrives, and the box is there again.
func TestBrokerComesBack(t *testing.T) {
	m := startMosquitto(t)
	l, port := listening(t)
	w := &cable{to: fmt.Sprintf("127.0.0.1:%d", m.port)}
	go w.carry(l)
	sub := m.subscribe()
	b := opened(t, t.TempDir(), newAlbum(), nil).run()
	c := config.Config{Site: config.Site{Name: "G"}, Transfers: []config.Transfer{m.broker(false)}}
	c.Transfers[0].Port, c.Transfers[0].Discovery = port, true
	b.Configure(c, config.Secrets{}, time.UTC)
	b.untilState(b.event(1, "ha", 1), "delivered")
	w.block(true)
	sub.last(t, "watchpost/G/availability", func(m message) bool { return string(m.payload) == "offline" })
	id := b.event(2, "ha", 2)
	b.untilState(id, "deferred")
	w.block(false)
	b.untilState(id, "delivered")
	sub.last(t, "watchpost/G/availability", func(m message) bool { return string(m.payload) == "online" })
}

// Each refusal of the broker has its kind, says what to do, and no secret.
func TestMosquittoRefuses(t *testing.T) {
	m := startMosquitto(t)
	f, _ := image(imageLevel, 2000, 1)
	f.dir = "watchpost/a/b"
	large, _ := image(imageLevel, 5_000_000, 1)
	large.dir = f.dir
	forbidden := f
	forbidden.dir = "elsewhere"
	for name, c := range map[string]struct {
		secret string
		adjust func(*config.Transfer)
		f      file
		kind   kind
		step   string
	}{
		"wrong password":  {"wrong-password", nil, f, account, "login"},
		"no user":         {"", func(c *config.Transfer) { c.Username, c.Security = "", "tls" }, f, account, "login"},
		"wrong topic":     {serverPassword, nil, forbidden, account, "send"},
		"too large":       {serverPassword, nil, large, permanent, "send"},
		"other authority": {serverPassword, func(c *config.Transfer) { c.CAFile = "" }, f, account, "tls"},
		"other key":       {serverPassword, func(c *config.Transfer) { c.Pin = m.pin[:10] + strings.ToLower(m.pin[10:20]) + m.pin[20:] }, f, account, "tls"},
		"no TLS there":    {serverPassword, func(c *config.Transfer) { c.Port = m.port }, f, network, "tls"},
		"TLS there":       {"", func(c *config.Transfer) { c.Username, c.Security = "", "none" }, f, network, "login"},
		"nobody there":    {"", func(c *config.Transfer) { c.Port = freePort(t) }, f, network, "tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			place := m.broker(true)
			if c.adjust != nil {
				c.adjust(&place)
			}
			got := refusedWith(t, newMQTT(place, c.secret), c.f)
			if got.kind != c.kind || got.step != c.step || c.secret != "" && strings.Contains(got.Error(), c.secret) {
				t.Errorf("%+v", got)
			}
		})
	}
	pinned := m.broker(true)
	pinned.CAFile, pinned.Pin = "", m.pin
	if _, err := connected(t, newMQTT(pinned, serverPassword)).put(t.Context(), f); err != nil {
		t.Error(err)
	}
}
