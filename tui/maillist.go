package tui

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"watchpost/engine/event"
)

// keepSettled is how many mails a list keeps on which nothing more happens; it
// is the engine's own number.
const keepSettled = 100

// mailList is the queue as the page shows it: the newest trigger first. A change
// of one mail costs a search and, where it is new, the move of pointers behind
// it, so that ten thousand mails can change while they are looked at.
type mailList struct {
	mails   []*event.Mail
	at      map[string]time.Time // by ID: the moment that the order goes by
	held    int                  // mails held for somebody
	settled int
}

func order(at, bt time.Time, a, b string) int {
	return cmp.Or(bt.Compare(at), cmp.Compare(b, a))
}

// fill takes a whole queue; a list begins with one.
func (l *mailList) fill(mails []event.Mail) {
	*l = mailList{mails: make([]*event.Mail, len(mails)), at: make(map[string]time.Time, len(mails))}
	for i := range mails {
		m := &mails[i]
		l.mails[i], l.at[m.ID] = m, m.At
		l.tally(m, 1)
	}
	slices.SortFunc(l.mails, func(a, b *event.Mail) int { return order(a.At, b.At, a.ID, b.ID) })
}

func (l *mailList) tally(m *event.Mail, by int) {
	if m.Count(event.RcptHeld) > 0 {
		l.held += by
	}
	if m.Settled() {
		l.settled += by
	}
}

// place is where a mail stands, or would.
func (l *mailList) place(id string, at time.Time) int {
	return sort.Search(len(l.mails), func(i int) bool { return order(l.mails[i].At, at, l.mails[i].ID, id) >= 0 })
}

// find is the place of a mail, -1 where it is not in the list.
func (l *mailList) find(id string) int {
	if at, ok := l.at[id]; ok {
		return l.place(id, at)
	}
	return -1
}

// put takes a mail's new state: a damaged one is gone, and so is what a digest
// stands for.
func (l *mailList) put(m event.Mail) {
	if at, ok := l.at[m.ID]; m.Damaged || ok && !at.Equal(m.At) {
		l.remove(m.ID)
	}
	l.remove(m.Replaces...)
	if m.Damaged {
		return
	}
	i := l.place(m.ID, m.At)
	if _, ok := l.at[m.ID]; ok {
		l.tally(l.mails[i], -1)
		l.mails[i] = &m
	} else {
		l.mails = slices.Insert(l.mails, i, &m)
		l.at[m.ID] = m.At
	}
	l.tally(&m, 1)
	if l.settled > 2*keepSettled {
		l.sweep()
	}
}

// remove takes mails out; those that are not there are no matter.
func (l *mailList) remove(ids ...string) {
	here := 0
	for _, id := range ids {
		if _, ok := l.at[id]; ok {
			delete(l.at, id)
			here++
		}
	}
	if here == 0 {
		return
	}
	l.mails = slices.DeleteFunc(l.mails, func(m *event.Mail) bool {
		_, stays := l.at[m.ID]
		if !stays {
			l.tally(m, -1)
		}
		return !stays
	})
}

// sweep leaves the newest keepSettled of the settled mails.
func (l *mailList) sweep() {
	var old []string
	n := 0
	for _, m := range l.mails {
		if m.Settled() {
			if n++; n > keepSettled {
				old = append(old, m.ID)
			}
		}
	}
	l.remove(old...)
}

// nextHeld is the place of the next held mail behind i, round the end; -1: there is none.
func (l *mailList) nextHeld(i int) int {
	for k := range l.mails {
		if at := (i + 1 + k) % len(l.mails); l.mails[at].Count(event.RcptHeld) > 0 {
			return at
		}
	}
	return -1
}

// heldIDs are the names of the held mails, newest first.
func (l *mailList) heldIDs() []string {
	var ids []string
	for _, m := range l.mails {
		if m.Count(event.RcptHeld) > 0 {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
