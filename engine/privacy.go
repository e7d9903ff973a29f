package engine

import (
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/schedule"
)

// Privacy mode is on while a person has switched it on, while its active time
// lasts, or while its input line is active. A person who switches it off while the
// time or the line would have it on overrules them until both are over.
//
// From the moment it is on the camera is closed, the ring is empty and takes no
// image, and a source that fires is counted as silent. What was accepted before is
// delivered and kept.

// private reports whether privacy mode is on.
func (e *Engine) private() bool { return e.privacy.On }

func (e *Engine) holidays() []config.Date { return e.current().Config.Site.Holidays }

// byItself says what would have privacy mode on without a person; empty: nothing.
func (e *Engine) byItself() event.PrivacyBy {
	p := e.current().Config.Privacy
	switch {
	case len(p.Active) > 0 && schedule.Active(p.Active, e.now(), e.holidays()...):
		return event.BySchedule
	case e.byLine():
		return event.ByLine
	}
	return ""
}

func (e *Engine) byLine() bool { return e.current().Config.Privacy.Line != "" && e.privacyLine }

// watchPrivacy switches privacy mode as its schedule and its line say, and
// journals what could not be written before.
func (e *Engine) watchPrivacy() {
	p, by := e.privacy, e.byItself()
	switch {
	case by != "" && !p.On && !p.Overruled:
		e.setPrivacy(event.PrivacyMode{On: true, By: by})
	case by == "" && (p.On && p.By != event.ByPerson || p.Overruled):
		e.setPrivacy(event.PrivacyMode{})
	case e.privacyUnsaved:
		e.journalPrivacy()
	}
}

// switchPrivacy is a person's key or command.
func (e *Engine) switchPrivacy(on bool) {
	want := event.PrivacyMode{On: on}
	if on {
		want.By = event.ByPerson
	} else {
		want.By = e.byItself()
		if want.Overruled = want.By != ""; want.Overruled && e.byLine() {
			want.By = event.ByLine
		}
	}
	if p := e.privacy; p.On != want.On || on && p.By != want.By || p.Overruled != want.Overruled {
		e.setPrivacy(want)
	}
}

// setPrivacy puts privacy mode in force and journals it, in that order: a disk
// that does not answer must not keep the camera open.
func (e *Engine) setPrivacy(p event.PrivacyMode) {
	p.Since = e.now().Round(0)
	if p.On && e.privacy.On {
		p.Since = e.privacy.Since // another reason for the same
	}
	e.privacy, e.privacyUnsaved = p, true
	e.shut(p.On)
	e.Log.Info("privacy", "on", p.On, "by", p.By)
	e.journalPrivacy()
}

func (e *Engine) journalPrivacy() {
	if err := e.journal.SetPrivacy(e.privacy); err != nil {
		e.notice("privacy", "privacy mode cannot be written down: "+err.Error()+": free some space or check the disk; until then a restart forgets the last change")
		return
	}
	e.privacyUnsaved = false
	e.notice("privacy", "")
}

// shut closes the eye, or opens it again.
func (e *Engine) shut(on bool) {
	e.ring.Pause(on)
	e.camera.pause(on)
	if !on {
		return
	}
	for _, t := range e.triggers {
		e.closeEvent(t, "privacy mode was switched on during the event")
		e.endAnds(t, time.Now(), true)
	}
}
