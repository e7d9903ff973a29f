package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/need"
	"watchpost/mail/mailtest"
)

// The way to the server comes back: the mail that waits goes at once, not when
// its back-off ends. In a network namespace of its own.
func TestMailGoesWhenTheLineReturns(t *testing.T) {
	const inside = "WATCHPOST_TEST_LINE"
	if os.Getenv(inside) != "" {
		t.Run("inside", testLineReturns)
		return
	}
	need.Root(t, "a network namespace of its own")
	need.Program(t, "ip", "iproute2")
	cmd := exec.Command(os.Args[0], "-test.run", "^TestMailGoesWhenTheLineReturns$", "-test.v", "-test.timeout", "5m")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) {
		need.Skip(t, "this kernel makes no network namespace: "+err.Error())
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestMailGoesWhenTheLineReturns/inside") {
		t.Fatalf("within the namespace: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func testLineReturns(t *testing.T) {
	ip := func(words string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", words, err, out)
		}
	}
	ip("link set lo up")
	ip("link add cable type veth peer name wall")
	ip("link set wall up")
	sink := mailtest.StartSink(t)
	l, err := net.Listen("tcp4", "0.0.0.0:0") // the server's side of the cable
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go forward(l, mailtest.Addr(sink.Port))

	r := newRig(t, fmt.Sprintf(`version: 1
camera: {source: "scene:"}
smtp: {server: 192.0.2.9, port: %d, security: none}
mail: {reply_address: a@example.test, destinations: [b@example.test], state_mails: false}
triggers: [{name: door, source: manual}]
`, l.Addr().(*net.TCPAddr).Port))
	r.serve().ready()
	if out, errOut, code := r.run("", "trigger", "door"); code != exitOK {
		t.Fatal(out, errOut)
	}
	mail := func() (m event.Mail) {
		out, _, _ := r.run("", "queue", "list", "--json")
		json.Unmarshal([]byte(out), &m)
		return m
	}
	var next time.Time
	r.until("the next attempt is far away", func() bool {
		next = mail().NextTry
		return time.Until(next) > 8*time.Second
	})
	back := time.Now()
	ip("address add 192.0.2.9/24 dev cable")
	ip("link set cable up")
	r.until("it is delivered", func() bool { m := mail(); return m.QueueState() == "delivered" })
	arrived := mail().Recipients[0].At
	t.Logf("delivered %v after the line's return; its back-off had %v to go", arrived.Sub(back).Round(time.Millisecond), next.Sub(back).Round(time.Millisecond))
	if !arrived.Before(next.Add(-time.Second)) {
		t.Errorf("delivered at %v, the next attempt was due at %v anyway", arrived, next)
	}
	if n := len(sink.Mails()); n != 1 {
		t.Errorf("%d mails arrived", n)
	}
}

// forward passes each connection to l on to addr, until l is closed.
func forward(l net.Listener, addr string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			s, err := net.Dial("tcp", addr)
			if err != nil {
				return
			}
			defer s.Close()
			go io.Copy(s, c)
			io.Copy(c, s)
		}()
	}
}
