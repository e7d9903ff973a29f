package hw_test

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/hw"
	"watchpost/mail"
	"watchpost/mail/sink"
)

// TestMailWhenLineReturns: a mail that waits out its back-off goes as soon as there
// is an address again. The server is on the loopback, which is no news by itself.
func TestMailWhenLineReturns(t *testing.T) { inNamespace(t, testMailWhenLineReturns) }

func testMailWhenLineReturns(t *testing.T) {
	const patience = 90 * time.Second
	cable(t)
	ip(t, "link set there up")
	ip(t, "link set here up")
	server := sink.New(10)
	address, err := server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	ip(t, "link set lo down")
	c := config.Default()
	c.SMTP.Server, c.SMTP.Security = "127.0.0.1", "none"
	c.SMTP.Port, _ = strconv.Atoi(port)
	c.Mail.ReplyAddress, c.Mail.Destinations = "camera@example.test", []string{"guard@example.test"}
	box, err := mail.Open(t.TempDir(), mail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	box.Configure(c, config.Secrets{}, time.UTC)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { server.Run(ctx) })
	all.Go(func() { box.Run(ctx) })
	all.Go(func() { hw.WatchNetwork(ctx, box.LineBack) })

	at := time.Now()
	err = box.Submit(ctx, event.Notice{ID: "00000001-alarm", Kind: event.Alarm, At: at,
		Gathered: event.Gather(event.Firing{Seq: 1, Trigger: "yard", Source: event.Motion, At: at})})
	if err != nil {
		t.Fatal(err)
	}
	until := func(what string, ok func(event.Mail) bool) event.Mail {
		t.Helper()
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			m := box.Mails()[0]
			if ok(m) {
				return m
			}
			if time.Now().After(end) {
				t.Fatalf("not %s: %+v", what, m)
			}
		}
	}
	// Three failures on, its own timetable leaves it waiting for half a minute.
	waiting := until("waiting", func(m event.Mail) bool { return time.Until(m.NextTry) > 15*time.Second })
	began := time.Now()
	ip(t, "link set lo up")
	ip(t, "address add 192.0.2.1/24 dev here")
	until("delivered", func(m event.Mail) bool { return m.QueueState() == "delivered" })
	t.Logf("delivered %v after the address came", time.Since(began).Round(time.Millisecond))
	if !time.Now().Before(waiting.NextTry) {
		t.Error("it was delivered by its own timetable")
	}
	if n := len(server.Messages()); n != 1 {
		t.Errorf("%d mails arrived", n)
	}
}
