package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

const filePoll = 2 * time.Second

// adopt puts a configuration in force and restarts only what changed. It runs
// in the loop's goroutine, or before it.
func (e *Engine) adopt(l config.Loaded, findings []config.Finding) {
	c := l.Config
	e.settingsMu.Lock()
	e.settings, e.findings = l, findings
	e.settingsMu.Unlock()
	e.zone = time.Local
	if c.Site.TimeZone != "" {
		zone, err := time.LoadLocation(c.Site.TimeZone)
		if err != nil {
			e.notice("zone", fmt.Sprintf("the time zone %q is not known: the system's zone is used", c.Site.TimeZone))
		} else {
			e.notice("zone", "")
			e.zone = zone
		}
	}
	e.camera.use(c.Camera)
	var triggers []*trigger
	var motionBefore, motionNow []config.Trigger
	for _, old := range e.triggers {
		motionBefore = append(motionBefore, old.cfg)
	}
	for _, cfg := range c.Triggers {
		t := e.trigger(cfg.Name)
		if t == nil {
			t = &trigger{}
		}
		t.cfg, t.why = cfg, unavailable(cfg)
		triggers, motionNow = append(triggers, t), append(motionNow, cfg)
	}
	gone := e.triggers
	e.triggers = triggers
	for _, t := range gone {
		if e.trigger(t.cfg.Name) != t {
			e.retire(t)
		}
	}
	if e.detector.now.Load() == nil || !reflect.DeepEqual(motionBefore, motionNow) {
		e.detector.now.Store(newDetection(c.Triggers))
	}
	e.store.Limit(c.Storage.MaxBytes, c.Storage.MaxAge)
	e.Outbox.Configure(c, l.Secrets, e.zone)
	e.composeNow()
}

// retire ends what a removed trigger was about; nothing of it is lost.
func (e *Engine) retire(t *trigger) {
	keep := e.triggers
	e.triggers = []*trigger{t}
	e.closeEvents("the trigger was removed during the event")
	e.triggers = keep
	if len(t.pending) > 0 {
		e.due = append(e.due, &due{notice: summary(t.pending), at: time.Now()})
	}
}

// Config returns the configuration in force, without its secrets.
func (e *Engine) Config(context.Context) (config.Settings, error) { return e.view(), nil }

func (e *Engine) view() config.Settings {
	l := e.current()
	return config.Settings{Config: l.Config, Revision: l.Revision, Path: e.File.Path(), LastGood: e.File.CanRevert(),
		Secrets: map[string]bool{"smtp.password": l.Secrets.SMTPPassword != ""}}
}

// Apply validates, saves and puts in force; see API.
func (e *Engine) Apply(ctx context.Context, revision string, changes []config.Change) (config.Settings, []config.Finding, error) {
	e.applyMu.Lock()
	defer e.applyMu.Unlock()
	if revision != e.current().Revision {
		return e.view(), nil, config.ErrConflict
	}
	l, err := e.File.Save(changes)
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
	// What is saved comes into force whatever becomes of the caller.
	if err := e.do(context.WithoutCancel(ctx), func() { e.adopt(l, nil) }); err != nil {
		return e.view(), l.Findings, err
	}
	if err := e.File.MarkGood(); err != nil {
		e.Log.Warn("the last good configuration was not kept", "error", err)
	}
	e.Log.Info("configuration in force", "revision", l.Revision)
	return e.view(), l.Findings, nil
}

// Reload reads the file again, as after SIGHUP or an edit by hand. A file that
// does not validate changes nothing but the findings on the screen.
func (e *Engine) Reload(ctx context.Context) error {
	e.applyMu.Lock()
	defer e.applyMu.Unlock()
	l, err := e.File.Load()
	if err != nil {
		return err
	}
	for _, f := range l.Findings {
		if f.Level == config.Error {
			e.Log.Warn("the changed configuration was not accepted", "finding", f.String())
			return e.do(ctx, func() {
				e.settingsMu.Lock()
				defer e.settingsMu.Unlock()
				e.findings = l.Findings
			})
		}
	}
	if l.Revision == e.current().Revision && len(e.currentFindings()) == 0 {
		return nil
	}
	_, _, err = e.inForce(ctx, l)
	return err
}

func (e *Engine) currentFindings() []config.Finding {
	e.settingsMu.Lock()
	defer e.settingsMu.Unlock()
	return e.findings
}

// watchFile reloads the configuration when its file changes.
func (e *Engine) watchFile(ctx context.Context) error {
	if e.File.Path() == "" {
		return nil
	}
	stamp := func() string {
		st, err := os.Stat(e.File.Path())
		if err != nil {
			return ""
		}
		return fmt.Sprint(st.ModTime().UnixNano(), st.Size())
	}
	last := stamp()
	t := time.NewTicker(filePoll)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if s := stamp(); s != last {
			last = s
			if err := e.Reload(ctx); err != nil && !errors.Is(err, context.Canceled) {
				e.Log.Warn("the changed configuration was not read", "error", err)
			}
		}
	}
}

// Diagnose walks the delivery with the configuration plus changes; see API.
func (e *Engine) Diagnose(ctx context.Context, changes []config.Change, step func(event.Step)) (bool, error) {
	l := e.current()
	c, s, findings := config.PatchFor(l.Config, l.Secrets, changes)
	for _, f := range findings {
		if f.Level == config.Error {
			step(event.Step{Step: "config", Target: f.Key, Text: f.Text, Verdict: f.Short, Do: "correct " + f.Key})
			return false, nil
		}
	}
	return e.Outbox.Diagnose(ctx, c, s, step), nil
}
