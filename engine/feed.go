package engine

import (
	"sync"

	"watchpost/engine/event"
)

// MailFeed carries what an outbox says to the engine. It is made before both,
// since each needs the other. Its methods return at once: of a mail only the
// newest state is kept, so the feed is bounded by the spool.
type MailFeed struct {
	mu      sync.Mutex
	changed map[string]event.Mail
	order   []string
	wake    chan struct{}
	tell    func(event.Event)
}

// NewMailFeed returns a feed for one outbox and one engine.
func NewMailFeed() *MailFeed {
	return &MailFeed{changed: map[string]event.Mail{}, wake: make(chan struct{}, 1)}
}

// MailChanged takes a mail's new state.
func (f *MailFeed) MailChanged(m event.Mail) {
	f.mu.Lock()
	if _, ok := f.changed[m.ID]; !ok {
		f.order = append(f.order, m.ID)
	}
	f.changed[m.ID] = m
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// MailStep takes a step of a mail's delivery.
func (f *MailFeed) MailStep(id string, s event.Step) {
	f.pass(event.Event{Step: &event.MailStep{Mail: id, Step: s}})
}

// MailSent takes how far the transmission of a mail is.
func (f *MailFeed) MailSent(s event.MailSent) { f.pass(event.Event{Sent: &s}) }

func (f *MailFeed) pass(ev event.Event) {
	f.mu.Lock()
	tell := f.tell
	f.mu.Unlock()
	if tell != nil {
		tell(ev)
	}
}

// onward hands steps and progress on as they come.
func (f *MailFeed) onward(tell func(event.Event)) {
	f.mu.Lock()
	f.tell = tell
	f.mu.Unlock()
}

// take returns the mails that changed since the last call, in the order of their first change.
func (f *MailFeed) take() []event.Mail {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]event.Mail, 0, len(f.order))
	for _, id := range f.order {
		out = append(out, f.changed[id])
	}
	f.order = f.order[:0]
	clear(f.changed)
	return out
}
