package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

const (
	lookEvery = time.Second
	saveEvery = 10 * time.Minute // the time, for a clock that is not set after the next start
	restFor   = time.Hour        // between two mails that the same condition began
	owedMax   = 32               // state mails that wait for the spool
)

// condition is something of the box itself that is mailed when it begins and
// when it ends.
type condition struct {
	name  string                     // in the mails' ids and in the file
	each  func(e *Engine) []string   // of what it may hold, where of more than one: the triggers
	look  func(*Engine, string) look // whether it holds
	after time.Duration              // it must have lasted so long to be mailed
	over  time.Duration              // and so long it must not hold to have ended
	begin func(*Engine, told) letter // nil: only its end is mailed
	end   func(*Engine, told) letter
}

// look is one look at a condition.
type look struct {
	is    int
	since time.Time // monotonic moment at which it began, where that is known
	why   string
}

const (
	unknown = iota // it stays as it was
	absent
	present
	moot // nobody needs to know: its end is not told either
)

// told is what there is to say of a condition.
type told struct {
	of    string
	since time.Time // best known time
	lasts time.Duration
	why   string
}

// letter is what a state mail says. Without a title there is none.
type letter struct {
	title string
	notes []string
}

// standing is how a condition stands. The moments that are not written are
// monotonic, zero where they are of an earlier run.
type standing struct {
	Since time.Time `json:"since,omitzero"` // best known time; zero: it does not hold
	Told  bool      `json:"told,omitempty"` // its begin was mailed; its end is to be
	Last  time.Time `json:"last,omitzero"`  // when that was the last time
	More  int       `json:"more,omitempty"` // how often it came and went after that without a mail
	Why   string    `json:"why,omitempty"`

	began, ceased, last time.Time
}

// watchBox looks at the conditions of the box and mails what has changed.
func (e *Engine) watchBox(now time.Time) {
	if e.demo() || now.Before(e.lookAt) {
		return
	}
	e.lookAt = now.Add(lookEvery)
	seen := map[string]bool{}
	for _, c := range boxConditions {
		each := []string{""}
		if c.each != nil {
			each = c.each(e)
		}
		for _, of := range each {
			key := strings.TrimSpace(c.name + " " + of)
			seen[key] = true
			e.step(c, of, key, now)
		}
	}
	for key := range e.Standing { // of a trigger that is gone
		if !seen[key] {
			delete(e.Standing, key)
		}
	}
	e.beat(now)
	if e.unsaved || !now.Before(e.saveAt) {
		e.saveConditions(now, false)
	}
}

// mailsStates reports whether the box's conditions are mailed.
func (e *Engine) mailsStates() bool {
	c := e.current().Config
	return c.Mail.StateMails && config.MailConfigured(c)
}

// step takes one look at a condition.
func (e *Engine) step(c condition, of, key string, now time.Time) {
	s := e.Standing[key]
	if s == nil {
		s = &standing{}
		e.Standing[key] = s
	}
	l := c.look(e, of)
	switch l.is {
	case unknown:
		s.ceased = time.Time{}
	case moot:
		e.ended(s)
	case present:
		s.ceased = time.Time{}
		if s.Since.IsZero() {
			s.began = now
			if !l.since.IsZero() {
				s.began = l.since
			}
			s.Since = e.now().Add(-now.Sub(s.began)).Round(0)
		}
		if l.why != "" {
			s.Why = l.why
		}
		if !s.Told && now.Sub(s.began) >= c.after && e.mailsStates() && len(e.Owed) < owedMax &&
			(s.Last.IsZero() || e.passed(now, s.last, s.Last) >= restFor) {
			before := *s
			s.Told, s.Last, s.last, s.More = true, e.now().Round(0), now, 0
			e.unsaved = true
			if c.begin == nil {
				return
			}
			l := c.begin(e, told{of, s.Since, now.Sub(s.began), s.Why})
			if before.More > 0 {
				l.notes = append(l.notes, fmt.Sprintf("Since the last mail about it, of %s, it came and went %s; mails about the same thing are at least an hour apart.",
					e.when(before.Last), times(before.More)))
			}
			e.mailState(c.name, l)
		}
	case absent:
		if s.Since.IsZero() {
			return
		}
		if s.ceased.IsZero() {
			s.ceased = now
		}
		if now.Sub(s.ceased) < c.over {
			return
		}
		lasted := max(0, e.passed(now, s.began, s.Since)-now.Sub(s.ceased))
		is := told{of, s.Since, lasted, s.Why}
		switch {
		case s.Told && e.mailsStates() && len(e.Owed) >= owedMax:
			return
		case s.Told && e.mailsStates():
			e.ended(s)
			e.mailState(c.name, c.end(e, is))
			return
		case !s.Told && lasted >= c.after && c.begin != nil:
			s.More++
			e.unsaved = true
		}
		e.ended(s)
	}
}

func (e *Engine) ended(s *standing) {
	e.unsaved = e.unsaved || s.Told
	*s = standing{Last: s.Last, last: s.last, More: s.More}
}

// passed is how long ago something was: by the monotonic moment mono, or where
// that was in an earlier run by the best known time.
func (e *Engine) passed(now, mono, wall time.Time) time.Duration {
	if !mono.IsZero() {
		return now.Sub(mono)
	}
	return max(0, e.now().Sub(wall))
}

// mailState has a state mail sent, and remembers with it what else has changed.
// It is remembered until it is in the spool, under a name that is never given again.
func (e *Engine) mailState(name string, l letter) {
	if l.title == "" {
		return
	}
	e.Counter++
	at := e.now()
	n := event.Notice{ID: fmt.Sprintf("state-%s-%d-%d", name, at.Unix(), e.Counter), Kind: event.State, At: at, Title: l.title, Notes: l.notes}
	if _, set := e.best.now(); !set {
		n.Notes = append(n.Notes, noteEstimate)
	}
	e.Owed = append(e.Owed, n)
	e.saveConditions(time.Now(), false)
	e.due = append(e.due, &due{notice: n, at: time.Now()})
	e.Log.Info("state", "what", l.title, "mail", n.ID)
}

// stateSpooled notes that a state mail is in the spool.
func (e *Engine) stateSpooled(id string) {
	e.Owed = slices.DeleteFunc(e.Owed, func(n event.Notice) bool { return n.ID == id })
	e.unsaved = true
}

// takeUpStates composes the state mails of the last run that may not be in the spool.
func (e *Engine) takeUpStates() {
	for _, n := range e.Owed {
		n.At = n.At.In(e.zone)
		e.due = append(e.due, &due{notice: n, at: time.Now()})
	}
}

func (e *Engine) when(at time.Time) string { return at.In(e.zone).Format("2006-01-02 15:04:05") }

// span writes a duration as people say it.
func span(d time.Duration) string {
	switch s := int(d.Round(time.Second).Seconds()); {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 7200:
		return fmt.Sprintf("%d min", s/60)
	case s < 48*3600:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	default:
		return fmt.Sprintf("%d days %d h", s/86400, s%86400/3600)
	}
}

func times(n int) string {
	if n == 1 {
		return "once more"
	}
	return fmt.Sprintf("%d more times", n)
}
