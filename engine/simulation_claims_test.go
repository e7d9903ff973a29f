package engine

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// account holds the account of each trigger against what was acknowledged, and
// against what it was a minute ago.
func (s *simulation) account() {
	synctest.Wait()
	now := map[string]event.Account{}
	if err := s.do(context.Background(), func() {
		for name, a := range s.journal.Accounts(s.disposition) {
			now[name] = a
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		fired := map[string]uint64{}
		for _, f := range s.accepted {
			fired[f.Trigger]++
		}
		for name, n := range fired {
			a, was := now[name], s.before[name]
			if !a.Balanced() || a.Fired != n {
				s.t.Errorf("%s: %d firings acknowledged, account %+v", name, n, a)
			}
			for what, pair := range map[string][2]uint64{
				"fired": {was.Fired, a.Fired}, "mailed": {was.Mailed, a.Mailed}, "summarised": {was.Summarised, a.Summarised}, "dropped": {was.Dropped, a.Dropped},
				"outside": {was.Outside, a.Outside}, "extended": {was.Extended, a.Extended}, "silent": {was.Silent, a.Silent},
			} {
				if pair[1] < pair[0] {
					s.t.Errorf("%s: %s goes from %d down to %d", name, what, pair[0], pair[1])
				}
			}
		}
	}); err != nil {
		s.t.Fatal(err)
	}
	s.before = now
}

// told holds that each firing is told in one mail, or needs none.
func (s *simulation) told() {
	mails := map[uint64][]string{}
	all := maps.Clone(s.out.settled)
	maps.Copy(all, s.out.mails) // those that the spool could not move
	for id, m := range all {
		for seq := range m.Firings.All() {
			mails[seq] = append(mails[seq], id)
		}
	}
	for seq, f := range s.accepted {
		want := 0
		if f.Disposition == event.Queued {
			want = 1
		}
		if len(mails[seq]) != want {
			s.t.Errorf("firing %d of %s, %s %s, is told in %d mails: %v", seq, f.Trigger, f.Disposition, f.Reason, len(mails[seq]), mails[seq])
		}
	}
	for name, a := range s.before {
		if a.Queued+a.Held > 0 {
			s.t.Errorf("%s: hours later the account is %+v", name, a)
		}
	}
}

// stored holds that each event is in the store, with each image that it asks for or
// with why it is not there.
func (s *simulation) stored() {
	frames := map[uint64]simFrame{}
	for _, f := range s.frames {
		frames[f.seq] = f
	}
	list, err := s.Events(context.Background(), event.Filter{})
	if err != nil {
		s.t.Fatal(err)
	}
	seen, images, lacking := map[string]bool{}, 0, 0
	for _, e := range list {
		seen[e.ID] = true
		images += len(e.Images)
		if len(e.Missing) > 0 {
			lacking++
		}
		ev := s.events[e.ID]
		if ev == nil && slices.Equal(e.Missing, []string{neverWritten}) {
			continue // its record was on the disk when the power went, and not acknowledged yet
		}
		if ev == nil {
			s.t.Errorf("event %s is in the store, and nobody said so", e.ID)
			continue
		}
		if e.End.IsZero() {
			s.t.Errorf("event %s goes on", e.ID)
		}
		s.complete(e, ev, frames)
		s.handedOver(e)
	}
	for id, ev := range s.events {
		if !seen[id] {
			s.t.Errorf("event %s is not in the store, %v, %q: %q", id, ev.began.Format(time.TimeOnly), ev.why, s.around(ev.began, ev.last.Add(10*time.Second)))
		}
	}
	s.t.Logf("%d events with %d images in the store, %d of them lack some and say so", len(list), images, lacking)
	if os.Getenv("SIMULATION_DIARY") != "" {
		for _, e := range s.diary {
			s.t.Log("diary", e.at.Format(time.TimeOnly), e.what)
		}
	}
	if len(s.places.early) > 0 {
		s.t.Errorf("events that were stored before their transfer was known: %v", s.places.early)
	}
}

// complete holds that nothing that an event asks for is missing without a word.
func (s *simulation) complete(e event.Stored, ev *simEvent, frames map[uint64]simFrame) {
	if ev.cfg.Name == "" { // its trigger was removed while the firing waited for the journal
		return
	}
	pre, post := 0, 0
	for _, im := range e.Images {
		data, err := os.ReadFile(filepath.Join(s.store.Dir(e.ID), im.File))
		var n uint64
		if _, serr := fmt.Sscanf(string(data), "frame %d ", &n); err != nil || serr != nil || len(data) != im.Bytes {
			s.t.Errorf("event %s: image %s: %v %v, %d bytes", e.ID, im.File, err, serr, len(data))
			continue
		}
		if frames[n].at.Before(ev.began) {
			pre++
		} else {
			post++
		}
	}
	asked := func(x config.Extent, more time.Duration) int {
		if x.Images > 0 {
			return x.Images + int(more/ev.cfg.Interval)
		}
		return int((x.Time + more) / ev.cfg.Interval)
	}
	wantPre, wantPost := asked(ev.cfg.Pre, 0), asked(ev.cfg.Post, ev.last.Sub(ev.began))
	if s.cameraFailed(ev) { // whether one was still due is a matter of its phase
		wantPost--
	}
	if pre == wantPre+1 { // a frame between the trigger and its record
		pre, post = pre-1, post+1
	}
	if ev.late { // which of them are before its moment the clock cannot tell
		wantPre, wantPost, pre, post = 0, min(wantPre+wantPost, wantPost), 0, pre+post
	}
	missing := max(0, wantPre-pre) + max(0, wantPost-post)
	if told := toldMissing(e.Missing); missing > told {
		s.t.Errorf("event %s of %s, run %d, %v to %v by the bubble, late %v, closed %q: %d of %d images before, %d of %d after, told missing: %q, the ring had %d, around: %q", e.ID, e.Trigger, ev.run,
			ev.began.Format(time.TimeOnly), ev.last.Format(time.TimeOnly), ev.late, ev.why, pre, wantPre, post, wantPost, e.Missing, s.given(ev), s.around(ev.began, ev.last.Add(10*time.Second)))
	}
}

// cameraFailed reports whether the camera was lost while an event went on.
func (s *simulation) cameraFailed(ev *simEvent) bool {
	end := ev.last.Add(extent(ev.cfg.Post, ev.cfg.Interval))
	return slices.ContainsFunc(s.diary, func(e simEntry) bool {
		return e.what == "camera: lost" && !e.at.Before(ev.began) && !e.at.After(end)
	})
}

// given is how many images the ring was given while an event went on.
func (s *simulation) given(ev *simEvent) (n int) {
	for _, f := range s.frames {
		if f.run == ev.run && !f.at.Before(ev.began) && f.at.Before(ev.last.Add(extent(ev.cfg.Post, ev.cfg.Interval))) {
			n++
		}
	}
	return n
}

// toldMissing is how many images an event says are not there.
func toldMissing(told []string) (n int) {
	for _, text := range told {
		number, _, _ := strings.Cut(text, " ")
		k, err := strconv.Atoi(number)
		switch {
		case err == nil:
			n += k
		case strings.HasPrefix(text, "the image of"):
			n++
		case strings.HasPrefix(text, "the rest: "), text == neverWritten, text == diskFailed, strings.HasPrefix(text, "what event.json said: "):
			n += 1 << 20
		}
	}
	return n
}

// handedOver holds that what was to go to another place has gone there, or that it
// was told that it cannot.
func (s *simulation) handedOver(e event.Stored) {
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	m, known := s.places.jobs[e.ID]
	switch {
	case e.Transfer == "" && known && !strings.HasPrefix(strings.Join(e.Missing, "\n"), "what event.json said"):
		s.t.Errorf("event %s is handed over, and was not to be", e.ID)
	case e.Transfer != "" && !known:
		s.t.Errorf("event %s was to be handed over and is not", e.ID)
	case known && !m.Settled():
		s.t.Errorf("event %s is still to be handed over", e.ID)
	}
}
