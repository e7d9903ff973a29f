package mail

import (
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"watchpost/engine/event"
)

// spoolMax is how many bytes may wait before the older mails become a digest,
// whether there is a line or not.
const spoolMax = 1 << 30

// backlog is what could become a digest, the newest first: alarms, summaries and
// digests that nobody has and nobody waits for in person. Called with mu held.
func (o *Outbox) backlog() []*entry {
	var all []*entry
	for _, e := range o.mails {
		if o.foldable(e) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return b.Mail.At.Compare(a.Mail.At) })
	return all
}

func (o *Outbox) foldable(e *entry) bool {
	m := &e.Mail
	return (m.Kind == event.Alarm || m.Kind == event.Summary || m.Kind == event.Digest) &&
		m.Count(event.Pending) == len(m.Recipients) && !e.urgent && !e.Handed && len(e.unsaved) == 0 &&
		!(o.now != nil && o.now.sending && o.now.id == m.ID)
}

// keepSingle is how many mails of a backlog go one by one: as many as configured,
// and no more than the daily budget has room for beside a digest. Called with mu held.
func (o *Outbox) keepSingle(set setup) int {
	keep := set.config.Mail.DigestAfter
	if keep <= 0 {
		return maxQueue
	}
	if set.config.Mail.DailyBudget > 0 {
		keep = max(0, o.mailsInBudget(keep+1, max(1, len(set.config.Mail.Destinations)))-1)
	}
	return keep
}

// foldBacklog makes a digest where more waits than is to go one by one.
func (o *Outbox) foldBacklog(set setup) {
	o.mu.Lock()
	keep := o.keepSingle(set)
	o.mu.Unlock()
	if _, err := o.fold(keep); err != nil { // they go one by one, then
		o.options.Log.Warn("mail spool", "problem", "no digest could be made: "+err.Error())
	}
}

// fold makes one digest of all but the newest keep of the backlog; of each, where
// the configuration was changed meanwhile and they have different recipients or
// look different. It returns how many mails it replaced.
//
// The digest is on the disk before what it stands for is removed; a start that
// finds both removes those.
func (o *Outbox) fold(keep int) (int, error) {
	o.mu.Lock()
	all := o.backlog()
	groups := map[string][]record{} // newest first
	var order []string
	for _, e := range all[min(keep, len(all)):] {
		key := fmt.Sprint(e.From, e.Envelope, e.Head)
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], e.record.clone())
	}
	o.mu.Unlock()
	n := 0
	for _, key := range order {
		group := groups[key]
		if len(group) < 2 {
			continue
		}
		if err := o.replace(group); err != nil {
			return n, err
		}
		n += len(group)
	}
	return n, nil
}

// replace puts a digest of the mails of rs, newest first, in their place.
func (o *Outbox) replace(rs []record) error {
	d, err := o.render(o.digest(rs), rs[0].Head, time.Now().Round(0))
	if err != nil {
		return err
	}
	o.disk.Lock()
	defer o.disk.Unlock()
	o.mu.Lock()
	for _, r := range rs { // dropped, or sent, in the meantime: then another time
		e := o.mails[r.Mail.ID]
		if e == nil || !o.foldable(e) {
			o.mu.Unlock()
			return nil
		}
		d.Mail.Replaces = append(d.Mail.Replaces, r.Mail.ID)
		if r.Mail.Queued.Before(d.Mail.Queued) {
			d.Mail.Queued = r.Mail.Queued // it waits since then
		}
	}
	o.mu.Unlock()
	// Those of earlier digests are long forgotten everywhere; the newest count.
	for _, r := range rs {
		d.Mail.Replaces = append(d.Mail.Replaces, r.Mail.Replaces...)
	}
	d.Mail.Stands = stands(rs)
	d.Mail.Replaces = d.Mail.Replaces[:min(len(d.Mail.Replaces), 2*maxQueue)]
	if err := o.spool.add(d.record, d.eml); err != nil {
		return fmt.Errorf("mail %s: %w", d.Mail.ID, err)
	}
	o.mu.Lock()
	for _, r := range rs {
		o.forget(r.Mail.ID)
	}
	m := o.put(&entry{record: d.record})
	o.mu.Unlock()
	o.announce(m)
	o.options.Log.Info("mail digest", "mail", m.ID, "mails", len(rs), "firings", m.FiringCount)
	ids := make([]string, len(rs))
	for i, r := range rs {
		ids[i] = r.Mail.ID
	}
	if err := o.spool.replaced(ids); err != nil { // a start does it again
		o.options.Log.Warn("mail spool", "problem", "what a digest stands for could not be removed: "+err.Error())
	}
	return nil
}

// digest tells of all that the mails of rs tell, newest first, with thumbnails of
// some of them, evenly spread.
func (o *Outbox) digest(rs []record) event.Notice {
	gs := make([]event.Gathered, len(rs))
	from := rs[0].Mail.At
	for i, r := range rs {
		gs[i] = r.Notice.Gathered
		for _, at := range []time.Time{r.Mail.At, oldestOf(r.Notice)} {
			if at.Before(from) {
				from = at
			}
		}
	}
	n := event.Notice{Kind: event.Digest, Gathered: event.Merge(gs...), At: rs[0].Mail.At, Event: rs[0].Mail.Event}
	n.ID = fmt.Sprintf("%08d-digest-%s", n.Seqs.Last(), strings.ToLower(rand.Text()[:8]))
	zone := rs[0].Head
	n.Notes = []string{fmt.Sprintf("%d mails could not be sent from %s on; this one stands for them.", stands(rs),
		zone.in(from).Format("2006-01-02 15:04:05"))}
	for i := range min(summaryImages, len(rs)) {
		r := rs[i*len(rs)/min(summaryImages, len(rs))]
		if len(r.Captions) == 0 {
			continue
		}
		f, err := os.Open(o.spool.queue(r.Mail.ID + ".eml"))
		if err != nil {
			continue
		}
		images, _ := imagesOf(f, r.Captions, 1) // what cannot be read is one thumbnail less
		f.Close()
		n.Images = append(n.Images, resized(images, thumbWidth, thumbQuality)...)
	}
	if p := rs[0].Mail.Problem; p != "" {
		n.Notes = append(n.Notes, "Why: "+p)
	}
	return n
}

// stands is how many mails a digest of rs stands for.
func stands(rs []record) (n int) {
	for _, r := range rs {
		n += max(1, r.Mail.Stands)
	}
	return n
}

// oldestOf is when the first firing was that a notice tells of.
func oldestOf(n event.Notice) time.Time {
	if len(n.Firings) > 0 {
		return n.Firings[0].At
	}
	return n.At
}
