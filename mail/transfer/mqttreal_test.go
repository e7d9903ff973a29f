package transfer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail/transfer/transfertest"
)

// mosquitto is a real one, see transfertest.
type mosquitto struct {
	transfertest.Mosquitto
	t *testing.T
}

func startMosquitto(t *testing.T) mosquitto { return mosquitto{transfertest.StartMosquitto(t), t} }

// subscriber hears what is published.
type subscriber struct{ *transfertest.Subscriber }

type message = transfertest.Message

func (m mosquitto) subscribe() subscriber { return subscriber{m.Subscribe()} }

// last waits for a message on a topic and returns the newest.
func (s subscriber) last(t *testing.T, topic string, ok func(message) bool) message {
	t.Helper()
	var found message
	eventually(t, "a message on "+topic, func() bool {
		for _, m := range s.Heard() {
			if m.Topic == topic {
				found = m
			}
		}
		return found.Topic != "" && ok(found)
	})
	return found
}

func whatever(message) bool { return true }

func (s subscriber) count(topic string) (n int) {
	for _, m := range s.Heard() {
		if m.Topic == topic {
			n++
		}
	}
	return n
}

// broker is the place, in clear or with TLS and the user.
func (m mosquitto) broker(secured bool) config.Transfer {
	c := config.Transfer{Name: "ha", Kind: "mqtt", Server: "127.0.0.1", Port: m.Port, Security: "auto", Topic: "watchpost/{site}/{trigger}"}
	if secured {
		c.Port, c.Username, c.CAFile = m.TLS, serverUser, m.CAFile
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
		if got := b.untilState(id, "delivered"); got.Subject != "the newest of 5 images" || got.Recipients[0].Reply != "acknowledged by the broker" {
			t.Errorf("%+v", got)
		}
		topic := fmt.Sprintf("watchpost/Gate_%v/yard", secured)
		want := b.album.data[eventID(1)+"/"+b.album.events[eventID(1)].Images[4].File]
		if got := sub.last(t, topic+"/image", whatever); !bytes.Equal(got.Payload, want) || got.Retained || sub.count(topic+"/image") != 1 {
			t.Errorf("the image: %d bytes, %d times", len(got.Payload), sub.count(topic+"/image"))
		}
		var ev struct {
			Type string `json:"event_type"`
			event.Stored
		}
		if err := json.Unmarshal(sub.last(t, topic+"/event", whatever).Payload, &ev); err != nil || ev.Type != "motion" || ev.ID != eventID(1) || len(ev.Images) != 5 || ev.End.IsZero() {
			t.Errorf("%v %+v", err, ev)
		}
		late := m.subscribe()
		if got := late.last(t, topic+"/image", whatever); !got.Retained || !bytes.Equal(got.Payload, want) {
			t.Errorf("not retained: %+v", got.Topic)
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
	is := func(word string) func(message) bool { return func(m message) bool { return string(m.Payload) == word } }
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
		if err := json.Unmarshal(sub.last(t, "homeassistant/"+kind+"/"+client+"/yard/config", whatever).Payload, &e); err != nil {
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
	w := &cable{to: fmt.Sprintf("127.0.0.1:%d", m.Port)}
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
	w := &cable{to: fmt.Sprintf("127.0.0.1:%d", m.Port)}
	go w.carry(l)
	sub := m.subscribe()
	b := opened(t, t.TempDir(), newAlbum(), nil).run()
	c := config.Config{Site: config.Site{Name: "G"}, Transfers: []config.Transfer{m.broker(false)}}
	c.Transfers[0].Port, c.Transfers[0].Discovery = port, true
	b.Configure(c, config.Secrets{}, time.UTC)
	b.untilState(b.event(1, "ha", 1), "delivered")
	w.block(true)
	sub.last(t, "watchpost/G/availability", func(m message) bool { return string(m.Payload) == "offline" })
	id := b.event(2, "ha", 2)
	b.untilState(id, "deferred")
	w.block(false)
	b.untilState(id, "delivered")
	sub.last(t, "watchpost/G/availability", func(m message) bool { return string(m.Payload) == "online" })
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
		"other key":       {serverPassword, func(c *config.Transfer) { c.Pin = m.Pin[:10] + strings.ToLower(m.Pin[10:20]) + m.Pin[20:] }, f, account, "tls"},
		"no TLS there":    {serverPassword, func(c *config.Transfer) { c.Port = m.Port }, f, network, "tls"},
		"TLS there":       {"", func(c *config.Transfer) { c.Username, c.Security = "", "none" }, f, network, "login"},
		"nobody there":    {"", func(c *config.Transfer) { c.Port = transfertest.FreePort(t) }, f, network, "tcp"},
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
	pinned.CAFile, pinned.Pin = "", m.Pin
	if _, err := connected(t, newMQTT(pinned, serverPassword)).put(t.Context(), f); err != nil {
		t.Error(err)
	}
}
