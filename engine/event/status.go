package event

import (
	"fmt"
	"time"
)

// CameraState is the camera's condition; the words are the contract of `watchpost status`.
type CameraState string

const (
	CameraStarting CameraState = "starting"
	CameraOK       CameraState = "ok"
	CameraLost     CameraState = "lost"
	CameraStalled  CameraState = "stalled"
	CameraBusy     CameraState = "busy"
	CameraEnded    CameraState = "ended"
)

// Camera is what there is to say of the camera.
type Camera struct {
	State   CameraState `json:"state"`
	Source  string      `json:"source"`
	FPS     float64     `json:"fps"`     // measured over the last seconds
	Dropped uint64      `json:"dropped"` // frames that were replaced by a newer one before detection saw them
	Frames  uint64      `json:"frames"`
	Width   int         `json:"width,omitempty"`
	Height  int         `json:"height,omitempty"`
	Problem string      `json:"problem,omitempty"`
}

// TriggerState says whether a trigger is listening and, if not, why it is silent.
type TriggerState string

const (
	Armed        TriggerState = "armed"
	StateWarming TriggerState = "warming_up"
	StateOutside TriggerState = "outside"
	StateHeldOff TriggerState = "held_off"
	StatePrivacy TriggerState = "privacy"
	StateOff     TriggerState = "off"
	StateStuck   TriggerState = "stuck"
	Unavailable  TriggerState = "unavailable"
)

// Trigger is a trigger's state with its account.
type Trigger struct {
	Name   string       `json:"name"`
	Source Source       `json:"source"`
	State  TriggerState `json:"state"`
	Until  time.Time    `json:"until,omitzero"` // when State is going to change, where that is known
	Why    string       `json:"why,omitempty"`  // with unavailable and stuck: a sentence
	Level  float64      `json:"level"`          // motion level now, percent of the zone
	Fires  float64      `json:"fires"`          // the level at which it fires: the threshold, percent of the zone
	Last   time.Time    `json:"last,omitzero"`  // last firing
	Account
}

// Queue counts mails by state.
type Queue struct {
	Queued    int    `json:"queued"`
	Deferred  int    `json:"deferred"`
	Held      int    `json:"held"`
	Delivered uint64 `json:"delivered"` // since the store was made
	Problem   string `json:"problem,omitempty"`
}

// Count counts one that waits.
func (q *Queue) Count(m Mail) {
	switch m.QueueState() {
	case "queued":
		q.Queued++
	case "deferred":
		q.Deferred++
	case "held":
		q.Held++
	}
}

// Place is how a transfer's place does: what waits for it, and what came of it last.
type Place struct {
	Name    string    `json:"name"`
	Waiting int       `json:"waiting"`           // events of which images are still to be handed over
	Held    int       `json:"held"`              // events that wait for a person
	Since   time.Time `json:"since,omitzero"`    // since when the oldest of both waits
	Last    time.Time `json:"last,omitzero"`     // of the last outcome; zero: none is known
	OK      bool      `json:"ok"`                // that was: something was handed over
	Problem string    `json:"problem,omitempty"` // why they wait, of the newest that tells
	NextTry time.Time `json:"next_try,omitzero"`
}

// Way is a way into the interface from elsewhere, such as a serial console.
type Way struct {
	Kind    string `json:"kind"`              // serial
	Name    string `json:"name"`              // its device
	How     string `json:"how,omitempty"`     // its settings, in short
	State   string `json:"state"`             // ready, in use, absent, taken, failed
	Problem string `json:"problem,omitempty"` // why it is not ready and what to do: a sentence
	Quiet   bool   `json:"quiet,omitempty"`   // that is nothing to be told of beyond here: a port that was unplugged
}

// ClockFloor is a moment before which a clock is taken as not set: this program
// did not exist then.
var ClockFloor = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Clock is the box's clock and zone.
type Clock struct {
	Time time.Time `json:"time"`
	Zone string    `json:"zone"`
	Set  bool      `json:"set"` // false: it shows a time before this program was built
}

// Storage is the event store's size against its bound, in bytes.
type Storage struct {
	Directory string `json:"directory"`
	Events    int    `json:"events"`
	Bytes     int64  `json:"bytes"`
	MaxBytes  int64  `json:"max_bytes"`
	FreeBytes int64  `json:"free_bytes"`
	Low       bool   `json:"low"` // so little is free that new images are not kept
}

// Buffer is the image buffer: the newest images in memory.
type Buffer struct {
	Images   int     `json:"images"`
	Bytes    int     `json:"bytes"`
	MaxBytes int64   `json:"max_bytes"`
	Fit      int     `json:"fit"`     // about how many images like those it holds; 0 where there are none yet
	Seconds  float64 `json:"seconds"` // about how far back it reaches when it is full
}

// Status is the state of everything: what `watchpost status --json` prints.
type Status struct {
	State     string      `json:"state"` // armed, privacy, setup
	Site      string      `json:"site,omitempty"`
	Version   string      `json:"version"`
	Mode      string      `json:"mode"`               // service, terminal, demo
	Demo      string      `json:"demo,omitempty"`     // in demo mode: what stands in for what
	Inbox     []string    `json:"inbox,omitempty"`    // in demo mode: a line for each mail that arrived, newest last
	Revision  string      `json:"revision"`           // of the configuration
	Privacy   PrivacyMode `json:"privacy"`            //
	Camera    Camera      `json:"camera"`             //
	Triggers  []Trigger   `json:"triggers"`           //
	Queue     Queue       `json:"queue"`              // of mails
	Transfers Queue       `json:"transfers"`          // of events whose images go to other places; delivered since the program was started
	Places    []Place     `json:"places"`             // of each transfer that is configured, or that events wait for
	Clock     Clock       `json:"clock"`              //
	Buffer    Buffer      `json:"buffer"`             //
	Storage   Storage     `json:"storage"`            //
	Ways      []Way       `json:"ways,omitempty"`     // the ways in beside the local terminal
	Problems  []string    `json:"problems"`           // sentences: what happened, why, what to do
	Findings  []string    `json:"findings,omitempty"` // lines of a configuration that was not accepted, as `check` prints them
}

// Snapshot is what a subscriber gets first: the present state and the newest history.
type Snapshot struct {
	Status  Status   `json:"status"`
	Firings []Firing `json:"firings"` // newest last, at most 50
	Mails   []Mail   `json:"mails"`   // newest last, at most 50, delivered ones too
}

// Event is one change after a Snapshot. Exactly one pointer is set, or Lost.
type Event struct {
	Status *Status   `json:"status,omitempty"` // the whole state anew; at most four a second
	Firing *Firing   `json:"firing,omitempty"` // a firing was accepted
	Mail   *Mail     `json:"mail,omitempty"`   // a mail's state changed
	Step   *MailStep `json:"step,omitempty"`   // a delivery attempt went a step on
	Sent   *MailSent `json:"sent,omitempty"`   // so much of a mail was handed to the server
	Lost   int       `json:"lost,omitempty"`   // so many older events were dropped because the subscriber was slow
}

// MailSent is the progress of one mail's transmission, in bytes of the mail.
type MailSent struct {
	Mail string `json:"mail"`
	Sent int64  `json:"sent"`
	Of   int64  `json:"of"`
}

// MailStep is a step of the delivery of one mail.
type MailStep struct {
	Mail string `json:"mail"`
	Step Step   `json:"step"`
}

// View is one frame as motion detection sees it: the means of blocks of Scale x Scale
// pixels, row by row.
type View struct {
	Seq           uint64    `json:"seq"`
	At            time.Time `json:"at"`
	Width         int       `json:"width"` // blocks
	Height        int       `json:"height"`
	Scale         int       `json:"scale"`
	PictureWidth  int       `json:"picture_width"` // pixels
	PictureHeight int       `json:"picture_height"`
	Luma          []byte    `json:"luma"`              // Width*Height, shared by all who look: never changed
	Unknown       []byte    `json:"unknown,omitempty"` // 1: the block could not be read; empty: all could
	// Blue and Red are the picture's colours (Cb, Cr; 128 is none), means of larger blocks,
	// ColourWidth*ColourHeight of them; empty: the camera has none at hand.
	ColourWidth  int    `json:"colour_width,omitempty"`
	ColourHeight int    `json:"colour_height,omitempty"`
	Blue         []byte `json:"blue,omitempty"`
	Red          []byte `json:"red,omitempty"`
	Seen         []Seen `json:"seen"`
}

// Seen is what one trigger sees in a View.
type Seen struct {
	Trigger string  `json:"trigger"`
	Second  bool    `json:"second,omitempty"` // as the other source of its AND
	Active  bool    `json:"active"`           // an event is going on
	Level   float64 `json:"level"`            // percent of the zone that moves
	Fires   float64 `json:"fires"`            // the level at which it fires: its threshold
	Box     [4]int  `json:"box"`              // x, y, width, height of what moves, pixels of the picture
	Moving  []byte  `json:"moving,omitempty"` // 1: the block moves; empty: nothing is compared yet
}

// Stored is an event as the store keeps it (event.json).
type Stored struct {
	ID      string        `json:"id"`
	Trigger string        `json:"trigger"`
	Source  Source        `json:"source"`
	Start   time.Time     `json:"start"`
	End     time.Time     `json:"end,omitzero"` // zero while it runs
	Firings int           `json:"firings"`      // the first and those that extended it
	Peak    float64       `json:"peak,omitempty"`
	Images  []StoredImage `json:"images"`
	Missing []string      `json:"missing,omitempty"` // what is not there, with its reason
	// Transfer is the name of the transfer that its images go out by; empty: none.
	Transfer string `json:"transfer,omitempty"`
	// Keep says that its images are never removed to make room for newer ones.
	Keep bool `json:"keep,omitempty"`
	// Unset is there while Start is an estimate, as the clock was not set.
	Unset *Unset `json:"clock_unset,omitempty"`
	// Corrected says that Start was an estimate, and by how much: it was later than it
	// was taken for. The id and the names of the images keep the estimate.
	Corrected Span `json:"clock_corrected,omitempty"`
}

// AboutClock says what a reader must know of the event's times; mostly nothing.
func (e Stored) AboutClock() string {
	switch by := time.Duration(e.Corrected).Round(time.Second); {
	case e.Unset != nil:
		return "the clock was not set then; the times are estimates"
	case e.Corrected > 0:
		return fmt.Sprintf("the clock was set later and the times were moved on by %v; names keep the estimate", by)
	case e.Corrected < 0:
		return fmt.Sprintf("the clock was set later and the times were moved back by %v; names keep the estimate", -by)
	}
	return ""
}

// NamedStart is the moment in names of the event: its start, as it was taken for first.
func (e Stored) NamedStart() time.Time { return e.Start.Add(-time.Duration(e.Corrected)) }

// NamedAt is the moment in names of an image, here and at other places: a correction
// does not give it a second name.
func (e Stored) NamedAt(im StoredImage) time.Time {
	if im.Corrected {
		return im.At.Add(-time.Duration(e.Corrected))
	}
	return im.At
}

// Unset is what the true times of an event are found by once the clock is set.
type Unset struct {
	Boot string `json:"boot"`          // the start of the box in which it began
	Up   Span   `json:"up"`            // when it began, since that start
	End  bool   `json:"end,omitempty"` // its end is an estimate too, and while it goes on what comes
}

// Span is a duration that reads as 1h2m3.5s in a file.
type Span time.Duration

func (s Span) String() string               { return time.Duration(s).String() }
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
func (s *Span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	*s = Span(d)
	return err
}

// Filter chooses stored events. What is zero chooses all.
type Filter struct {
	ID      string    `json:"id,omitempty"`      // that one, if the rest chooses it
	Trigger string    `json:"trigger,omitempty"` // of the trigger of that name
	From    time.Time `json:"from,omitzero"`     // that began then or later
	To      time.Time `json:"to,omitzero"`       // that began before
	Before  string    `json:"before,omitempty"`  // an event's id: only older ones, for the next page
	N       int       `json:"n,omitempty"`       // at most so many
}

// Kept is what the store holds of the events that a Filter chooses.
type Kept struct {
	Events  int   `json:"events"`
	Images  int   `json:"images"`
	Bytes   int64 `json:"bytes"`
	Waiting int   `json:"waiting,omitempty"` // events of which images are still to be transferred
}

// ZipFiles is how many files a zip of events may have: a zip's directory is held in
// memory until its end, and this is what every reader of zips understands.
const ZipFiles = 65535

// StoredImage is one image file of a stored event.
type StoredImage struct {
	File  string    `json:"file"`
	At    time.Time `json:"at"`
	Level float64   `json:"level"`
	Bytes int       `json:"bytes"`
	// Estimate says that the clock was not set when it was taken.
	Estimate bool `json:"estimate,omitempty"`
	// Corrected says that At was an estimate, and was moved by the event's Corrected.
	Corrected bool `json:"clock_corrected,omitempty"`
}
