package mail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// maxQueue bounds the mails that wait.
const maxQueue = 10_000

// maxImages bounds those of them that are only an event's images: their transfer
// can wait where those are.
const maxImages = 500

// ErrFull says that the queue holds as many mails as it may.
var ErrFull = fmt.Errorf("the mail queue is full: %d mails wait", maxQueue)

// Submit renders n and spools it; it returns when the mail is on the disk. A
// notice whose ID is in the spool already is left alone. On a full disk its
// images are left out before it is refused. ErrNotConfigured and ErrFull are not
// for ever: the caller keeps the notice and comes again.
func (o *Outbox) Submit(ctx context.Context, n event.Notice) error {
	if !validID(n.ID) {
		return fmt.Errorf("mail %q: an ID is lower case letters, digits and '-'", n.ID)
	}
	o.mu.Lock()
	known, full, set := o.knows(n.ID), len(o.mails) >= maxQueue || o.bytes > spoolMax, o.setup
	images := 0
	for _, e := range o.mails {
		if e.Mail.Kind == event.Images && !e.Mail.Settled() {
			images++
		}
	}
	keep := min(o.keepSingle(set), 100)
	o.mu.Unlock()
	if known {
		return nil
	}
	if !config.MailConfiguredTo(set.config, n.Destinations) {
		return ErrNotConfigured
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if n.Kind == event.Images && (images >= maxImages || full) {
		return ErrFull
	}
	if full {
		if _, err := o.fold(keep); err != nil {
			return err
		}
		if o.unsettled() >= maxQueue && !o.giveUp() {
			return ErrFull
		}
	}
	if n.Kind == event.Summary {
		n.Images = resized(n.Images[:min(summaryImages, len(n.Images))], thumbWidth, thumbQuality)
	}
	head, now := letterheadOf(set.config, set.zone).of(n), time.Now().Round(0)
	r, err := o.render(n, head, now)
	if err != nil {
		return err
	}
	o.disk.Lock()
	defer o.disk.Unlock()
	o.mu.Lock()
	known = o.knows(n.ID)
	o.mu.Unlock()
	if known { // by another Submit in the meantime
		return nil
	}
	if o.textOnly() && len(n.Images) > 0 {
		n.Images, n.Notes = nil, append(n.Notes[:len(n.Notes):len(n.Notes)], diskFullNote)
		if r, err = o.render(n, head, now); err != nil {
			return err
		}
	}
	if err = o.spool.add(r.record, r.eml); noRoom(err) {
		r, err = o.addSmaller(n, head, now)
	}
	if errors.Is(err, errVersion) {
		return nil // the spool has it, and Problems says what it waits for
	}
	if err != nil {
		return fmt.Errorf("mail %s: %w", n.ID, err)
	}
	o.mu.Lock()
	e := &entry{record: r.record, urgent: n.Kind == event.Test}
	m := o.put(e)
	if e.urgent {
		o.hurry()
	}
	o.mu.Unlock()
	o.announce(m)
	poke(o.wake)
	return nil
}

// unsettled is how many mails wait or are held.
func (o *Outbox) unsettled() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.mails {
		if !e.Mail.Settled() {
			n++
		}
	}
	return n
}

// giveUp drops those recipients of the oldest mail who are held, or refused it for
// now, where others have it: one dead destination must not fill the queue in the
// end. It reports whether there was such a mail.
func (o *Outbox) giveUp() bool {
	o.mu.Lock()
	var oldest *entry
	for _, e := range o.mails {
		m := &e.Mail
		if !m.Settled() && (m.Count(event.Pending) == 0 || e.Failed > 0) && m.Count(event.Delivered) > 0 && (oldest == nil || m.At.Before(oldest.Mail.At)) {
			oldest = e
		}
	}
	if oldest != nil {
		o.problem("The queue is full of mails that a destination refused, so the oldest are given up for it; the other destinations have them. Correct or remove that destination, and drop what is held.")
	}
	o.mu.Unlock()
	return oldest != nil && o.Drop(oldest.Mail.ID) == nil
}

// knows reports whether the spool has the mail. Called with mu held.
func (o *Outbox) knows(id string) bool {
	return o.mails[id] != nil || slices.ContainsFunc(o.settled, func(m event.Mail) bool { return m.ID == id })
}
