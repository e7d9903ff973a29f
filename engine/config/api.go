package config

import "errors"

// Level grades a verdict.
type Level uint8

const (
	Empty      Level = iota // nothing typed and nothing needed, or (smtp.security auto) nothing to judge: Short says what follows
	OK                      // fine
	Incomplete              // half typed: not wrong yet, but cannot be saved
	Warning                 // can be saved; the person should know
	Error                   // wrong: blocks a save
)

// Mark is the two columns before a verdict's short words: "ok", "..", "?", "!", or empty.
func (l Level) Mark() string {
	switch l {
	case OK:
		return "ok"
	case Incomplete:
		return ".."
	case Warning:
		return "?"
	case Error:
		return "!"
	}
	return ""
}

// Verdict is what there is to say of one value.
type Verdict struct {
	Level Level
	Short string // at most 20 columns, for beside the field: "host name", "incomplete"
	Text  string // the whole sentence and its cure, for the help line; empty where Short says all
	Fix   string // a value that would cure it, offered at one key; empty where there is none
}

// Finding is a verdict on a place in a configuration.
type Finding struct {
	File    string // empty for a draft
	Line    int    // 1 is the first; 0 where there is no line
	Key     string // dotted: smtp.port, triggers.yard.threshold, mail.destinations.2
	Verdict        // only Warning and Error
}

// Change sets one field. Value is text as a person types it or, for a field
// that holds a list or a map, YAML in flow style. Never log one: it may hold a secret.
type Change struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// String keeps a secret out of a log.
func (c Change) String() string {
	if f, ok := Lookup(c.Key); ok && f.Secret {
		return c.Key + "=[secret]"
	}
	return c.Key + "=" + quote(c.Value)
}

var (
	// ErrRefused says that a change does not validate; the findings say why.
	ErrRefused = errors.New("the configuration was not accepted")
	// ErrConflict says that the configuration changed since the revision a change was made on.
	ErrConflict = errors.New("the configuration was changed elsewhere in the meantime")
)

// Settings is the configuration in force, as a person may see it.
type Settings struct {
	Config   Config
	Revision string          // changes with every accepted configuration
	Secrets  map[string]bool // by key: whether the secret is set
	Path     string          // of the file; empty where there is none (demo)
	LastGood bool            // an earlier revision can be returned to
}
