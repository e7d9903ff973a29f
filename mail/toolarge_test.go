package mail

import (
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Refused for its size by a server that then hangs up: it was made smaller, and never tried so.
func TestTooLargeAndHangsUp(t *testing.T) {
	n := 0
	dot := func(_ int, cmd, o string) string {
		switch {
		case cmd == ".":
			if n++; n == 1 {
				return "552 5.3.4 message size exceeds limit"
			}
		case cmd == "RSET" && n == 1:
			return ""
		}
		return o
	}
	a := oddServer(t, "127.0.0.1:0", dot)
	b := start(t, t.TempDir(), oddSettings(a), config.Secrets{})
	x := alarm("alarm-1", time.Now())
	x.Images[0].JPEG = picture(t, 640, 480)
	b.submit(x)
	before := b.mail("alarm-1").Bytes
	m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	time.Sleep(2 * time.Second)
	m = b.mail("alarm-1")
	if m.QueueState() != "delivered" {
		t.Errorf("%s, %d bytes of %d; %d transfers: %s", m.QueueState(), m.Bytes, before, n, m.Problem)
	}
}

// The same in the middle of the text.
func TestTooLargeMidText(t *testing.T) {
	s := newStage(t, script{"BODY": last + "552 5.3.4 message size exceeds limit", "EHLO": "250-stage\r\n250 8BITMIME"})
	b := start(t, t.TempDir(), oddSettings(s.addr), config.Secrets{})
	x := alarm("alarm-1", time.Now())
	x.Images[0].JPEG = picture(t, 640, 480)
	b.submit(x)
	before := b.mail("alarm-1").Bytes
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	time.Sleep(2 * time.Second)
	m := b.mail("alarm-1")
	if s.conns.Load() < 2 {
		t.Errorf("%s, %d bytes of %d, which were never tried: %s", m.QueueState(), m.Bytes, before, m.Problem)
	}
}
