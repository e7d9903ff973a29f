// Package event holds what can happen in Watchpost, as plain types that every
// other package may use and that travel over the local socket as JSON.
//
// It is not a bus and holds no logic beyond reading its own values. It starts
// no goroutine. It imports the standard library only.
package event

import (
	"errors"
	"maps"
	"time"
)

// ErrNotFound is wrapped where there is no such trigger, mail or event.
var ErrNotFound = errors.New("not found")

// Source names what can fire a trigger.
type Source string

// The sources of design/product.md, in the order in which they are offered.
const (
	Motion   Source = "motion"
	BuiltIn  Source = "builtin"
	External Source = "external"
	Sound    Source = "sound"
	Timer    Source = "timer"
	Manual   Source = "manual"
)

// Disposition says what became of a firing in the account of firings:
// fired = mailed + summarised + queued + held + dropped + outside + extended + silent.
type Disposition string

const (
	Mailed     Disposition = "mailed"     // at least one recipient accepted its own mail
	Summarised Disposition = "summarised" // at least one recipient accepted the summary that counts it
	Queued     Disposition = "queued"     // none accepted, at least one pending (a mail still to be composed too)
	Held       Disposition = "held"       // none accepted, none pending
	Dropped    Disposition = "dropped"    // by the operator
	Outside    Disposition = "outside"    // outside the active time
	Extended   Disposition = "extended"   // prolonged an event that was already running
	Silent     Disposition = "silent"     // see Reason
)

// Reason says why a firing was silent.
type Reason string

const (
	NotifyOff Reason = "notify_off"
	TimerOff  Reason = "timer"
	Privacy   Reason = "privacy"
	WarmingUp Reason = "warming_up"
	WalkTest  Reason = "walk_test"
	AndUnmet  Reason = "and_unmet"
)

// Firing is one firing of a trigger. It is accepted, and counted once, when its
// record is fsynced in the journal; it never changes after that.
type Firing struct {
	Seq     uint64    `json:"seq"`      // counts from 1 over the life of the store
	Trigger string    `json:"trigger"`  // the trigger's name
	Source  Source    `json:"source"`   // what fired it; Manual also when a motion trigger was fired by hand
	At      time.Time `json:"at"`       // the moment of the trigger, in the configured zone
	EventID string    `json:"event_id"` // the event that it started or extended; empty where there is none
	// Disposition is Queued where a mail is due, else the final Outside,
	// Extended or Silent. What became of a Queued one is told by its mail.
	Disposition Disposition `json:"disposition"`
	Reason      Reason      `json:"reason,omitempty"`   // with Silent
	HeldOff     bool        `json:"held_off,omitempty"` // with Queued: waits for the summary at the hold-off's end
	Level       float64     `json:"level,omitempty"`    // motion level at the trigger, percent of the zone
	Estimate    bool        `json:"estimate,omitempty"` // the clock was not set: At is the best that was known
	// With Queued: its trigger's own destinations and subject when it fired; empty: the
	// mail's. They are asked where the trigger is no more.
	Destinations []string `json:"destinations,omitempty"`
	Subject      string   `json:"subject,omitempty"`
}

// PrivacyBy says what switched privacy mode on.
type PrivacyBy string

const (
	ByPerson   PrivacyBy = "person"
	BySchedule PrivacyBy = "schedule"
	ByLine     PrivacyBy = "line"
)

// PrivacyMode says whether privacy mode is on: nothing is captured then and no
// trigger fires.
type PrivacyMode struct {
	On    bool      `json:"on"`
	Since time.Time `json:"since,omitzero"` // of the last change; zero: there was none
	By    PrivacyBy `json:"by,omitempty"`   // while it is on or overruled
	// Overruled says that a person switched it off while its schedule or its line
	// would have it on; that lasts until they would not.
	Overruled bool `json:"overruled,omitempty"`
	// Until is when its schedule switches it off; zero: not its schedule, or it never does.
	Until time.Time `json:"until,omitzero"`
}

// Account is a trigger's account of firings; the JSON names are the contract.
type Account struct {
	Fired         uint64            `json:"fired"`
	Mailed        uint64            `json:"mailed"`
	Summarised    uint64            `json:"summarised"`
	Queued        uint64            `json:"queued"`
	Held          uint64            `json:"held"`
	Dropped       uint64            `json:"dropped"`
	Outside       uint64            `json:"outside"`
	Extended      uint64            `json:"extended"`
	Silent        uint64            `json:"silent"`
	SilentReasons map[Reason]uint64 `json:"silent_reasons,omitempty"`
}

// Balanced reports whether the account adds up.
func (a Account) Balanced() bool {
	return a.Fired == a.Mailed+a.Summarised+a.Queued+a.Held+a.Dropped+a.Outside+a.Extended+a.Silent
}

// Plus returns the sum of two accounts.
func (a Account) Plus(b Account) Account {
	a.Fired += b.Fired
	a.Mailed += b.Mailed
	a.Summarised += b.Summarised
	a.Queued += b.Queued
	a.Held += b.Held
	a.Dropped += b.Dropped
	a.Outside += b.Outside
	a.Extended += b.Extended
	a.Silent += b.Silent
	if len(b.SilentReasons) > 0 {
		reasons := maps.Clone(a.SilentReasons)
		if reasons == nil {
			reasons = map[Reason]uint64{}
		}
		for r, n := range b.SilentReasons {
			reasons[r] += n
		}
		a.SilentReasons = reasons
	}
	return a
}

// Image is one compressed picture with the moment it shows.
type Image struct {
	At    time.Time `json:"at"`
	Level float64   `json:"level"` // motion level when it was taken, percent of the zone
	JPEG  []byte    `json:"-"`     // a whole JFIF file; never changed after it is published
	// Estimate says that the clock was not set when it was taken.
	Estimate bool `json:"estimate,omitempty"`
}
