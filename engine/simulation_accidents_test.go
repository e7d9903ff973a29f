package engine

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// somethingToSee fires sources, or lets them rest.
func (s *simulation) somethingToSee() {
	switch s.rng.IntN(8) {
	case 0, 1:
		s.cam.mu.Lock()
		s.cam.square = !s.cam.square
		s.cam.mu.Unlock()
	case 2:
		s.pulse("builtin pir")
	case 3:
		s.pulse("external gate")
		if s.happens(2) {
			s.pulse("external key")
		}
	case 4:
		s.pulse("external key")
	case 5:
		for range 1 + s.rng.IntN(5) {
			s.pulse("sound")
		}
	case 6:
		for range 1 + s.rng.IntN(10) {
			s.byHand()
		}
	case 7:
		s.byHand()
	}
}

func (s *simulation) pulse(key string) {
	s.inputs.change(key, true)
	time.Sleep(time.Duration(s.rng.IntN(300)) * time.Millisecond)
	s.inputs.change(key, false)
}

// byHand fires a trigger; the answer is to be what the engine has written down.
func (s *simulation) byHand() {
	names := []string{"yard", "pir", "gate", "noise", "lapse"}
	f, err := s.Fire(context.Background(), names[s.rng.IntN(len(names))])
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.accepted[f.Seq]; err == nil && !ok {
		s.t.Errorf("firing %d is acknowledged and not written down", f.Seq)
	}
}

// accident is what the minute brings.
func (s *simulation) accident() {
	if s.happens(45) {
		s.busy = !s.busy
	}
	if s.happens(60) {
		s.restart(s.disk.isCut())
	}
	if s.happens(60) {
		s.disk.set(func() { s.disk.cutIn = 1 + s.rng.IntN(60) })
	}
	s.diskTrouble()
	s.mailTrouble()
	s.cameraTrouble()
	s.clockTrouble()
	s.settings()
}

func (s *simulation) diskTrouble() {
	switch s.rng.IntN(30) {
	case 0, 1, 2:
		part := []string{"journal", "events", "spool", "transfers", "conditions.json"}[s.rng.IntN(5)]
		errno := []syscall.Errno{syscall.EIO, syscall.ENOSPC}[s.rng.IntN(2)]
		s.note("disk: " + part)
		s.disk.set(func() { s.disk.broken[part] = errno })
	case 3:
		s.note("disk: slow")
		s.disk.set(func() { s.disk.slow = time.Duration(1+s.rng.IntN(400)) * time.Millisecond })
	case 4, 5, 6, 7, 8, 9, 10, 11:
		s.note("disk: well")
		s.disk.set(func() { clear(s.disk.broken); s.disk.slow = 0 })
	}
}

func (s *simulation) mailTrouble() {
	switch s.rng.IntN(20) {
	case 0:
		s.note("mail: refused by the spool")
		s.out.set(func() { s.out.err = errors.New("the mail queue is full") })
	case 1:
		s.note("mail: slow")
		s.out.set(func() { s.out.slow = time.Duration(s.rng.IntN(5000)) * time.Millisecond })
	case 2:
		s.out.set(func() { s.out.state = event.Pending })
	case 3:
		s.note("mail: refused by the server")
		s.out.set(func() { s.out.state = event.RcptHeld })
	case 4, 5, 6, 7, 8:
		s.out.set(func() { s.out.err, s.out.slow, s.out.state = nil, 0, event.Delivered })
	case 9:
		s.note("transfers: down")
		s.places.set(true)
	case 10, 11:
		s.places.set(false)
		s.places.again()
	}
	if s.disk.isCut() {
		return
	}
	pick := func(where func(event.Mail) bool) string {
		if ids := s.out.ids(where); len(ids) > 0 {
			return ids[s.rng.IntN(len(ids))]
		}
		return ""
	}
	held := func(m event.Mail) bool { return m.Count(event.RcptHeld) > 0 }
	tells := func(m event.Mail) bool { return waits(m) && m.FiringCount > 0 }
	for range s.rng.IntN(4) {
		switch s.rng.IntN(8) {
		case 0:
			if x, y := pick(tells), pick(tells); x != y {
				s.note("mail: folded")
				s.out.fold(x, y)
			}
		case 1:
			if id := pick(tells); id != "" {
				s.note("mail: damaged")
				s.out.damage(id)
			}
		case 2:
			if id := pick(held); id != "" {
				s.note("mail: dropped")
				s.Drop(context.Background(), id)
			}
		case 3:
			if id := pick(held); id != "" {
				s.note("mail: tried again")
				s.Retry(context.Background(), id)
			}
		case 4:
			if id := pick(waits); id != "" {
				s.note("mail: held")
				s.out.change(id, event.RcptHeld)
			}
		default:
			if id := pick(waits); id != "" {
				s.note("mail: delivered later")
				s.out.change(id, event.Delivered)
			}
		}
	}
}

func (s *simulation) cameraTrouble() {
	switch s.rng.IntN(40) {
	case 0:
		s.note("camera: lost")
		s.cam.set(false, errors.New("unplugged"))
	case 1, 2, 3, 4, 5, 6:
		s.note("camera: back")
		s.cam.set(s.busy && s.happens(3), nil)
	case 7:
		s.note("inputs: lost")
		s.inputs.mu.Lock()
		s.inputs.broken = errors.New("gpiochip0 is gone")
		s.inputs.mu.Unlock()
	case 8, 9, 10:
		s.inputs.mu.Lock()
		s.inputs.broken = nil
		s.inputs.mu.Unlock()
	}
}

// clockTrouble sets the clock: to 1970, as without a battery, back to what is right,
// hours ahead, and back.
func (s *simulation) clockTrouble() {
	right := s.base.Add(time.Since(simBegin))
	switch s.rng.IntN(60) {
	case 0:
		s.note("clock: 1970")
		s.clock.set(time.Unix(int64(s.rng.IntN(100000)), 0))
	case 1:
		s.note("clock: ahead")
		s.clock.set(right.Add(time.Duration(1+s.rng.IntN(20)) * time.Hour))
	case 2:
		s.note("clock: behind")
		s.clock.set(right.Add(-time.Duration(1+s.rng.IntN(600)) * time.Minute))
	case 3, 4, 5, 6:
		s.note("clock: right")
		s.clock.set(right)
	}
}

// simBegin is when each bubble begins.
var simBegin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// settings switches privacy mode and changes the configuration.
func (s *simulation) settings() {
	ctx := context.Background()
	change := func(what string, f func(c *config.Config)) {
		s.note("settings: " + what)
		s.do(ctx, func() {
			s.mu.Lock()
			f(&s.cfg)
			c := s.cfg
			s.mu.Unlock()
			s.adopt(config.Loaded{Config: c, Revision: fmt.Sprint(s.rng.Uint64())}, nil)
		})
	}
	switch s.rng.IntN(80) {
	case 0:
		s.note("privacy: by hand")
		s.Privacy(ctx, true)
	case 1:
		s.note("privacy: by line")
		s.inputs.change("external switch", true)
	case 2, 3, 4, 5, 6, 7:
		s.inputs.change("external switch", false)
		s.Privacy(ctx, false)
	case 8:
		change("hold-off", func(c *config.Config) { c.Mail.HoldOff = time.Duration(s.rng.IntN(600)) * time.Second })
	case 9:
		change("a trigger's hold-off", func(c *config.Config) {
			c.Triggers = append([]config.Trigger(nil), c.Triggers...)
			off := time.Duration(s.rng.IntN(600)) * time.Second
			c.Triggers[s.rng.IntN(len(c.Triggers))].HoldOff = &off
		})
	case 10, 11:
		change("a trigger removed", func(c *config.Config) {
			all := simConfig().Triggers
			i := s.rng.IntN(len(all))
			c.Triggers = append(append([]config.Trigger(nil), all[:i]...), all[i+1:]...)
			for _, e := range s.events {
				if e.cfg.Name == all[i].Name && e.closed.IsZero() {
					e.closed, e.why = time.Now(), "removed"
				}
			}
		})
	case 12, 13, 14:
		change("all triggers", func(c *config.Config) { c.Triggers = simConfig().Triggers })
	case 15:
		change("zone", func(c *config.Config) {
			c.Site.TimeZone = []string{"Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"}[s.rng.IntN(3)]
		})
	}
}
