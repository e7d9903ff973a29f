package transfer

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// place is a configured place with its goroutine. A changed configuration makes a
// new one.
type place struct {
	config config.Transfer
	secret string
	mail   any    // kind email: what of the configuration its mails depend on
	target target // nil: kind email
	wake   chan struct{}
	file   placeFile // its own goroutine's

	// Guarded by the Queue's mu.
	hold     pause
	kept     time.Time          // the hold's end as it is on the disk; zero: none is
	refusals int                // refused for now, in a row
	opening  context.CancelFunc // while a connection is being made
}

// basis is all that a refusal may depend on.
func (p *place) basis() string {
	return fmt.Sprintf("%q %q %q", fmt.Sprint(p.config), p.secret, fmt.Sprint(p.mail))
}

func (p *place) equal(other *place) bool {
	return reflect.DeepEqual(p.config, other.config) && p.secret == other.secret && reflect.DeepEqual(p.mail, other.mail)
}

// renamed is the name under which alone the same place is among places; empty: none.
func (p *place) renamed(places map[string]*place) (name string) {
	for _, other := range places {
		same := *other
		if same.config.Name = p.config.Name; !p.equal(&same) {
			continue
		}
		if name != "" {
			return ""
		}
		name = other.config.Name
	}
	return name
}

// Configure puts a configuration in force; zone is that of every stamp. What waits
// for a place whose settings have changed is tried at once, and follows one that
// has only got another name. What is for a place that is gone is held, until there
// is one of its name.
func (q *Queue) Configure(c config.Config, s config.Secrets, zone *time.Location) {
	if zone == nil {
		zone = time.Local
	}
	places := map[string]*place{}
	for _, t := range c.Transfers[:min(len(c.Transfers), maxPlaces)] {
		if t.Kind == "mqtt" { // of the connection, not of one image
			t.Topic = strings.ReplaceAll(t.Topic, "{site}", config.Expand("{site}", config.PatternValues{Site: c.Site.Name}))
		}
		p := &place{config: t, secret: s.Transfers[t.Name], wake: make(chan struct{}, 1)}
		switch of := q.make[t.Kind]; {
		case of != nil:
			p.target = of(t, p.secret)
		case t.Kind == "email":
			p.mail = []any{c.SMTP, c.Mail, s.SMTPPassword}
		default: // the configuration lets none through
			continue
		}
		places[t.Name] = p
	}
	q.mu.Lock()
	for name, p := range places {
		if was := q.places[name]; was != nil && was.equal(p) {
			places[name] = was
		}
	}
	moved := map[string]string{}
	for name, was := range q.places {
		if now := places[name]; now != nil && now.equal(was) {
			continue
		}
		to := was.renamed(places)
		if to == "" || q.places[to] != nil && q.places[to].equal(places[to]) { // no new name of anything
			continue
		}
		moved[name] = to
	}
	q.renames = follow(q.renames, moved)
	q.places = places
	q.setup = setup{site: c.Site.Name, zone: zone, mark: c.Mail.DSTMark}
	q.mu.Unlock()
	poke(q.wake)
}

// follow is first, then next, as one step: what a name has become.
func follow(first, next map[string]string) map[string]string {
	both := maps.Clone(next)
	for from, to := range first {
		if then, ok := next[to]; ok {
			to = then
		}
		both[from] = to
	}
	maps.DeleteFunc(both, func(from, to string) bool { return from == to })
	return both
}

// worker is a place at work.
type worker struct {
	*place
	cancel context.CancelFunc
	done   chan struct{}
}

// Run hands over what waits until ctx ends: in one goroutine for each place, the
// newest event first. A file on its way when ctx ends is broken off and handed over
// anew by the next start.
func (q *Queue) Run(ctx context.Context) error {
	running := map[string]worker{}
	stop := func(name string) {
		w := running[name]
		w.cancel()
		<-w.done
		delete(running, name)
	}
	defer func() {
		for name := range running {
			stop(name)
		}
	}()
	for ctx.Err() == nil {
		q.mu.Lock()
		places, changed, renames := q.places, q.changed, q.renames
		q.changed, q.renames = map[string]bool{}, map[string]string{}
		q.mu.Unlock()
		for name, w := range running {
			if places[name] != w.place {
				stop(name)
			}
		}
		if places != nil {
			maps.Copy(renames, q.renamedAway(places))
		}
		q.rename(renames)
		if places != nil {
			q.folder.tidyPlaces(places)
		}
		for name, p := range places {
			if _, ok := running[name]; ok {
				continue
			}
			if !q.resume(p) {
				q.takeUp(name)
			}
			w := worker{place: p, done: make(chan struct{})}
			var own context.Context
			own, w.cancel = context.WithCancel(ctx)
			go func() { defer close(w.done); q.work(own, p) }()
			running[name] = w
		}
		q.holdHomeless()
		ids := slices.Collect(maps.Keys(changed))
		slices.SortFunc(ids, func(a, b string) int { return strings.Compare(b, a) })
		for _, id := range ids { // the newest first
			q.look(id)
		}
		select {
		case <-ctx.Done():
		case <-q.wake:
		}
	}
	return ctx.Err()
}

// rename has what waits for a place follow it to its new name, all at once: two may
// have exchanged theirs.
func (q *Queue) rename(renames map[string]string) {
	if len(renames) == 0 {
		return
	}
	q.each(func(e *entry) bool { return renames[e.to().Address] != "" && !e.Mail.Settled() }, func(*entry) {}, func(r *record) bool {
		to, ok := renames[r.to().Address]
		if ok {
			r.to().Address = to
		}
		return ok
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	newest := make(map[string]order, len(q.newest))
	for key, at := range q.newest {
		name, where, _ := strings.Cut(key, "\n")
		if to, ok := renames[name]; ok {
			key = to + "\n" + where
		}
		if at.compare(newest[key]) > 0 {
			newest[key] = at
		}
	}
	q.newest = newest
}

// gone is why a job is held whose place is not configured.
func gone(name string) string {
	return fmt.Sprintf("There is no transfer called %s any more. Add one of that name, and it goes on; or drop it", name)
}

// takeUp has the jobs of a place with new settings tried at once, held ones too.
func (q *Queue) takeUp(name string) {
	q.each(func(e *entry) bool { return e.to().Address == name && !e.Mail.Settled() }, func(e *entry) {
		e.next = time.Time{}
		e.looks++
	}, (*record).release)
}

// holdHomeless holds the jobs whose place is not configured, and takes up those
// whose place is there again without another change.
func (q *Queue) holdHomeless() {
	back := false
	q.each(func(e *entry) bool {
		name := e.to().Address
		return q.places[name] != nil && e.to().State == event.RcptHeld && e.Mail.Problem == gone(name)+"."
	}, func(e *entry) {
		e.next, back = time.Time{}, true
		e.looks++
	}, (*record).release)
	if back {
		q.pokePlaces()
	}
	q.each(func(e *entry) bool {
		return q.places != nil && q.places[e.to().Address] == nil && e.to().State == event.Pending
	}, func(e *entry) {}, func(r *record) bool {
		if r.to().State != event.Pending {
			return false
		}
		r.hold(gone(r.to().Address)+".", r.to().Reply)
		return true
	})
}

// each changes the jobs that which names; then sets what is kept in memory only.
// Both are called with mu held, change is not.
func (q *Queue) each(which func(*entry) bool, then func(*entry), change func(*record) bool) {
	var ids []string
	q.mu.Lock()
	for id, e := range q.jobs {
		if which(e) {
			then(e)
			ids = append(ids, id)
		}
	}
	q.mu.Unlock()
	for _, id := range ids {
		q.outcome(id, change)
	}
}

// look sees what there is of an event that has changed, and has its places go on.
func (q *Queue) look(id string) {
	q.mu.Lock()
	var jobs []string
	for _, job := range q.byEvent[id] {
		if e := q.jobs[job]; !e.Mail.Settled() {
			jobs = append(jobs, job)
		}
	}
	q.mu.Unlock()
	if len(jobs) == 0 {
		return
	}
	names, ended, err := q.options.Images.Files(id)
	for _, job := range jobs {
		q.after(job, func(e *entry) { e.images = max(e.images, len(names)) })
		q.outcome(job, func(r *record) bool { return r.seen(names, ended, err) })
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, job := range jobs {
		e := q.jobs[job]
		if e == nil {
			continue
		}
		e.looks++
		if p := q.places[e.to().Address]; p != nil {
			poke(p.wake)
		}
	}
}

// seen notes what the store says of a job's event; it reports whether that is worth
// a write: that it is there is, once, how many images it has at its end, and that it
// is gone.
func (r *record) seen(names []string, ended bool, err error) bool {
	switch {
	case r.Mail.Settled():
		return false
	case notFound(err) && r.Seen:
		r.drop("Its event was removed from the event store before all of it was at its place" + r.so() + ".")
		return true
	case notFound(err), r.Seen && (err != nil || !ended || r.Mail.Subject == r.progress(len(names))):
		return false
	}
	r.Seen = true // also where the store cannot be read: it is tried again, then
	r.Mail.Subject = r.progress(len(names))
	return true
}
