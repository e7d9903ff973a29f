package engine

import (
	"sync"

	"watchpost/engine/event"
)

const (
	watchBuffer = 256 // events that a subscriber may be behind
	watchMax    = 128 // subscribers
	historyMax  = 50  // firings and mails in a snapshot
)

// hub hands every event to every subscriber and waits for none of them: where a
// subscriber's channel is full its oldest event is dropped and it is told how many were.
//
// Invariant: only publish and unsubscribe touch a subscriber's channel, under mu.
type hub struct {
	mu     sync.Mutex
	subs   map[*subscriber]struct{}
	closed bool
}

type subscriber struct {
	ch   chan event.Event
	lost int
}

func (h *hub) subscribe() *subscriber {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.subs) >= watchMax {
		return nil
	}
	if h.subs == nil {
		h.subs = map[*subscriber]struct{}{}
	}
	s := &subscriber{ch: make(chan event.Event, watchBuffer)}
	h.subs[s] = struct{}{}
	return s
}

func (h *hub) unsubscribe(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.subs[s]; ok {
		delete(h.subs, s)
		close(s.ch)
	}
}

func (h *hub) publish(ev event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		if s.lost > 0 {
			s.makeRoom(2)
			s.ch <- event.Event{Lost: s.lost}
			s.lost = 0
		}
		s.makeRoom(1)
		s.ch <- ev
	}
}

// makeRoom drops the oldest until n more fit. The hub is the only sender.
func (s *subscriber) makeRoom(n int) {
	for cap(s.ch)-len(s.ch) < n {
		select {
		case old := <-s.ch:
			s.lost += max(old.Lost, 1)
		default:
		}
	}
}

func (h *hub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs) > 0
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		delete(h.subs, s)
		close(s.ch)
	}
}
