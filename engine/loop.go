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
	zone           *time.Location
	triggers       []*trigger
	usageAt        time.Time             // when the keeper looks at the disk again
	pruneAt        time.Time             // and removes what is over its bounds
	unwritten      []func()              // ends of events for which the keeper had no room
	composeAt      time.Time             // after a failure nothing is composed before that
	mails          map[string]event.Mail // what the spool holds, by id
	transfers      map[string]event.Mail // what waits in the queue of transfers, by id
	transferred    uint64                // transfers that came to their end, since the start
	lastAt         map[string]handedLast // what came of each transfer's place last, by its name
	handedOver     []string              // transfers to be moved out of their queue
	toFold         []event.Mail          // digests that the journal does not know of yet, and mails found damaged
	orphans        bool                  // mails that the journal has and the spool has not are to be composed
	due            []*due                // notices to be composed
	unaccepted     []unaccepted          // firings that the journal could not take yet
	lost           int                   // firings for which there was no room in unaccepted
	toSettle       []string              // mails whose outcome is in the journal, to be moved out of the queue
	firings        []event.Firing        // newest last, at most historyMax
	recent         []event.Mail          // newest last, at most historyMax
	notices        map[string]string     // problems by what they are about
	published      []byte                // the last status, for comparison
	publishAt      time.Time
	fps            float64
	fpsFrames      uint64
	fpsAt          time.Time
	timersAt       time.Time // monotonic, when the timers were looked at last
	privacy        event.PrivacyMode
	privacyUnsaved bool // the journal does not have it yet
	privacyLine    bool // the input line of privacy mode is active
	conditions
}

func (l *loop) init() {
	l.zone = time.Local
	l.mails, l.transfers = map[string]event.Mail{}, map[string]event.Mail{}
	l.notices, l.lastAt = map[string]string{}, map[string]handedLast{}
}

// trigger is one trigger as it runs.
type trigger struct {
	cfg     config.Trigger
	why     string // why it cannot run; empty where it can
	active  bool   // its source says so now
	second  second
	ticked  time.Time // of a timer: the moment that was looked at last
	since   time.Time // monotonic, of active
	running *running
	alarmed time.Time // monotonic moment of the firing that began the last hold-off
	last    time.Time
}

// holdUntil is when the hold-off ends, by the configuration in force.
func (t *trigger) holdUntil(c config.Config) time.Time {
	off := c.Mail.HoldOff
	if t.cfg.HoldOff != nil {
		off = *t.cfg.HoldOff
	}
	return t.alarmed.Add(off)
}

// unaccepted is a firing that is not counted yet since its record could not be written.
type unaccepted struct {
	t      *trigger
	source event.Source
	at     time.Time
	rough  bool      // at is an estimate: the clock is not set
	mono   time.Time // the same moment on the clock that is never set
	level  float64
	unmet  bool // its AND was not met in time
	blind  bool // its sensor was warming up
	hidden bool // privacy mode was on
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
		case <-e.handed.wake:
			e.transfersChanged()
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
	e.acceptWaiting()
	for len(e.unwritten) > 0 && e.keeping(e.unwritten[0]) {
		e.unwritten = e.unwritten[1:]
	}
	e.watchPrivacy()
	e.endTimers()
	for len(e.signals) > 0 { // the loop may have stood still: what came in time is first
		e.signalled(<-e.signals)
	}
	for _, t := range e.triggers {
		if t.second.active && t.cfg.And != nil && t.cfg.And.Source == event.Motion && e.cameraStatus().State != event.CameraOK {
			t.second.active, t.second.last = false, now // its motion does not end by itself
		}
		e.endAnds(t, now, false)
	}
	e.endEvents(now)
	e.endHoldOffs(now)
	e.compose(now)
	e.settle()
	e.settleTransfers()
	e.watchBox(now)
	e.measure(now)
	e.measureStore(now)
	e.publishStatus(now)
}

// signalled is a source beginning or ending.
func (e *Engine) signalled(s signal) {
	if s.trigger == "" {
		e.privacyLine = s.started
		e.watchPrivacy()
		return
	}
	t := e.trigger(s.trigger)
	if t == nil || !t.cfg.Enabled {
		return
	}
	if s.second {
		if t.cfg.And != nil && !e.warming(s.role, t.cfg.And.Source) {
			e.seconded(t, s)
		}
		return
	}
	if s.started && !t.active {
		t.since = time.Now()
	}
	t.active = s.started
	if r := t.running; r != nil && !s.started {
		r.rest(time.Now())
	}
	if !s.started {
		return
	}
	u := unaccepted{t: t, source: t.cfg.Source, at: s.at, rough: s.rough, mono: s.mono, level: s.level, hidden: e.private(), blind: e.warming(s.role, t.cfg.Source)}
	if t.cfg.And != nil && !u.blind && !e.private() {
		e.joined(u)
		return
	}
	e.fireOrWait(u)
}

func (e *Engine) trigger(name string) *trigger {
	i := slices.IndexFunc(e.triggers, func(t *trigger) bool { return t.cfg.Name == name })
	if i < 0 {
		return nil
	}
	return e.triggers[i]
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
