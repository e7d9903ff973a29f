package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/journal"
)

const summaryImages = 3

// due is a notice that is to be composed at a moment.
type due struct {
	notice  event.Notice
	at      time.Time // monotonic
	working bool      // with the composer
	late    bool      // taken up after a restart: the image buffer knows nothing of it
	reply   chan<- error
}

// composed is the composer's answer.
type composed struct {
	d   *due
	err error
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
	}
}

// illustrate puts the best images into a notice: for an alarm the one with the
// most motion since the trigger, for a summary that of some of its events.
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
	case event.Summary:
		seen := map[string]bool{}
		for _, f := range n.Firings {
			if len(n.Images) == summaryImages {
				break
			}
			if im, ok := e.store.Best(f.EventID); ok && !seen[f.EventID] {
				n.Images = append(n.Images, im)
			}
			seen[f.EventID] = true
		}
	case event.Test:
		if images, _ := e.ring.After(0); len(images) > 0 {
			n.Images = []event.Image{images[len(images)-1].Image}
		}
	}
	if len(n.Images) == 0 {
		n.Notes = append(n.Notes, "There is no image: the camera gave none. State of the camera: "+string(e.camera.status().State)+".")
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

// mailsChanged takes what the outbox said.
func (e *Engine) mailsChanged() {
	for _, m := range e.Mail.take() {
		e.mailChanged(m)
	}
}

func (e *Engine) mailChanged(m event.Mail) {
	e.mails[m.ID] = m
	for seq := range m.Firings.All() {
		e.byFiring[seq] = m.ID
	}
	e.recent = slices.DeleteFunc(e.recent, func(r event.Mail) bool { return r.ID == m.ID })
	e.recent = appendBounded(e.recent, m, historyMax)
	if m.Settled() && !slices.Contains(e.toSettle, m.ID) {
		e.toSettle = append(e.toSettle, m.ID)
	}
	e.hub.publish(event.Event{Mail: &m})
}

// settle journals the outcome of each settled mail, and then lets the outbox
// move it out of the queue: a crash between the two finds the mail again.
func (e *Engine) settle() {
	for len(e.toSettle) > 0 {
		id := e.toSettle[0]
		m := e.mails[id]
		if m.Settled() {
			fresh, err := e.journal.Settle(journal.Outcome{Mail: id, Disposition: m.Disposition(), Firings: slices.Collect(m.Firings.All())})
			if err != nil {
				e.notice("outcome", "the outcome of mails cannot be recorded: "+err.Error()+": free some space or check the disk")
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
			for seq := range m.Firings.All() {
				delete(e.byFiring, seq)
			}
		}
		e.toSettle = e.toSettle[1:]
	}
}

// disposition is what the mail of an open firing has come to.
func (e *Engine) disposition(seq uint64) event.Disposition {
	if m, ok := e.mails[e.byFiring[seq]]; ok {
		return m.Disposition()
	}
	return event.Queued
}

// recover takes up what the last run left: mails in the spool, firings without
// a mail, hold-offs in progress.
func (e *Engine) recover() {
	for _, m := range e.Outbox.Mails() {
		e.mailChanged(m)
		e.journal.AtLeast(m.Firings.Last() + 1)
	}
	e.journal.AtLeast(e.store.LastSeq() + 1)
	now := time.Now()
	for _, f := range e.journal.Tail() {
		f.At = f.At.In(e.zone)
		e.firings = appendBounded(e.firings, f, historyMax)
		if t := e.trigger(f.Trigger); t != nil {
			t.last = f.At
		}
	}
	orphans := map[string][]event.Firing{}
	for _, f := range e.journal.Open() {
		f.At = f.At.In(e.zone)
		switch t := e.trigger(f.Trigger); {
		case e.byFiring[f.Seq] != "":
		case !f.HeldOff:
			n := alarm(f)
			n.Notes = []string{"This mail was composed after a restart: the program was stopped, or the power was cut, right after the trigger."}
			e.due = append(e.due, &due{notice: n, at: now, late: true})
		case t != nil:
			t.pending = append(t.pending, f)
		default:
			orphans[f.Trigger] = append(orphans[f.Trigger], f)
		}
	}
	for _, fs := range orphans {
		e.due = append(e.due, &due{notice: summary(fs), at: now})
	}
}

// testMail submits a test mail, past every hold-off, and answers on reply.
func (e *Engine) testMail(reply chan<- error) string {
	at := e.Clock.Now().In(e.zone)
	id := fmt.Sprintf("test-%d", at.UnixNano())
	d := &due{notice: event.Notice{ID: id, Kind: event.Test, At: at}, at: time.Now(), reply: reply}
	e.due = append(e.due, d)
	e.compose(time.Now())
	return id
}
