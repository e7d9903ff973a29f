package journal

import (
	"maps"
	"slices"

	"watchpost/engine/event"
)

// apply takes a record that is on the disk into memory.
func (j *Journal) apply(rec record) {
	switch {
	case rec.Checkpoint != nil:
		c, damaged := rec.Checkpoint, j.damaged
		j.reset()
		j.damaged = damaged
		j.next, j.delivered, j.recent = c.Next, c.Delivered, c.Recent
		j.privacy, j.begun = c.Privacy, c.Begun
		maps.Copy(j.accounts, c.Accounts)
		maps.Copy(j.lastAlarm, c.LastAlarm)
		for trigger, g := range c.Pending {
			j.pending[trigger] = &g
		}
		for _, m := range c.Open {
			j.open[m.Mail] = m.Gathered
		}
	case rec.Privacy != nil:
		j.privacy = *rec.Privacy
	case rec.Firing != nil:
		j.applyFiring(*rec.Firing, rec.Begins)
	case rec.Stored != nil:
		j.begun = slices.DeleteFunc(j.begun, func(f event.Firing) bool { return slices.Contains(rec.Stored.Seqs, f.Seq) })
	case rec.Rename != nil:
		j.applyRename(rec.Rename.From, rec.Rename.To)
	case rec.Gather != nil:
		g := rec.Gather
		if p := j.pending[g.Trigger]; p != nil && first(*p) == g.First {
			delete(j.pending, g.Trigger)
			j.open[g.Mail] = *p
		}
	case rec.Fold != nil:
		var parts []event.Gathered
		for _, mail := range append(rec.Fold.Of, rec.Fold.Into) {
			if g, ok := j.open[mail]; ok {
				parts = append(parts, g)
				delete(j.open, mail)
			}
		}
		if len(parts) > 0 {
			j.open[rec.Fold.Into] = event.Merge(parts...)
		}
	case rec.Outcome != nil:
		o := rec.Outcome
		if !slices.Contains(j.recent, o.Mail) {
			if j.recent = append(j.recent, o.Mail); len(j.recent) > recentMax {
				j.recent = slices.Delete(j.recent, 0, len(j.recent)-recentMax)
			}
			if o.Disposition != event.Dropped {
				j.delivered++
			}
		}
		for trigger, n := range j.open[o.Mail].Counts {
			a := j.accounts[trigger]
			count(&a, o.Disposition, n)
			j.accounts[trigger] = a
		}
		delete(j.open, o.Mail)
	}
}

func (j *Journal) applyFiring(f event.Firing, begins bool) {
	if f.Seq < j.next { // the old file and this one share it
		return
	}
	j.next = f.Seq + 1
	if j.tail = append(j.tail, f); len(j.tail) > tailMax {
		j.tail = slices.Delete(j.tail, 0, len(j.tail)-tailMax)
	}
	if begins {
		if j.begun = append(j.begun, f); len(j.begun) > begunMax {
			j.begun = slices.Delete(j.begun, 0, len(j.begun)-begunMax)
		}
	}
	a := j.accounts[f.Trigger]
	a.Fired++
	switch {
	case f.Disposition != event.Queued:
		count(&a, f.Disposition, 1)
		if f.Disposition == event.Silent {
			reasons := maps.Clone(a.SilentReasons)
			if reasons == nil {
				reasons = map[event.Reason]uint64{}
			}
			reasons[f.Reason]++
			a.SilentReasons = reasons
		}
	case f.HeldOff:
		if j.pending[f.Trigger] == nil {
			j.pending[f.Trigger] = &event.Gathered{}
		}
		j.pending[f.Trigger].Add(f)
	default:
		j.open[event.AlarmID(f.Seq)] = event.Gather(f)
		j.lastAlarm[f.Trigger] = f.At
	}
	j.accounts[f.Trigger] = a
}

// applyRename adds the account of from to that of to, which mostly is none. Firings
// keep the name under which they came.
func (j *Journal) applyRename(from, to string) {
	if from == to {
		return
	}
	j.accounts[to] = j.accounts[to].Plus(j.accounts[from])
	delete(j.accounts, from)
	if p := j.pending[from]; p != nil {
		if q := j.pending[to]; q != nil {
			*p = event.Merge(*q, *p)
		}
		p.Rename(from, to)
		j.pending[to] = p
		delete(j.pending, from)
	}
	for mail, g := range j.open {
		if _, ok := g.Counts[from]; ok {
			g.Rename(from, to)
			j.open[mail] = g
		}
	}
	if at := j.lastAlarm[from]; at.After(j.lastAlarm[to]) {
		j.lastAlarm[to] = at
	}
	delete(j.lastAlarm, from)
	j.begun = slices.Clone(j.begun)
	for i := range j.begun {
		if j.begun[i].Trigger == from {
			j.begun[i].Trigger = to
		}
	}
}

// first is the Seq of the oldest firing of g, 0 where there is none.
func first(g event.Gathered) uint64 {
	if len(g.Seqs) == 0 {
		return 0
	}
	return g.Seqs[0].From
}

// count counts n firings of a disposition.
func count(a *event.Account, d event.Disposition, n uint64) {
	switch d {
	case event.Mailed:
		a.Mailed += n
	case event.Summarised:
		a.Summarised += n
	case event.Queued:
		a.Queued += n
	case event.Held:
		a.Held += n
	case event.Dropped:
		a.Dropped += n
	case event.Outside:
		a.Outside += n
	case event.Extended:
		a.Extended += n
	case event.Silent:
		a.Silent += n
	}
}
