package engine

import (
	"context"
	"slices"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// loop is the state that the loop's goroutine owns.
type loop struct {
	zone       *time.Location
	triggers   []*trigger
	mails      map[string]event.Mail // what the spool holds, by id
	byFiring   map[uint64]string     // open firing to its mail
	due        []*due                // notices to be composed
	unaccepted []unaccepted          // firings that the journal could not take yet
	toSettle   []string              // mails whose outcome is in the journal, to be moved out of the queue
	firings    []event.Firing        // newest last, at most historyMax
	recent     []event.Mail          // newest last, at most historyMax
	notices    map[string]string     // problems by what they are about
	published  []byte                // the last status, for comparison
	publishAt  time.Time
	fps        float64
	fpsFrames  uint64
	fpsAt      time.Time
}

func (l *loop) init() {
	l.zone = time.Local
	l.mails = map[string]event.Mail{}
	l.byFiring = map[uint64]string{}
	l.notices = map[string]string{}
}

// trigger is one trigger as it runs.
type trigger struct {
	cfg       config.Trigger
	why       string // why it cannot run; empty where it can
	running   *running
	holdUntil time.Time      // monotonic; until then firings wait for the summary
	pending   []event.Firing // those
	last      time.Time
}

// unaccepted is a firing that is not counted yet since its record could not be written.
type unaccepted struct {
	trigger string
	source  event.Source
	at      time.Time
	level   float64
}

const unacceptedMax = 256

// notice notes a problem under a name, or with an empty text that it is over.
func (l *loop) notice(name, text string) {
	if text == "" {
		delete(l.notices, name)
	} else {
		l.notices[name] = text
	}
}

// run is the loop: signals, requests, what the outbox says, and time.
func (e *Engine) run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-e.signals:
			e.signalled(s)
		case f := <-e.requests:
			f()
		case <-e.Mail.wake:
			e.mailsChanged()
		case c := <-e.composed:
			e.wasComposed(c)
		case <-e.images:
			e.keepImages()
		case <-ticker.C:
			e.ticked(time.Now())
		}
	}
}

func (e *Engine) ticked(now time.Time) {
	if waiting := e.unaccepted; len(waiting) > 0 {
		e.unaccepted = nil
		for _, u := range waiting {
			e.fireOrWait(u)
		}
	}
	e.endEvents(now)
	e.endHoldOffs(now)
	e.compose(now)
	e.settle()
	e.measure(now)
	e.publishStatus(now)
}

// signalled is a source beginning or ending.
func (e *Engine) signalled(s signal) {
	t := e.trigger(s.trigger)
	if t == nil {
		return
	}
	if t.running != nil {
		t.running.moving = s.started
		t.running.stored.Peak = max(t.running.stored.Peak, s.level)
		if !s.started {
			t.running.end = time.Now().Add(extent(t.cfg.Post, t.cfg.Interval))
		}
	}
	if s.started {
		e.fireOrWait(unaccepted{trigger: t.cfg.Name, source: t.cfg.Source, at: s.at, level: s.level})
		if t.running != nil {
			t.running.moving = true
		}
	}
}

func (e *Engine) trigger(name string) *trigger {
	i := slices.IndexFunc(e.triggers, func(t *trigger) bool { return t.cfg.Name == name })
	if i < 0 {
		return nil
	}
	return e.triggers[i]
}

// unavailable says why this version cannot run a trigger; empty where it can.
func unavailable(t config.Trigger) string {
	switch {
	case t.And != nil:
		return "its AND with another source is not carried out by this version"
	case t.Source == event.Motion, t.Source == event.Manual:
		return ""
	}
	return "the source " + string(t.Source) + " is not carried out by this version"
}

func extent(x config.Extent, interval time.Duration) time.Duration {
	if x.Images > 0 {
		return time.Duration(x.Images) * interval
	}
	return x.Time
}

func appendBounded[T any](list []T, x T, n int) []T {
	list = append(list, x)
	if len(list) > n {
		list = slices.Delete(list, 0, len(list)-n)
	}
	return list
}
