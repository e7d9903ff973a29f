package tui

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

// mailOf is a mail in one state, some minutes before noon.
func mailOf(n int, s event.RecipientState) event.Mail {
	return event.Mail{ID: fmt.Sprintf("%08d-alarm", n), Kind: event.Alarm, Trigger: "yard", At: noon.Add(-time.Duration(n) * time.Minute), FiringCount: 1,
		Subject: "CameraNotification", Bytes: 81_234, Recipients: []event.Recipient{{Address: "guard@example.net", State: s, Reply: "450 4.2.0 Greylisted"}}}
}

// Whatever happens to the mails, the list is what a sorted map would be, the
// oldest settled ones apart.
func TestMailListIsInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	states := []event.RecipientState{event.Pending, event.Pending, event.RcptHeld, event.Delivered, event.RcptDrop}
	for range 50 {
		var l mailList
		model := map[string]event.Mail{}
		var start []event.Mail
		for n := range r.IntN(30) {
			m := mailOf(n, states[r.IntN(5)])
			start, model[m.ID] = append(start, m), m
		}
		r.Shuffle(len(start), func(i, j int) { start[i], start[j] = start[j], start[i] })
		l.fill(start)
		for range 300 {
			m := mailOf(r.IntN(60), states[r.IntN(5)])
			m.At = m.At.Truncate(4 * time.Minute) // some at the same moment
			switch r.IntN(10) {
			case 0:
				m.Damaged = true
			case 1:
				m.At = m.At.Add(time.Hour)
			case 2:
				m.ID, m.Kind = fmt.Sprintf("digest-%d", r.IntN(5)), event.Digest
				for n := range r.IntN(20) {
					m.Replaces = append(m.Replaces, mailOf(n, event.Pending).ID)
				}
			}
			l.put(m)
			delete(model, m.ID)
			for _, id := range m.Replaces {
				delete(model, id)
			}
			if !m.Damaged {
				model[m.ID] = m
			}
		}
		want := slices.SortedFunc(maps.Values(model), func(a, b event.Mail) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) })
		held, got := 0, []string{}
		for _, m := range l.mails {
			got = append(got, m.ID+string(m.Recipients[0].State))
		}
		for i, m := range want {
			held += m.Count(event.RcptHeld)
			if l.find(m.ID) != i {
				t.Fatalf("%s is found at %d, not %d", m.ID, l.find(m.ID), i)
			}
			want[i].ID += string(m.Recipients[0].State)
		}
		if !slices.EqualFunc(got, want, func(id string, m event.Mail) bool { return id == m.ID }) || l.held != held {
			t.Fatalf("%d held of %v,\nwant %d of %v", l.held, got, held, want)
		}
	}
}

// However many mails are delivered while the page is looked at, the list stays small.
func TestMailListForgetsTheSettled(t *testing.T) {
	var l mailList
	l.fill(nil)
	for n := range 5000 {
		l.put(mailOf(5000-n, event.Delivered))
		l.put(mailOf(10000-n, event.RcptHeld))
	}
	if len(l.mails) != 5000+l.settled || l.settled < keepSettled || l.settled > 2*keepSettled || len(l.at) != len(l.mails) || l.mails[0].ID != mailOf(1, "").ID {
		t.Errorf("%d mails, %d settled, %d names, first %s", len(l.mails), l.settled, len(l.at), l.mails[0].ID)
	}
}

// queueOf opens the Queue page with n mails that wait, every hundredth held.
func queueOf(t testing.TB, n int) *screen {
	s := open(t, newFake(), 80, 24)
	ms := make([]event.Mail, n)
	for i := range ms {
		ms[i] = mailOf(i, event.Pending)
		if i%100 == 50 {
			ms[i] = mailOf(i, event.RcptHeld)
		}
	}
	s.press("6")
	s.send(queueMsg{mails: ms})
	return s
}

func TestHeldMailsAreFoundAndRetried(t *testing.T) {
	s := queueOf(t, 250)
	if text := s.text(); !strings.Contains(text, "2 held, marked !: h finds the next one") || !strings.Contains(text, "h next held  R all held") {
		t.Error(text)
	}
	var at []int
	for range 3 {
		s.press("h")
		at = append(at, s.pages[queueAt].(*queuePage).sel)
	}
	if !slices.Equal(at, []int{50, 150, 50}) || !strings.Contains(s.text(), "!held") {
		t.Errorf("h goes to %v\n%s", at, s.text())
	}
	s.press("R")
	if s.qu == nil || !strings.Contains(s.text(), "Try 2 held mails again now?") {
		t.Fatal(s.text())
	}
	s.press("n")
	if s.qu != nil || len(s.f.asked()) > 0 {
		t.Fatal(s.f.asked())
	}
	s.press("R")
	done := s.press("y")()
	s.send(done)
	if want := []string{"retry 00000050-alarm", "retry 00000150-alarm"}; !slices.Equal(s.f.asked(), want) || s.say != "2 held mails tried again now." {
		t.Errorf("%v, %q", s.f.asked(), s.say)
	}
	s.press("x")
	if s.qu == nil || !strings.Contains(s.text(), "Drop this mail for 1 recipient?") {
		t.Error(s.text())
	}
	s.press("y")()
	if got := s.f.asked()[2:]; !slices.Equal(got, []string{"drop 00000050-alarm"}) {
		t.Error(got)
	}
	m := mailOf(50, event.Pending)
	s.send(eventsMsg{[]event.Event{{Mail: &m}}})
	m = mailOf(150, event.Pending)
	s.send(eventsMsg{[]event.Event{{Mail: &m}}})
	s.press("h")
	if s.say != "Nothing is held." {
		t.Error(s.say)
	}
	s.press("R")
	if s.qu != nil {
		t.Error("R asks although none is held")
	}
}

// What changes while the queue is on its way is not undone when it comes; the
// selection stays on its mail, and goes to the digest that takes its place.
func TestQueueFollows(t *testing.T) {
	s := queueOf(t, 30)
	p := s.pages[queueAt].(*queuePage)
	s.press("down", "down", "down")
	m := mailOf(-1, event.Pending) // newer than all
	s.send(eventsMsg{[]event.Event{{Mail: &m}}})
	if got, _ := p.selected(); got.ID != "00000003-alarm" || len(p.mails) != 31 {
		t.Errorf("selected %s of %d", got.ID, len(p.mails))
	}
	s.press("6") // asks again; its answer is older than what comes now
	old := []event.Mail{mailOf(2, event.Pending), mailOf(3, event.Pending), mailOf(4, event.Pending)}
	m = mailOf(3, event.Delivered)
	s.send(eventsMsg{[]event.Event{{Mail: &m}}})
	s.send(queueMsg{mails: old})
	if got, _ := p.selected(); got.ID != m.ID || got.QueueState() != "delivered" || len(p.mails) != 3 {
		t.Errorf("%+v of %d", got, len(p.mails))
	}
	d := event.Mail{ID: "d", Kind: event.Digest, At: noon, FiringCount: 2, Replaces: []string{old[1].ID, old[2].ID}, Stands: 2, Recipients: old[0].Recipients}
	s.send(eventsMsg{[]event.Event{{Mail: &d}}})
	if got, _ := p.selected(); got.ID != "d" || len(p.mails) != 2 {
		t.Errorf("%+v of %d", got, len(p.mails))
	}
	if text := s.text(); !strings.Contains(text, "digest      of 2 firings") || !strings.Contains(text, "It stands for 2 mails that could not be sent.") {
		t.Error(text)
	}
	d.Damaged = true
	s.send(eventsMsg{[]event.Event{{Mail: &d}}})
	if text := s.text(); len(p.mails) != 1 || !strings.Contains(text, "The mail d was found damaged on the disk and set aside; it is composed anew.") {
		t.Errorf("%d mails\n%s", len(p.mails), text)
	}
}

// BenchmarkQueue is one change of a mail among ten thousand and the screen after
// it, and a key and the screen after it.
func BenchmarkQueue(b *testing.B) {
	b.Run("event", func(b *testing.B) {
		s := queueOf(b, 10_000)
		states := []event.RecipientState{event.Delivered, event.Pending, event.RcptHeld}
		for i := 0; b.Loop(); i++ {
			m := mailOf(i*7%12_000, states[i%3]) // some are new
			s.send(eventsMsg{[]event.Event{{Mail: &m}}})
			s.frame()
		}
	})
	b.Run("key", func(b *testing.B) {
		s := queueOf(b, 10_000)
		for b.Loop() {
			s.press("down")
			s.frame()
		}
	})
	b.Run("next held", func(b *testing.B) {
		s := queueOf(b, 10_000)
		for b.Loop() {
			s.press("h")
			s.frame()
		}
	})
	b.Run("digest of 9000", func(b *testing.B) {
		d := event.Mail{ID: "d", Kind: event.Digest, At: noon, Recipients: []event.Recipient{{State: event.Pending}}}
		for i := range 9000 {
			d.Replaces = append(d.Replaces, mailOf(i, event.Pending).ID)
		}
		for b.Loop() {
			b.StopTimer()
			s := queueOf(b, 10_000)
			b.StartTimer()
			s.send(eventsMsg{[]event.Event{{Mail: &d}}})
			s.frame()
		}
	})
	b.Run("opened", func(b *testing.B) {
		s := queueOf(b, 10_000)
		ms := make([]event.Mail, 10_000)
		for i := range ms {
			ms[i] = mailOf(i, event.Pending)
		}
		for b.Loop() {
			b.StopTimer()
			m := queueMsg{mails: slices.Clone(ms)}
			b.StartTimer()
			s.send(m)
			s.frame()
		}
	})
}
