package tui

import (
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

// How far a mail is stands on the screen only where it takes long, and goes when
// something else becomes known of it.
func TestSending(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("2", "t")
	s.send(testMsg{mail: event.Mail{ID: "test-1", Kind: event.Test, Recipients: []event.Recipient{{State: event.Pending}}}})
	queue := queueMsg{mails: []event.Mail{mailOf(1, event.Pending)}}
	queue.mails[0].ID = "test-1"
	s.pages[queueAt].(*queuePage).done(s.app, queue)
	now := noon
	s.now = func() time.Time { return now }
	sent := func(id string, n int64) {
		s.send(eventsMsg{[]event.Event{{Sent: &event.MailSent{Mail: id, Sent: n, Of: 3_400_000}}}})
	}
	screens := func() string {
		s.at = mailAt
		mail := s.text()
		s.at = queueAt
		return mail + s.text()
	}
	shows := func(what string, want ...string) {
		t.Helper()
		text := screens()
		if len(want) == 0 && strings.Contains(text, "sending") {
			t.Errorf("%s: it says that it sends\n%s", what, text)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q does not stand in\n%s", what, w, text)
			}
		}
	}
	sent("test-1", 32_000)
	shows("at once")
	now = now.Add(worthAWord / 2)
	sent("test-1", 600_000)
	shows("in under a second")
	now = now.Add(worthAWord / 2)
	sent("test-1", 1_200_000)
	shows("after a second", "data             sending 1.2 of 3.4 MB", "sending 35%", "1 attempt, sending 1.2 of 3.4 MB"[11:])
	sent("test-1", 3_400_000)
	shows("all of it", "data             3.4 MB sent, waiting for the server", "sending 100%")
	sent("test-1", 32_000)
	shows("another attempt")
	now = now.Add(2 * worthAWord)
	sent("test-1", 1_700_000)
	shows("another attempt takes long", "sending 1.7 of 3.4 MB", "sending 50%")
	s.send(eventsMsg{[]event.Event{{Step: &event.MailStep{Mail: "test-1", Step: event.Step{Step: "data", OK: true, MS: 5200, Code: 250, Text: "queued as 4F", Verdict: "the server has the mail"}}}}})
	shows("it is through")
	if text := screens(); !strings.Contains(text, "ok data    5200 ms  the server has the mail (250 queued as 4F)") {
		t.Error(text)
	}
	sent("other", 1)
	now = now.Add(2 * worthAWord)
	sent("other", 2)
	shows("another mail")
	s.send(eventsMsg{[]event.Event{{Sent: &event.MailSent{Mail: "test-1"}}}}) // of nothing
	shows("of nothing")
}

// A row of the Queue page does not move while the percentage grows.
func TestSendingDoesNotJump(t *testing.T) {
	s := queueOf(t, 3)
	column := func() int {
		for l := range strings.Lines(s.text()) {
			if strings.HasPrefix(l, "> ") {
				return strings.Index(l, "yard")
			}
		}
		return -1
	}
	before := column()
	for _, n := range []int64{0, 5, 50, 100} {
		s.sent = sending{event.MailSent{Mail: "00000000-alarm", Sent: n, Of: 100}, noon, true}
		if c := column(); c != before || c < 0 || !strings.Contains(s.text(), "sending ") {
			t.Errorf("at %d%% column %d, before %d\n%s", n, c, before, s.text())
		}
	}
}
