package engine

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"watchpost/engine/config"
)

// renamed finds the triggers that only have another name now, by that name: those of
// the same settings, or of the same source in the same place of a list as long as it
// was. Such a one keeps its account, its hold-off and the event that goes on.
func (e *Engine) renamed(triggers []config.Trigger) map[string]*trigger {
	named := func(name string) bool {
		return slices.ContainsFunc(triggers, func(c config.Trigger) bool { return c.Name == name })
	}
	out := map[string]*trigger{}
	for i, cfg := range triggers {
		if e.trigger(cfg.Name) != nil {
			continue
		}
		k := slices.IndexFunc(e.triggers, func(t *trigger) bool {
			was := t.cfg
			was.Name = cfg.Name
			return !named(t.cfg.Name) && reflect.DeepEqual(was, cfg)
		})
		if k < 0 && len(triggers) == len(e.triggers) && !named(e.triggers[i].cfg.Name) && e.triggers[i].cfg.Source == cfg.Source {
			k = i
		}
		if k < 0 {
			continue
		}
		t := e.triggers[k]
		if slices.ContainsFunc(slices.Collect(maps.Values(out)), func(x *trigger) bool { return x == t }) {
			continue
		}
		if err := e.journal.Rename(t.cfg.Name, cfg.Name); err != nil {
			e.Log.Warn("a renamed trigger begins anew: the journal cannot be written", "trigger", cfg.Name, "was", t.cfg.Name, "error", err)
			continue
		}
		e.Log.Info("trigger renamed", "trigger", cfg.Name, "was", t.cfg.Name)
		// Its source is heard under the new name from now on, and says so if it is active.
		t.active = false
		if t.running != nil {
			t.running.rest(time.Now())
		}
		out[cfg.Name] = t
	}
	return out
}
