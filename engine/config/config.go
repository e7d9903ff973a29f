// Package config is the configuration: its types, the one field table that
// every way in uses, validation, and loading and saving the YAML file with its
// comments.
//
// It is not a store of anything else, asks no network and no device, and starts
// no goroutine. It imports engine/durable and event, and libraries for YAML, IDNA,
// public suffixes and grapheme clusters.
package config

import (
	"maps"
	"time"

	"watchpost/engine/event"
)

// Config is a whole configuration without its secrets. A zero Config is not
// valid; Default gives the one that an empty file stands for.
type Config struct {
	Version   int
	Site      Site
	Camera    Camera
	SMTP      SMTP
	Mail      Mail
	Triggers  []Trigger  // at most 5
	Transfers []Transfer // at most 8
	Privacy   Privacy
	Storage   Storage
	SSH       SSH
	Serial    []Serial
}

// Site says where the box is.
type Site struct {
	Name     string
	TimeZone string // IANA name; empty: the system's zone
	Holidays []Date // at most 64
}

// Date is a day of the calendar. Year 0: that day of each year.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// Is reports whether t is on that day, in its own zone.
func (d Date) Is(t time.Time) bool {
	year, month, day := t.Date()
	return (d.Year == 0 || d.Year == year) && d.Month == month && d.Day == day
}

// Camera says where frames come from.
type Camera struct {
	Source string // v4l2:PATH, clip:FILE, clip:FILE?once, scene:, pipe:COMMAND; empty: none configured
	Width  int    // pixels
	Height int
	FPS    int
	Buffer int64         // bytes of the newest images in memory
	Absorb time.Duration // after which what stands still in an event is background
}

// SMTP is the server that mail is handed to.
type SMTP struct {
	Server   string // host name, IPv4, or IPv6 in brackets, as the installer typed it
	Port     int
	Security string // auto, starttls, tls, none
	Auth     string // auto, none, plain, login, cram-md5, scram-sha-256, xoauth2
	Username string
	CAFile   string
	Pin      string // sha256 of the server's public key, base64
}

// Mail is what the notification looks like.
type Mail struct {
	ReplyAddress string
	Destinations []string // at most 3
	Subject      string
	DSTMark      bool
	HoldOff      time.Duration // a trigger's own HoldOff overrides it
	PictureWait  time.Duration
	DigestAfter  int           // mails that may wait out an outage one by one; the older ones become one digest
	DailyBudget  int           // recipients in 24 hours; 0: as many as there are
	StateMails   bool          // camera lost, disk low, power cut …
	Heartbeat    time.Duration // between two mails that only say that all is well; 0: none
}

// Trigger is one of at most five triggers.
type Trigger struct {
	Name         string
	Source       event.Source
	Enabled      bool // off, it does not fire
	Threshold    int  // 1–9
	Sensitivity  int  // 1–9
	Zones        []Zone
	Exclude      []Zone        // parts of Zones in which nothing counts
	Every        time.Duration // timer: between two firings, counted from local midnight
	Active       []Span        // empty: always
	Pre          Extent
	Post         Extent
	Interval     time.Duration // between kept images
	Quality      int           // 1–100, of JPEG; an MJPEG camera's images pass untouched
	Full         string        // overwrite: beyond the store's bound the oldest go; keep: they stay, and no new ones are taken
	Transfer     string        // none, or a transfer's name
	Notify       bool
	HoldOff      *time.Duration // nil: mail.hold_off
	Destinations []string       // at most 3; empty: mail.destinations
	Subject      string         // empty: mail.subject
	Line         string         // external, builtin: gpiochipN:LINE or a line's name
	Edge         string         // rising, falling, both
	Debounce     time.Duration
	And          *And
}

// Zone is a rectangle in percent of the picture.
type Zone struct{ X, Y, W, H float64 }

// Span is a span of active time. To before or equal to From runs over midnight
// into the next day; From == To is the whole day.
type Span struct {
	Days     []time.Weekday // the day on which the span begins; empty, and not Holiday: every day
	Holiday  bool           // on holidays, which are no weekday
	From, To int            // minutes after midnight
}

// Extent is how much is kept before or after a trigger: images or time, one of them zero.
type Extent struct {
	Images int
	Time   time.Duration
}

// And is a second source that must fire within a time of the first.
type And struct {
	Source event.Source
	Within time.Duration
	Line   string // external, builtin: as a trigger's
}

// Privacy says when privacy mode is on by itself. Empty: by hand only.
type Privacy struct {
	Active []Span
	Line   string // an input line that switches it on while it is active
}

// Transfer is a place that images go to.
type Transfer struct {
	Name         string
	Kind         string            // ftp, sftp, http, mqtt, email
	Server       string            // ftp, sftp, mqtt: host name, IPv4, or IPv6 in brackets
	Port         int               // 0: the kind's usual one
	Security     string            // ftp, mqtt: auto, starttls (ftp: explicit TLS), tls, none
	Username     string            //
	KeyFile      string            // sftp: a private key's absolute path; empty: the password
	HostKey      string            // sftp: the server's key as SHA256:…; needed
	CAFile       string            // ftp, http, mqtt: as smtp.ca_file
	Pin          string            // as smtp.pin
	Path         string            // ftp, sftp, http: the folder, a pattern (see Pattern)
	File         string            // the file's name, a pattern
	URL          string            // http
	Method       string            // http: put, post
	Auth         string            // http: none, basic, bearer
	Headers      map[string]string // http
	Topic        string            // mqtt, a pattern
	Discovery    bool              // mqtt: tell Home Assistant
	Destinations []string          // email: empty: mail.destinations
}

// Storage bounds the event store.
type Storage struct {
	Directory string // empty: /var/lib/watchpost for root, else $XDG_STATE_HOME/watchpost
	MaxBytes  int64
	MaxAge    time.Duration
}

// SSH is the built-in SSH server. It answers once there is a key or a password.
type SSH struct {
	Listen         string // address:port, or off
	AuthorizedKeys string // the file of public keys; empty: authorized_keys beside the configuration
}

// Serial is a serial console.
type Serial struct {
	Device string
	Baud   int    // bits a second; 8 data bits, no parity, 1 stop bit
	Term   string // what TERM is for it; dumb: plain prompts
	Flow   string // none, rtscts, xonxoff
}

// Secrets are kept in a file of their own, mode 0600, and never leave the
// engine: not in JSON, not in a log, not on a screen.
type Secrets struct {
	SMTPPassword string
	// ConsolePassword is asked for on serial consoles: a hash, or what a person wrote
	// into the file (secret.Matches). Empty: nothing is asked for.
	ConsolePassword string
	SSHPassword     string            // a hash, as ConsolePassword; empty: public keys only
	Transfers       map[string]string // by the transfer's name: password, bearer token or passphrase; none is empty
}

// Equal compares two sets of secrets.
func (s Secrets) Equal(other Secrets) bool {
	return s.SMTPPassword == other.SMTPPassword && s.ConsolePassword == other.ConsolePassword && s.SSHPassword == other.SSHPassword && maps.Equal(s.Transfers, other.Transfers)
}

// Set tells by key which secrets of a configuration are set.
func (s Secrets) Set(c Config) map[string]bool {
	set := map[string]bool{}
	for _, sp := range spots(&c) {
		if p, ok := sp.at(&c, &s); ok && sp.f.Secret {
			set[sp.key] = sp.f.get(p) != ""
		}
	}
	return set
}

// Login is what is kept of a password that is only compared, by its key; of others nothing.
func (s Secrets) Login(key string) string {
	if sp, ok := find(key); ok && sp.f.Hashed {
		return sp.f.get(place{c: &Config{}, s: &s})
	}
	return ""
}

// clone copies s so deeply that nothing is shared.
func (s Secrets) clone() Secrets {
	s.Transfers = maps.Clone(s.Transfers)
	return s
}

// String keeps a Secrets out of every log and error message.
func (Secrets) String() string { return "[secrets]" }

// GoString keeps it out of %#v too.
func (Secrets) GoString() string { return "[secrets]" }

// MarshalJSON keeps it off every socket.
func (Secrets) MarshalJSON() ([]byte, error) { return []byte(`"[secrets]"`), nil }
