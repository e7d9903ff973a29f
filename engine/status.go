package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/schedule"
)

const publishEvery = 250 * time.Millisecond

// measure keeps the frame rate, counted over the last seconds.
func (e *Engine) measure(now time.Time) {
	if e.fpsAt.IsZero() {
		e.fpsAt = now
	}
	d := now.Sub(e.fpsAt)
	if d < 2*time.Second {
		return
	}
	frames, _ := e.camera.box.Counts()
	e.fps = float64(frames-e.fpsFrames) / d.Seconds()
	e.fpsFrames, e.fpsAt = frames, now
}

// publishStatus tells the subscribers where something changed, at most four times a second.
func (e *Engine) publishStatus(now time.Time) {
	if now.Before(e.publishAt) || !e.hub.watched() {
		return
	}
	e.publishAt = now.Add(publishEvery)
	s := e.status()
	bare := s
	bare.Clock.Time = time.Time{} // time passing is no change, nor is a frame more
	bare.Camera.Frames = 0
	bare.Storage.FreeBytes >>= 24
	bare.Buffer = event.Buffer{Fit: s.Buffer.Fit / 16}
	js, err := json.Marshal(bare)
	if err != nil || bytes.Equal(js, e.published) {
		return
	}
	e.published = js
	e.hub.publish(event.Event{Status: &s})
}

func (e *Engine) status() event.Status {
	l := e.current()
	now, clock := e.now(), e.Clock.Now().In(e.zone)
	s := event.Status{State: "armed", Site: l.Config.Site.Name, Version: e.Version, Mode: e.Mode, Demo: e.Demo,
		Revision: l.Revision, Camera: e.cameraStatus(), Storage: *e.used.Load(),
		Clock:    event.Clock{Time: clock, Zone: zoneName(e.zone, clock), Set: clock.After(event.ClockFloor)},
		Triggers: []event.Trigger{}, Problems: []string{}}
	s.Camera.FPS = float64(int(e.fps*10+0.5)) / 10
	if s.Camera.State != event.CameraOK {
		s.Camera.FPS = 0
	}
	if e.Inbox != nil {
		s.Inbox = e.Inbox()
	}
	for _, f := range e.currentFindings() {
		if f.Level == config.Error {
			s.Findings = append(s.Findings, f.String())
		}
	}
	if p := e.privacy; p.On {
		s.State = "privacy"
	} else if len(l.Config.Triggers) == 0 || !config.MailConfigured(l.Config) {
		s.State = "setup"
	}
	accounts := e.journal.Accounts(e.disposition)
	s.Privacy = e.privacy
	if s.Privacy.On && s.Privacy.By == event.BySchedule {
		s.Privacy.Until, _ = schedule.Next(l.Config.Privacy.Active, now, e.holidays()...)
	}
	s.Buffer = e.bufferStatus()
	det := e.detector.now.Load()
	for _, t := range e.triggers {
		s.Triggers = append(s.Triggers, e.triggerStatus(t, now, accounts[t.cfg.Name], det))
	}
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		// A removed trigger is shown as long as something of it is under way.
		if a := accounts[name]; e.trigger(name) == nil && a.Queued+a.Held > 0 {
			s.Triggers = append(s.Triggers, event.Trigger{Name: name, State: event.StateOff, Why: "it was removed; its mail is still under way", Account: a})
		}
	}
	s.Queue = e.queueStatus()
	s.Transfers, s.Places = e.transferStatus(), e.placeStatus(clock)
	if e.Ways != nil {
		s.Ways = e.Ways()
	}
	s.Problems = e.problems(s)
	return s
}

// bufferStatus says what the image buffer holds and could hold.
func (e *Engine) bufferStatus() event.Buffer {
	b := event.Buffer{MaxBytes: e.current().Config.Camera.Buffer}
	b.Images, b.Bytes = e.ring.Size()
	if b.Images > 0 && b.Bytes > 0 {
		b.Fit = int(b.MaxBytes * int64(b.Images) / int64(b.Bytes))
		apart := e.detector.now.Load().interval.Seconds()
		if e.fps > 0 { // a camera may give fewer than are asked for
			apart = max(apart, 1/e.fps)
		}
		b.Seconds = float64(b.Fit) * apart
	}
	return b
}

// bufferShort says which trigger wants images from further back than the buffer
// reaches; empty where it suffices, as far as is known.
func (e *Engine) bufferShort(b event.Buffer) string {
	if b.Images < 10 { // too few to judge by
		return ""
	}
	for _, t := range e.triggers {
		back := t.cfg.Pre.Time
		if t.cfg.Pre.Images > 0 {
			back = time.Duration(t.cfg.Pre.Images) * t.cfg.Interval
		}
		if t.cfg.Enabled && back.Seconds() > b.Seconds {
			return fmt.Sprintf("buffer: trigger %s wants images from %s before it fires, and the buffer reaches back about %.0f s (%d images): raise camera.buffer, or choose a smaller picture, a lower quality or longer intervals",
				t.cfg.Name, span(back), b.Seconds, b.Fit)
		}
	}
	return ""
}

// cameraStatus is what there is to say of the camera and of what it gives.
func (e *Engine) cameraStatus() event.Camera {
	s := e.camera.status()
	if u := e.detector.unread.Load(); u != nil && s.State == event.CameraOK && time.Since(u.since) > stallAfter {
		s.State = event.CameraStalled
		s.Problem = "the camera gives pictures that cannot be read (" + u.err.Error() + "): check its cable, or choose another size or frame rate"
	}
	return s
}

// zoneName is the IANA name where it is known, else what the moment's zone is called.
func zoneName(zone *time.Location, at time.Time) string {
	if zone != time.Local {
		return zone.String()
	}
	if to, err := os.Readlink("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(to, "zoneinfo/"); ok {
			return name
		}
	}
	return at.Format("MST")
}

func (e *Engine) triggerStatus(t *trigger, now time.Time, a event.Account, det *detection) event.Trigger {
	ts := event.Trigger{Name: t.cfg.Name, Source: t.cfg.Source, State: event.Armed, Last: t.last, Account: a}
	why := e.unavailable(t.cfg)
	own := role{trigger: t.cfg.Name}
	if t.cfg.Source == event.Motion {
		ts.Level, ts.Fires = det.level(t.cfg.Name), fires(t.cfg)
	}
	cam := e.cameraStatus().State
	switch left := time.Until(t.holdUntil(e.current().Config)); {
	case !t.cfg.Enabled:
		ts.State, ts.Why = event.StateOff, "it is switched off"
	case e.private():
		ts.State = event.StatePrivacy
		if e.privacy.By == event.BySchedule {
			ts.Until, _ = schedule.Next(e.current().Config.Privacy.Active, now, e.holidays()...)
		}
	case why != "":
		ts.State, ts.Why = event.Unavailable, why
	case e.warming(own, t.cfg.Source):
		ts.State = event.StateWarming
		if since := e.inputs.status(own).since; !since.IsZero() {
			ts.Until = now.Add(warmUp - time.Since(since)).Truncate(time.Second)
		}
	case t.cfg.Source == event.Motion && cam == event.CameraStarting:
		ts.State = event.StateWarming
	case (t.cfg.Source == event.Motion || t.cfg.And != nil && t.cfg.And.Source == event.Motion) && cam != event.CameraOK && cam != event.CameraStarting:
		ts.State, ts.Why = event.Unavailable, map[event.CameraState]string{
			event.CameraEnded:   "the recording has ended",
			event.CameraBusy:    "the camera is used by another program",
			event.CameraStalled: "the camera gives no picture",
			event.CameraLost:    "the camera is lost",
		}[cam]
	case t.stuck():
		ts.State, ts.Why = event.StateStuck, "its source has said active for "+span(time.Since(t.since))+" without an end"
	case !schedule.Active(t.cfg.Active, now, e.holidays()...):
		ts.State = event.StateOutside
		var comes bool
		if ts.Until, comes = schedule.Next(t.cfg.Active, now, e.holidays()...); !comes {
			ts.Why = "its active time never comes: it is for holidays, and none is to come: enter them on the System page"
		}
	case left > 0 && t.cfg.Notify:
		ts.State, ts.Until = event.StateHeldOff, now.Add(left).Truncate(time.Second)
	}
	return ts
}

func (e *Engine) queueStatus() event.Queue {
	q := event.Queue{Delivered: e.journal.Delivered()}
	for _, id := range slices.Sorted(maps.Keys(e.mails)) {
		q.Count(e.mails[id])
	}
	q.Problem = e.newestProblem(e.mails)
	for _, d := range e.due {
		if !e.inSpool(d.notice.ID) {
			q.Queued++
		}
	}
	return q
}

// newestProblem is why one of those that wait does so: of the one that changed
// last, since an older reason may be gone.
func (e *Engine) newestProblem(waiting map[string]event.Mail) string {
	for _, m := range slices.Backward(e.recent) {
		if now, ok := waiting[m.ID]; ok && now.Problem != "" && !now.Settled() {
			return now.Problem
		}
	}
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(waiting))) {
		if m := waiting[id]; m.Problem != "" {
			return m.Problem
		}
	}
	return ""
}

func (e *Engine) transferStatus() (q event.Queue) {
	for _, id := range slices.Sorted(maps.Keys(e.transfers)) {
		q.Count(e.transfers[id])
	}
	q.Problem, q.Delivered = e.newestProblem(e.transfers), e.transferred
	return q
}

func (e *Engine) inSpool(id string) bool {
	_, ok := e.mails[id]
	return ok
}

func (e *Engine) problems(s event.Status) []string {
	p := []string{}
	if s.Camera.Problem != "" {
		text := s.Camera.Problem
		if !strings.HasPrefix(text, "camera") && !strings.HasPrefix(text, "no camera") {
			text = "camera: " + text
		}
		p = append(p, text)
	}
	if !s.Clock.Set {
		p = append(p, "clock: it is not set; set the date and time, or give the box a network clock")
	}
	switch q := s.Queue; {
	case q.Held > 0:
		p = append(p, strings.TrimSpace(fmt.Sprintf("mail: %s (%d held: see the queue, then retry or drop)", q.Problem, q.Held)))
	case q.Problem != "":
		p = append(p, "mail: "+q.Problem)
	}
	if s.Storage.Low {
		p = append(p, fmt.Sprintf("storage: the disk of %s is almost full: new images are not kept, firings and mail are; free some space", s.Storage.Directory))
	}
	if text := e.bufferShort(s.Buffer); text != "" {
		p = append(p, text)
	}
	if text := e.keepErr.Load(); text != nil {
		p = append(p, *text)
	}
	p = append(p, placeProblems(s.Places)...)
	if why := e.inputs.status(role{}).problem; why != "" {
		p = append(p, "privacy: its line cannot be read: "+why+": until it can be, privacy mode stays as it was")
	}
	if text := e.transferErr.Load(); text != nil {
		p = append(p, *text)
	}
	p = append(p, e.Outbox.Problems()...)
	p = append(p, e.toPlaces.Problems()...)
	p = append(p, e.Known...)
	for _, w := range s.Ways {
		if w.Problem != "" && !w.Quiet {
			p = append(p, w.Kind+": "+w.Problem)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.notices)) {
		p = append(p, e.notices[name])
	}
	for i := range p { // one line each, harmless for a terminal, whatever a program or a file name said
		p[i] = strings.Join(strings.FieldsFunc(p[i], func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	}
	return p
}

// Status returns the present state; see API.
func (e *Engine) Status(ctx context.Context) (s event.Status, err error) {
	err = e.do(ctx, func() { s = e.status() })
	return s, err
}

// Watch subscribes; see API.
func (e *Engine) Watch(ctx context.Context) (event.Snapshot, <-chan event.Event, error) {
	var snap event.Snapshot
	var sub *subscriber
	err := e.do(ctx, func() {
		snap = event.Snapshot{Status: e.status(), Firings: slices.Clone(e.firings), Mails: slices.Clone(e.recent)}
		sub = e.hub.subscribe()
		e.published = nil // what changes after this snapshot is a change for the new one
	})
	if err != nil {
		return snap, nil, err
	}
	if sub == nil {
		return snap, nil, errors.New("too many sessions are looking on")
	}
	context.AfterFunc(ctx, func() { e.hub.unsubscribe(sub) })
	return snap, sub.ch, nil
}
