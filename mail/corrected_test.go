package mail

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// A digest that is made smaller keeps its date.
func TestDigestKeepsItsDate(t *testing.T) {
	o := idle(t, t.TempDir())
	jpeg := picture(t, 640, 480)
	for i := range 5 {
		o.Submit(context.Background(), firing(uint64(i+1), time.Now(), jpeg))
	}
	for _, e := range o.mails { // they wait since an hour
		e.Mail.Queued = e.Mail.Queued.Add(-time.Hour)
	}
	if _, err := o.fold(0); err != nil {
		t.Fatal(err)
	}
	id := o.Mails()[0].ID
	date := func() string {
		eml, _ := os.ReadFile(o.spool.queue(id + ".eml"))
		return parse(t, eml).header.Get("Date")
	}
	before := date()
	if _, ok := o.fit(id, 20_000); !ok {
		t.Fatal("no smaller")
	}
	if after := date(); after != before {
		t.Errorf("Date: %s became %s", before, after)
	}
}

// The reply address is corrected while mails wait for the line.
func TestReplyAddressCorrectedInAnOutage(t *testing.T) {
	var up atomic.Bool
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if !up.Load() {
			return ""
		}
		if strings.HasPrefix(cmd, "MAIL FROM:<camera@") {
			return "553 5.7.1 sender address rejected: not owned by user"
		}
		return o
	})
	c := oddSettings(a)
	b := start(t, t.TempDir(), c, config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	c.Mail.ReplyAddress = "gate3@example.test"
	b.Configure(c, config.Secrets{}, time.UTC)
	up.Store(true)
	time.Sleep(2 * time.Second)
	if m := b.mail("alarm-1"); m.QueueState() != "delivered" {
		t.Errorf("%s: %s", m.QueueState(), m.Problem)
	}
	b.Retry("alarm-1")
	time.Sleep(time.Second)
	if m := b.mail("alarm-1"); m.QueueState() != "delivered" {
		t.Errorf("after a key press, too: %s", m.QueueState())
	}
}

// Large mails whose line dies far before the dot.
func TestCutLongBeforeTheDot(t *testing.T) {
	f := newStage(t, script{"BODY": hangUp, "EHLO": "250-x\r\n250 8BITMIME"})
	b := start(t, t.TempDir(), oddSettings(f.addr), config.Secrets{}, func(t *timeouts) { t.networkRetry = []time.Duration{time.Hour} })
	x := alarm("alarm-1", time.Now())
	x.Images[0].JPEG = picture(t, 4000, 3000)
	b.submit(x)
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.mails["alarm-1"]
	if e.Handed {
		t.Errorf("%d bytes: %s: counts as what the server may have", e.Mail.Bytes, e.Mail.Problem)
	}
}
