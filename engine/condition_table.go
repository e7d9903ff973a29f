package engine

import (
	"fmt"
	"strings"
	"time"

	"watchpost/engine/event"
)

const stuckAfter = 30 * time.Minute

// boxConditions are the conditions of the box that are mailed.
var boxConditions = []condition{
	{
		name: "camera", after: time.Minute, over: 10 * time.Second,
		look: func(e *Engine, _ string) look {
			c := e.cameraStatus()
			switch {
			case e.private() || !e.needsCamera():
				return look{is: moot}
			case c.State == event.CameraOK:
				return look{is: absent}
			case c.State == event.CameraLost, c.State == event.CameraStalled, c.State == event.CameraBusy:
				return look{is: present, why: c.Problem}
			}
			return look{}
		},
		begin: func(e *Engine, t told) letter {
			return letter{"camera lost", []string{
				fmt.Sprintf("The camera gives no picture since %s.", e.when(t.since)),
				"What was found: " + strings.TrimRight(t.why, ". ") + ".",
				"Until it is back no motion is detected and nothing that depends on the picture is reported.",
				"Check its cable and its power, and that no other program uses it. It is opened again by itself.",
			}}
		},
		end: func(e *Engine, t told) letter {
			return letter{"camera back", []string{
				fmt.Sprintf("The camera gives pictures again. It was lost for %s, since %s.", span(t.lasts), e.when(t.since)),
				"In that time no motion was detected.",
			}}
		},
	},
	{
		name: "sensor", over: time.Minute, // after a start too the source has that long to say that it is active still
		each: func(e *Engine) (names []string) {
			for _, t := range e.triggers {
				names = append(names, t.cfg.Name)
			}
			return names
		},
		look: func(e *Engine, of string) look {
			t := e.trigger(of)
			switch {
			case t.cfg.Source == event.Motion && (e.private() || e.cameraStatus().State != event.CameraOK):
				return look{}
			case t.stuck():
				return look{is: present, since: t.since}
			case t.active:
				return look{}
			}
			return look{is: absent}
		},
		begin: func(e *Engine, t told) letter {
			return letter{"sensor stuck", []string{
				fmt.Sprintf("The source of the trigger %q has said active since %s, for %s without an end.", t.of, e.when(t.since), span(t.lasts)),
				"As long as it does, nothing new from it is noticed: all of it is one event.",
				"Look at what it sees or what is wired to it; for motion, choose a zone without what moves all the time, or a higher threshold.",
			}}
		},
		end: func(e *Engine, t told) letter {
			return letter{"sensor free", []string{
				fmt.Sprintf("The source of the trigger %q is at rest again. It said active for %s, since %s.", t.of, span(t.lasts), e.when(t.since)),
			}}
		},
	},
	{
		name: "disk", after: time.Minute, over: time.Minute,
		look: func(e *Engine, _ string) look {
			if e.used.Load().Low {
				return look{is: present}
			}
			return look{is: absent}
		},
		begin: func(e *Engine, t told) letter {
			return letter{"disk low", []string{
				fmt.Sprintf("The disk of %s is almost full since %s: %d MB are free.", e.used.Load().Directory, e.when(t.since), e.used.Load().FreeBytes/1e6),
				"New images are not kept; firings are counted and mailed all the same, as long as what is left lasts.",
				"Remove what is not needed from the disk, or choose a lower storage.max_bytes.",
			}}
		},
		end: func(e *Engine, t told) letter {
			return letter{"disk free again", []string{
				fmt.Sprintf("The disk of %s has room again, %d MB. It was almost full for %s, since %s.", e.used.Load().Directory, e.used.Load().FreeBytes/1e6, span(t.lasts), e.when(t.since)),
				"Images of events in that time may be missing; the events say so.",
			}}
		},
	},
	{
		name: "clock", after: time.Minute,
		look: func(e *Engine, _ string) look {
			if _, set := e.best.now(); !set {
				return look{is: present}
			}
			return look{is: absent}
		},
		begin: func(e *Engine, t told) letter {
			return letter{"clock not set", []string{
				fmt.Sprintf("The clock of this box shows %s, a time before its program was made: it is not set since the start %s ago.", e.when(e.Clock.Now()), span(t.lasts)),
				"The times of mails and events are estimates, active times may be wrong, and a mail server's certificate may seem invalid.",
				"Set the date and the time, or give the box a network clock; replace the clock's battery where it has one.",
			}}
		},
		end: func(e *Engine, t told) letter {
			return letter{"clock set", []string{
				fmt.Sprintf("The clock of this box is set: it is %s. It was not for %s after the start.", e.when(e.Clock.Now()), span(t.lasts)),
				"The times of mails and events in that time are estimates.",
			}}
		},
	},
	{
		name: "delayed", over: 10 * time.Second, // nothing can be mailed at its begin
		look: func(e *Engine, _ string) look { return e.lookDelayed(time.Now()) },
		end:  func(e *Engine, t told) letter { return e.tellDelayed(t.why) },
	},
	{
		name: "power",
		look: func(e *Engine, _ string) look {
			switch {
			case e.Cut.IsZero():
				return look{is: absent}
			case !e.mailsStates():
				e.Cut, e.unsaved = time.Time{}, true
				return look{is: moot}
			}
			return look{is: present}
		},
		begin: func(e *Engine, t told) letter {
			cut := e.Cut
			e.Cut = time.Time{}
			return letter{"power cut", []string{
				fmt.Sprintf("This box was started anew at %s after a power cut or a reset, or the program had stopped before. It was last known to run at %s.", e.when(e.started), e.when(cut)),
				"Between the two it saw nothing. What had been noticed before is kept, and its mails are sent.",
				"Where this comes often, give the box a reliable power supply.",
			}}
		},
		end: func(*Engine, told) letter { return letter{} },
	},
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// needsCamera reports whether a trigger watches the picture.
func (e *Engine) needsCamera() bool {
	for _, t := range e.triggers {
		if t.cfg.Enabled && (t.cfg.Source == event.Motion || t.cfg.And != nil && t.cfg.And.Source == event.Motion) {
			return true
		}
	}
	return false
}

// stuck reports whether t's source has said active for too long.
func (t *trigger) stuck() bool { return t.active && time.Since(t.since) >= stuckAfter }
