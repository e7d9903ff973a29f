package transfertest

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/need"
)

// Mosquitto is Debian's, unpacked: one port in clear that lets anybody in, one with
// TLS that asks for the user, who may publish below watchpost/ and homeassistant/.
type Mosquitto struct {
	*Server
	TLS int
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

// StartMosquitto starts it.
func StartMosquitto(t testing.TB) Mosquitto {
	s := New(t, "mosquitto", "mosquitto-clients")
	s.Write("passwd", "", 0o600)
	m := Mosquitto{Server: s}
	if out, err := m.Command(context.Background(), "mosquitto_passwd", "-b", s.Path("passwd"), User, Password).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
	}
	s.Write("acl", "user "+User+"\ntopic readwrite watchpost/#\ntopic readwrite homeassistant/#\ntopic read other/#\n", 0o600)
	s.Start(func() []string {
		s.Write("mosquitto.conf", fmt.Sprintf(mosquittoConf, s.Dir, s.Port, s.Implicit), 0o644)
		return []string{s.Packages + "/usr/sbin/mosquitto", "-c", s.Path("mosquitto.conf")}
	})
	m.TLS = s.Implicit
	return m
}

// Command is one of the packages' programs.
func (m Mosquitto) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, m.Packages+"/usr/bin/"+name, args...)
	libraries, _ := filepath.Glob(m.Packages + "/usr/lib/*-linux-gnu*")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	return cmd
}

// Subscriber is a mosquitto_sub with what it has heard.
type Subscriber struct {
	mu    sync.Mutex
	heard []Message
}

// Message is one that was published.
type Message struct {
	Topic    string
	Retained bool // it was there before the subscriber
	Payload  []byte
}

// Subscribe hears every topic until the test ends, also across a restart of the broker.
func (m Mosquitto) Subscribe() *Subscriber {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := m.Command(ctx, "mosquitto_sub", "-h", "127.0.0.1", "-p", fmt.Sprint(m.Port), "-t", "#", "-q", "1", "-d", "-F", "MESSAGE %r %t %x")
	buffered := need.Program(m.t, "stdbuf", "coreutils") // else a pipe gets it in blocks
	cmd.Args = append([]string{buffered, "-oL", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = buffered
	out, err := cmd.StdoutPipe()
	must(m.t, err)
	must(m.t, cmd.Start())
	s := &Subscriber{}
	ready, done := make(chan struct{}), make(chan struct{})
	subscribed := sync.OnceFunc(func() { close(ready) })
	go func() {
		defer close(done)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 32<<20)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "Subscribed") {
				subscribed()
			}
			f := strings.Split(lines.Text(), " ")
			if f[0] != "MESSAGE" || len(f) != 4 {
				continue
			}
			payload, _ := hex.DecodeString(f[3])
			s.mu.Lock()
			s.heard = append(s.heard, Message{f[2], f[1] == "1", payload})
			s.mu.Unlock()
		}
	}()
	m.t.Cleanup(func() { cancel(); <-done; cmd.Wait() })
	select {
	case <-ready:
	case <-time.After(time.Minute):
		m.t.Fatal("mosquitto_sub does not subscribe")
	}
	return s
}

// Heard is what was heard so far, in its order.
func (s *Subscriber) Heard() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}
