package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"watchpost/engine/event"
)

const (
	dueMax        = 64 // notices that wait; while there are so many, firings wait for a summary
	testsMax      = 8  // of them test mails
	summaryImages = 9  // thumbnails of a summary
)

const (
	noteEstimate = "The clock of this box was not set; the time is an estimate."
	noteRestart  = "This mail was composed after a restart: the program was stopped, or the power was cut, before it could be written."
	noteDamaged  = "The first copy of this mail was damaged on the disk."
)

// due is a notice that is to be composed at a moment.
type due struct {
	notice  event.Notice
	at      time.Time // monotonic
	working bool      // with the composer
	late    bool      // the image buffer knows nothing of it any more
	reply   chan<- error
}

// composed is the composer's answer.
type composed struct {
	d   *due
	err error
}

// await has a notice composed at a moment.
func (e *Engine) await(d *due) {
	_, set := e.best.now()
	if !set || slices.ContainsFunc(d.notice.Firings, func(f event.Firing) bool { return f.Estimate }) {
		d.notice.Notes = append(d.notice.Notes, noteEstimate)
	}
	e.due = append(e.due, d)
}

// room reports whether one more firing may have a mail at once.
func (e *Engine) room() bool { return len(e.due) < dueMax }

// tells is the notice of a mail by what it tells; its moment is that of the newest firing.
func (e *Engine) tells(mail string, g event.Gathered) event.Notice {
	n := event.Notice{ID: mail, Kind: event.Digest, Gathered: g, At: e.now()}
	n.Firings = slices.Clone(g.Firings)
	for i, f := range n.Firings {
		n.Firings[i].At = f.At.In(e.zone)
		n.At, n.Event = n.Firings[i].At, f.EventID
	}
	if f := n.Firings; len(g.Counts) == 1 && len(f) > 0 { // a digest may be of several triggers
		newest := f[len(f)-1]
		n.Destinations, n.Subject = newest.Destinations, newest.Subject
		if t := e.trigger(newest.Trigger); t != nil { // what was corrected since counts
			n.Destinations, n.Subject = t.cfg.Destinations, t.cfg.Subject
		}
	}
	switch {
	case strings.HasSuffix(mail, "-alarm"):
		n.Kind = event.Alarm
	case strings.HasSuffix(mail, "-summary"):
		n.Kind = event.Summary
	}
	return n
}

// again has a mail composed that the spool has not, or has no more.
func (e *Engine) again(mail string, g event.Gathered, why string) {
	if slices.ContainsFunc(e.due, func(d *due) bool { return d.notice.ID == mail && !d.working }) {
		return
	}
	n := e.tells(mail, g)
	n.Notes = append(n.Notes, why)
	e.await(&due{notice: n, at: time.Now(), late: true})
}

// compose hands the notices whose moment has come to the composer.
func (e *Engine) compose(now time.Time) {
	for _, d := range e.due {
		if d.working || now.Before(d.at) || d.reply == nil && now.Before(e.composeAt) {
			continue
		}
		select {
		case e.jobs <- func(ctx context.Context) {
			n := d.notice
			e.illustrate(&n, d.late)
			c := composed{d, e.Outbox.Submit(ctx, n)}
			select {
			case e.composed <- c:
			case <-ctx.Done():
			}
		}:
			d.working = true
		default:
			return
		}
	}
}

func (e *Engine) wasComposed(c composed) {
	c.d.working = false
	e.due = slices.DeleteFunc(e.due, func(d *due) bool { return d == c.d })
	switch {
	case c.d.reply != nil:
		c.d.reply <- c.err
	case c.err != nil: // it goes to the end, and all of them wait a moment
		e.due = append(e.due, c.d)
		e.composeAt = time.Now().Add(retrySoon)
		e.notice("compose", "notifications wait: "+c.err.Error())
	default:
		e.notice("compose", "")
		if c.d.notice.Kind == event.State {
			e.stateSpooled(c.d.notice.ID)
		}
	}
}

// illustrate puts the best images into a notice: for an alarm the one with the
// most motion since the trigger, for a summary those of its events.
func (e *Engine) illustrate(n *event.Notice, late bool) {
	switch n.Kind {
	case event.Alarm:
		// The event's own images are its longer memory: a notice that waited must
		// not take a later event's picture from the buffer.
		window := e.current().Config.Mail.PictureWait + time.Second
		if im, ok := e.bestSince(n.At, window); ok && !late {
			n.Images = []event.Image{im}
		} else if im, ok := e.store.Best(n.Event); ok {
			n.Images = []event.Image{im}
		}
	case event.Summary, event.Digest:
		n.Images = e.bestOf(n.Firings)
	case event.Test:
		if images, _ := e.ring.After(0); len(images) > 0 {
			n.Images = []event.Image{images[len(images)-1].Image}
		}
	case event.State:
		return
	}
	n.Notes = slices.Clone(n.Notes) // a second attempt begins anew
	switch {
	case len(n.Images) > 0:
	case e.camera.closed():
		n.Notes = append(n.Notes, "There is no image: privacy mode is on.")
	default:
		n.Notes = append(n.Notes, "There is no image: the camera gave none. State of the camera: "+string(e.cameraStatus().State)+".")
	}
	for i := range n.Images {
		n.Images[i].At = n.Images[i].At.In(n.At.Location())
	}
}

// bestSince returns the image of the ring with the most motion in the window from the trigger on.
func (e *Engine) bestSince(at time.Time, window time.Duration) (best event.Image, ok bool) {
	images, _ := e.ring.After(0)
	for _, im := range images {
		if d := im.At.Sub(at); d >= 0 && d <= window && (!ok || im.Level > best.Level) {
			best, ok = im.Image, true
		}
	}
	return best, ok
}

// bestOf returns the best image of each of at most summaryImages events, in the
// order of their time: the first, the last and those spread evenly between them.
// No more are read from the disk.
func (e *Engine) bestOf(firings []event.Firing) (images []event.Image) {
	events := slices.CompactFunc(slices.Clone(firings), func(a, b event.Firing) bool { return a.EventID == b.EventID })
	for _, f := range spread(events, summaryImages) {
		if len(images) == summaryImages {
			break
		}
		if im, ok := e.store.Best(f.EventID); ok {
			images = append(images, im)
		}
	}
	slices.SortFunc(images, func(a, b event.Image) int { return a.At.Compare(b.At) })
	return images
}

// spread returns fs with those n first that are spread most evenly over their
// time, the oldest and the newest among them; the others follow, for where one
// of those has nothing to show.
func spread(fs []event.Firing, n int) []event.Firing {
	if len(fs) <= n {
		return fs
	}
	first, last := fs[0].At, fs[len(fs)-1].At
	rest, out := slices.Clone(fs), make([]event.Firing, 0, len(fs))
	for k := range n {
		goal := first.Add(last.Sub(first) / time.Duration(n-1) * time.Duration(k))
		if k == n-1 {
			goal = last
		}
		nearest := 0
		for i, f := range rest {
			if f.At.Sub(goal).Abs() < rest[nearest].At.Sub(goal).Abs() {
				nearest = i
			}
		}
		out = append(out, rest[nearest])
		rest = slices.Delete(rest, nearest, nearest+1)
	}
	return append(out, rest...)
}

// mailsChanged takes what the outbox said.
func (e *Engine) mailsChanged() {
	for _, m := range e.Mail.take() {
		e.mailChanged(m)
	}
}

func (e *Engine) mailChanged(m event.Mail) {
	e.waited(m)
	if _, known := e.mails[m.ID]; known {
		m.Replaces = nil // they are gone, from here and from whoever looks on
	}
	e.forget(append(slices.Clip(m.Replaces), m.ID)...)
	if !m.Damaged {
		e.mails[m.ID] = m
		e.recent = appendBounded(e.recent, m, historyMax)
	}
	if len(m.Replaces) > 0 || m.Damaged {
		e.toFold = append(e.toFold, m)
		e.fold()
	}
	if m.Settled() && !m.Damaged {
		e.toSettle = append(e.toSettle, m.ID)
	}
	e.hub.publish(event.Event{Mail: &m})
}

// forget takes mails off every list.
func (e *Engine) forget(ids ...string) {
	gone := make(map[string]bool, len(ids)) // a digest stands for thousands
	for _, id := range ids {
		gone[id] = true
		delete(e.mails, id)
	}
	e.recent = slices.DeleteFunc(e.recent, func(m event.Mail) bool { return gone[m.ID] })
	e.toSettle = slices.DeleteFunc(e.toSettle, func(id string) bool { return gone[id] })
}

// fold journals which mails the outbox has made into one: in their order, and
// before the outcome of any, since that one may be among the next.
func (e *Engine) fold() {
	for len(e.toFold) > 0 {
		m := e.toFold[0]
		if err := e.journal.Fold(m.ID, m.Replaces); err != nil {
			e.unrecorded(err)
			return
		}
		e.notice("outcome", "")
		e.toFold = e.toFold[1:]
		if g, ok := e.journal.Tells(m.ID); ok && m.Damaged { // the outbox has the problem on its list
			e.again(m.ID, g, noteDamaged)
		}
	}
	if e.orphans {
		e.orphans = false
		for _, m := range e.journal.Open() {
			if !e.inSpool(m.Mail) {
				e.again(m.Mail, m.Gathered, noteRestart)
			}
		}
	}
}

func (e *Engine) unrecorded(err error) {
	e.notice("outcome", "the outcome of mails cannot be recorded: "+err.Error()+": free some space or check the disk")
}

// settle journals the outcome of each settled mail, and then lets the outbox
// move it out of the queue: a crash between the two finds the mail again.
func (e *Engine) settle() {
	e.fold()
	for len(e.toFold) == 0 && len(e.toSettle) > 0 {
		id := e.toSettle[0]
		m := e.mails[id]
		fresh, err := e.journal.Settle(id, m.Disposition())
		if err != nil {
			e.unrecorded(err)
			return
		}
		e.notice("outcome", "")
		select {
		case e.jobs <- func(context.Context) {
			if err := e.Outbox.Settle(id); err != nil {
				e.Log.Warn("a delivered mail stays in the queue until the next start", "mail", id, "error", err)
			}
		}:
		default:
			return
		}
		if fresh {
			e.Log.Info("mail settled", "mail", id, "outcome", m.Disposition(), "attempts", m.Attempts)
		}
		delete(e.mails, id)
		e.toSettle = e.toSettle[1:]
	}
}

// disposition is what a mail that is not settled has come to.
func (e *Engine) disposition(mail string) event.Disposition {
	if m, ok := e.mails[mail]; ok {
		return m.Disposition()
	}
	return event.Queued
}

// recover takes up what the last run left: mails in the spool and mails that
// were still to be composed. Hold-offs in progress stand in the journal.
func (e *Engine) recover() {
	for _, m := range e.Outbox.Mails() {
		e.mailChanged(m)
		e.journal.AtLeast(m.Firings.Last() + 1)
	}
	for _, m := range e.toPlaces.Mails() {
		e.transferChanged(m)
		if seq, ok := strings.CutSuffix(m.ID, "-transfer"); ok {
			n, _ := strconv.ParseUint(seq, 10, 64)
			e.journal.AtLeast(n + 1)
		}
	}
	e.mailsChanged() // of damage that the outbox found
	e.journal.AtLeast(e.store.LastSeq() + 1)
	for _, f := range e.journal.Tail() {
		f.At = f.At.In(e.zone)
		e.firings = appendBounded(e.firings, f, historyMax)
		if t := e.trigger(f.Trigger); t != nil {
			t.last = f.At
		}
	}
	for _, f := range e.journal.Begun() {
		e.lookAfter(f)
	}
	e.orphans = true
	e.fold() // first: what a digest tells is no orphan
	e.takeUpStates()
}

// testMail submits a test mail, past every hold-off, and answers on reply.
func (e *Engine) testMail(reply chan<- error) string {
	tests := 0
	for _, d := range e.due {
		if d.reply != nil {
			tests++
		}
	}
	if tests >= testsMax {
		reply <- errors.New("too many test mails wait to be composed: wait for those")
		return ""
	}
	at := e.now()
	id := fmt.Sprintf("test-%d", at.UnixNano())
	e.await(&due{notice: event.Notice{ID: id, Kind: event.Test, At: at}, at: time.Now(), reply: reply})
	e.compose(time.Now())
	return id
}
