package engine

import (
	"context"
	"fmt"
	"os"
	"time"

	"watchpost/engine/config"
)

const filePoll = time.Second

// adopt puts a configuration in force and restarts only what changed. It runs
// in the loop's goroutine, or before it.
func (e *Engine) adopt(l config.Loaded, findings []config.Finding) {
	c := l.Config
	e.settingsMu.Lock()
	e.settings, e.findings = l, findings
	e.settingsMu.Unlock()
	e.zone = time.Local
	e.notice("zone", "")
	if c.Site.TimeZone != "" {
		zone, err := time.LoadLocation(c.Site.TimeZone)
		if err != nil {
			e.notice("zone", fmt.Sprintf("the time zone %q is not known: the system's zone is used", c.Site.TimeZone))
		} else {
			e.zone = zone
		}
	}
	e.camera.use(c.Camera)
	var triggers []*trigger
	renamed := e.renamed(c.Triggers)
	for _, cfg := range c.Triggers {
		t := e.trigger(cfg.Name)
		if t == nil {
			t = renamed[cfg.Name]
		}
		if t == nil {
			t = &trigger{alarmed: e.lastAlarm(cfg)}
		}
		if t.cfg.Every != cfg.Every {
			t.ticked = time.Time{}
		}
		if a, b := t.cfg.And, cfg.And; !cfg.Enabled || (a == nil) != (b == nil) || a != nil && (a.Source != b.Source || a.Line != b.Line) {
			t.second.active, t.second.last = false, time.Time{} // nobody listens to that one any more
		}
		t.cfg = cfg
		triggers = append(triggers, t)
	}
	gone := e.triggers
	e.triggers = triggers
	e.acceptWaiting()
	for _, t := range triggers {
		if !t.cfg.Enabled {
			t.active = false
			e.endAnds(t, time.Now(), true)
			e.closeEvent(t, "the trigger was switched off during the event")
		}
	}
	for _, t := range gone {
		if e.trigger(t.cfg.Name) != t {
			e.endAnds(t, time.Now(), true)
			e.closeEvent(t, "the trigger was removed during the event")
		}
	}
	e.watchPrivacy()
	e.inputs.use(c)
	e.ring.Limit(int(c.Camera.Buffer))
	if d := newDetection(c); !d.same(e.detector.now.Load()) {
		e.detector.now.Store(d)
	}
	e.store.Limit(c.Storage.MaxBytes, c.Storage.MaxAge)
	e.Outbox.Configure(c, l.Secrets, e.zone)
	e.toPlaces.Configure(c, l.Secrets, e.zone)
	e.composeAt = time.Time{} // what stood in the way of composing may be gone
	e.notice("storage", "")
	e.notice("file", "")
	if e.DirectoryOf != nil {
		if dir := e.DirectoryOf(c); dir != e.Directory {
			e.notice("storage", fmt.Sprintf("storage.directory is %s from the next start on; what waits in %s is not moved: let the queue run empty first, or move the folder", dir, e.Directory))
		}
	}
}

// lastAlarm is the monotonic moment at which a trigger's hold-off began, as far as the
// journal and a clock that may have jumped can tell.
func (e *Engine) lastAlarm(t config.Trigger) time.Time {
	at := e.journal.LastAlarm(t.Name)
	if at.IsZero() {
		return time.Time{}
	}
	return e.ago(at)
}

// ago is the monotonic moment of a best known time of an earlier run; one that is
// still to come, by a clock that was ahead, is now.
func (e *Engine) ago(at time.Time) time.Time { return time.Now().Add(-max(0, e.now().Sub(at))) }

// Login is what is kept of a password that is only compared (secret.Matches); empty:
// none is set. It is not in API: no socket carries it.
func (e *Engine) Login(key string) string { return e.current().Secrets.Login(key) }

// Config returns the configuration in force, without its secrets.
func (e *Engine) Config(context.Context) (config.Settings, error) { return e.view(), nil }

func (e *Engine) view() config.Settings {
	l := e.current()
	return config.Settings{Config: l.Config, Revision: l.Revision, Path: e.File.Path(), LastGood: e.File.CanRevert(),
		Secrets: l.Secrets.Set(l.Config)}
}

// Apply validates, saves and puts in force; see API.
func (e *Engine) Apply(ctx context.Context, revision string, changes []config.Change) (config.Settings, []config.Finding, error) {
	e.applyMu.Lock()
	defer e.applyMu.Unlock()
	if revision != e.current().Revision {
		return e.view(), nil, config.ErrConflict
	}
	if e.vanished() { // a change is made on what is in force, not on nothing
		if l, err := e.File.Revert(); err != nil || l.Revision != e.current().Revision {
			return e.view(), nil, fmt.Errorf("nothing was saved: the configuration file %s is gone or empty, and its copy cannot be put back: put it back by hand", e.File.Path())
		}
	}
	l, err := e.File.Save(changes) // after an edit by hand it is ErrConflict until watchFile has read that
	if err != nil {
		return e.view(), l.Findings, err
	}
	return e.inForce(ctx, l)
}

// Revert puts the last good configuration before this one in force again.
func (e *Engine) Revert(ctx context.Context) (config.Settings, error) {
	e.applyMu.Lock()
	defer e.applyMu.Unlock()
	l, err := e.File.Revert()
	if err != nil {
		return e.view(), err
	}
	s, _, err := e.inForce(ctx, l)
	return s, err
}

func (e *Engine) inForce(ctx context.Context, l config.Loaded) (config.Settings, []config.Finding, error) {
	kept := e.File.MarkGood()
	// What is saved comes into force whatever becomes of the caller.
	if err := e.do(context.WithoutCancel(ctx), func() {
		e.adopt(l, nil)
		e.goodKept(kept)
	}); err != nil {
		return e.view(), l.Findings, err
	}
	e.Log.Info("configuration in force", "revision", l.Revision)
	return e.view(), l.Findings, nil
}

// KeepGood keeps a copy of what the file holds, which is in force. For before Run.
func (e *Engine) KeepGood() { e.goodKept(e.File.MarkGood()) }

// goodKept notes whether the copy of what is in force could be kept.
func (e *Engine) goodKept(err error) {
	e.notice("good", "")
	if err != nil {
		e.Log.Warn("the last good configuration was not kept", "error", err)
		e.notice("good", "there is no copy of the configuration in force: "+err.Error()+": correct the owner of its folder")
	}
}

// Reload reads the file again, as after SIGHUP or an edit by hand. A file that
// does not validate changes nothing but the findings on the screen.
func (e *Engine) Reload(ctx context.Context) error {
	e.applyMu.Lock()
	defer e.applyMu.Unlock()
	return e.reload(ctx)
}

func (e *Engine) reload(ctx context.Context) error {
	l, err := e.File.Load()
	if err != nil {
		return err
	}
	if e.vanished() {
		return e.do(ctx, func() {
			e.notice("file", "the configuration file "+e.File.Path()+" is gone or empty: what was in force goes on; put it back, or restart for a box without a configuration")
		})
	}
	for _, f := range l.Findings {
		if f.Level == config.Error {
			e.Log.Warn("the changed configuration was not accepted", "finding", f.String())
			e.settingsMu.Lock()
			defer e.settingsMu.Unlock()
			e.findings = l.Findings
			e.settings.Revision = l.Revision // a change is made on the file as it is
			return nil
		}
	}
	if l.Revision == e.current().Revision && len(e.currentFindings()) == 0 {
		return e.do(ctx, func() { e.notice("file", "") })
	}
	_, _, err = e.inForce(ctx, l)
	return err
}

// vanished reports whether the file is missing or empty under a box that was set
// up: valid at a start, here it is an accident.
func (e *Engine) vanished() bool {
	c := e.current().Config
	if len(c.Triggers) == 0 && !config.MailConfigured(c) {
		return false
	}
	st, err := os.Stat(e.File.Path())
	return err != nil || st.Size() == 0
}

func (e *Engine) currentFindings() []config.Finding {
	e.settingsMu.Lock()
	defer e.settingsMu.Unlock()
	return e.findings
}

// watchFile reloads the configuration when one of its files has changed and is
// the same at two looks: an editor may be in the middle of writing it.
func (e *Engine) watchFile(ctx context.Context) error {
	t := time.NewTicker(filePoll)
	defer t.Stop()
	read, last := e.Options.Stamp, ""
	for {
		s := e.File.Stamp()
		if s == last && s != read {
			read = s
			if err := e.Reload(ctx); err != nil && ctx.Err() == nil {
				e.Log.Warn("the changed configuration was not read", "error", err)
			}
		}
		last = s
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}
