package transfer

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/foreign"
	"watchpost/engine/trust"
)

// The levels below a place's topic.
const (
	imageLevel = "image" // the newest image, retained
	eventLevel = "event" // an event that has ended, as JSON
)

// published is an event as it is published: Home Assistant wants the first field.
type published struct {
	Type string `json:"event_type"`
	event.Stored
}

const (
	mqttKeepAlive = 30       // seconds between two signs of life
	mqttMaxReply  = 64 << 10 // bytes read between two packets that are written
	mqttSlowest   = 1 << 10  // bytes a second
)

// mqttTarget is a place of kind mqtt: a broker that speaks MQTT 5 (OASIS standard
// of 7 March 2019). In version 3.1.1 a broker cannot say that it did not take what
// was published, and many acknowledge what they throw away.
type mqttTarget struct {
	config config.Transfer
	secret string
	id     string // of this box at this place
	stall  time.Duration
}

func newMQTT(c config.Transfer, secret string) target {
	return mqttTarget{c, secret, clientID(c), stallTime}
}

// clientID is the same after each start, so that a broker ends the session of the
// one before, and no other box's.
func clientID(c config.Transfer) string {
	machine, _ := os.ReadFile("/etc/machine-id")
	sum := sha256.Sum256([]byte(string(machine) + "\n" + c.Name + "\n" + c.Topic))
	return "watchpost-" + hex.EncodeToString(sum[:5])
}

// stays keeps the connection for Home Assistant: its end makes the camera
// unavailable there.
func (t mqttTarget) stays() bool { return t.config.Discovery }

// root is the levels of the topic before the first placeholder.
func (t mqttTarget) root() string {
	var levels []string
	for _, level := range strings.Split(t.config.Topic, "/") {
		if strings.Contains(level, "{") {
			break
		}
		levels = append(levels, level)
	}
	if len(levels) == 0 {
		return "watchpost/" + t.id
	}
	return strings.Join(levels, "/")
}

// availability is the topic that says online or offline.
func (t mqttTarget) availability() string { return t.root() + "/availability" }

// usesTLS is what the security auto means.
func (t mqttTarget) usesTLS() bool {
	switch t.config.Security {
	case "tls":
		return true
	case "none":
		return false
	}
	return t.config.Port == 8883 || t.config.Username != ""
}

func (t mqttTarget) address() string {
	port := t.config.Port
	switch {
	case port == 0 && t.usesTLS():
		port = 8883
	case port == 0:
		port = 1883
	}
	return net.JoinHostPort(config.HostForDial(t.config.Server), strconv.Itoa(port))
}

func (t mqttTarget) far() far { return far{"mqtt", t.config.Server, t.address()} }

func (t mqttTarget) connect(ctx context.Context) (session, error) {
	l, err := dialLine(ctx, t.address(), t.stall)
	if err != nil {
		return nil, lineFault("tcp", t.far(), err)
	}
	l.most = mqttMaxReply
	conn := &heard{Conn: l, line: l}
	if t.usesTLS() {
		conf, err := trust.Config(t.config.Pin, t.config.CAFile, config.HostForDial(t.config.Server), true)
		if err != nil {
			l.Close()
			return nil, lineFault("tls", t.far(), err)
		}
		secured := tls.Client(l, conf)
		hs, cancel := context.WithTimeout(ctx, tlsTime)
		err = secured.HandshakeContext(hs)
		cancel()
		trialOf(ctx).secured("", secured.ConnectionState(), err, "encrypted from the first byte")
		if err != nil {
			l.Close()
			return nil, lineFault("tls", t.far(), err, t.secret)
		}
		conn.Conn = secured
	}
	s := &mqttSession{mqttTarget: t, announced: map[string]string{}, slowest: mqttSlowest}
	s.pinger.busy = &s.busy
	s.client = paho.NewClient(paho.ClientConfig{
		Conn: packets.NewThreadSafeConn(conn), PingHandler: &s.pinger,
		PacketTimeout: 24 * time.Hour, // each call has its own
		OnServerDisconnect: func(d *paho.Disconnect) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ended = d
		},
	})
	waiting, cancel := context.WithTimeout(ctx, t.stall)
	defer cancel()
	ack, err := s.client.Connect(waiting, t.hello())
	switch {
	case err != nil && ctx.Err() == nil && ack != nil:
		return nil, t.refused("login", ack.ReasonCode, connackWords(ack))
	case err != nil && conn.old():
		return nil, &fault{kind: account, step: "login", err: err, text: "The broker speaks no MQTT 5", do: "Use a broker that does (Mosquitto from 1.6 on)"}
	case err != nil:
		return nil, lineFault("login", t.far(), err, t.secret)
	}
	t.admitted(trialOf(ctx))
	if ack.Properties != nil && ack.Properties.MaximumPacketSize != nil {
		s.largest = int64(*ack.Properties.MaximumPacketSize)
	}
	if t.config.Discovery {
		if err := s.publish(ctx, t.availability(), []byte("online"), "", true); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// admitted tells a trial that the broker takes this box.
func (t mqttTarget) admitted(x *trial) {
	user, verdict := t.config.Username, "user name and password accepted"
	if user == "" {
		user, verdict = "no user name", "the broker lets anybody in"
	}
	x.passed("login", user, "", verdict)
}

// hello is the CONNECT packet: no session that outlives the connection, and with
// Home Assistant a last will.
func (t mqttTarget) hello() *paho.Connect {
	few, most := uint16(16), uint32(mqttMaxReply)
	c := &paho.Connect{ClientID: t.id, KeepAlive: mqttKeepAlive, CleanStart: true,
		Properties: &paho.ConnectProperties{ReceiveMaximum: &few, MaximumPacketSize: &most, RequestProblemInfo: true}}
	if t.config.Username != "" {
		c.UsernameFlag, c.Username = true, t.config.Username
	}
	if t.secret != "" {
		c.PasswordFlag, c.Password = true, []byte(t.secret)
	}
	if t.config.Discovery {
		c.WillMessage = &paho.WillMessage{Topic: t.availability(), Payload: []byte("offline"), QoS: 1, Retain: true}
	}
	return c
}

// mqttSession is a connection to a broker.
type mqttSession struct {
	mqttTarget
	client    *paho.Client
	pinger    pinger
	busy      sync.Mutex        // held while something is published: a sign of life enough
	largest   int64             // packet that the broker takes; 0: any
	slowest   int               // bytes a second at which an image may still go
	announced map[string]string // by trigger: the topic that Home Assistant was told

	mu    sync.Mutex
	ended *paho.Disconnect // the broker's word at the end
}

func (s *mqttSession) lost() <-chan struct{} { return s.client.Done() }

// close says good-bye; with Home Assistant the broker is to publish the last will.
func (s *mqttSession) close() {
	d := &paho.Disconnect{}
	if s.config.Discovery {
		d.ReasonCode = packets.DisconnectDisconnectWithWillMessage
	}
	_ = s.client.Disconnect(d) // it closes the connection in any case
}

func (s *mqttSession) put(ctx context.Context, f file) (string, error) {
	image := f.name == imageLevel
	if s.config.Discovery && s.announced[f.trigger] != f.dir {
		if err := s.announce(ctx, f.trigger, f.dir); err != nil {
			return "", err
		}
	}
	const most = 64 << 20
	if f.size > most || s.largest > 0 && f.size+1024 > s.largest {
		return "", &fault{kind: permanent, step: "send", text: fmt.Sprintf("The broker takes %d bytes at most, and this has %d", s.largest, f.size),
			do: "Raise the broker's limit (Mosquitto: max_packet_size), or make the images smaller; then retry"}
	}
	from, err := f.open()
	if err != nil {
		return "", &fault{kind: temporary, step: "store", text: "The image cannot be read: " + foreign.Sanitise(err.Error()), do: "Check the disk", err: err}
	}
	data, err := io.ReadAll(io.LimitReader(from, most))
	from.Close()
	if err != nil {
		return "", &fault{kind: temporary, step: "store", text: "The image cannot be read: " + foreign.Sanitise(err.Error()), do: "Check the disk", err: err}
	}
	if err := s.publish(ctx, f.dir+"/"+f.name, data, f.kind, image); err != nil {
		return "", err
	}
	return "acknowledged by the broker", nil
}

// publish publishes with QoS 1 and waits for the broker's word.
func (s *mqttSession) publish(ctx context.Context, topic string, data []byte, kind string, retain bool) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	waiting, cancel := context.WithTimeout(ctx, s.stall+time.Duration(len(data)/s.slowest)*time.Second)
	defer cancel()
	// The library writes without looking at its context.
	defer context.AfterFunc(waiting, s.client.TerminateConnectionForTest)()
	p := &paho.Publish{QoS: 1, Topic: topic, Payload: data, Retain: retain, Properties: &paho.PublishProperties{ContentType: kind}}
	said, err := s.client.Publish(waiting, p)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	switch {
	case said != nil:
		words := ""
		if said.Properties != nil {
			words = said.Properties.ReasonString
		}
		return s.refused("send", said.ReasonCode, words)
	case ended != nil:
		words := ""
		if ended.Properties != nil {
			words = ended.Properties.ReasonString
		}
		return s.refused("send", ended.ReasonCode, words)
	case errors.Is(err, paho.ErrInvalidArguments):
		return &fault{kind: account, step: "send", text: "The broker does not offer what is needed: " + foreign.Sanitise(err.Error()), do: "Allow retained messages and QoS 1 on the broker", err: err}
	}
	return lineFault("send", s.far(), err, s.secret)
}
