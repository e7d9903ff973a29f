package tui

import "charm.land/bubbles/v2/key"

func bind(help, what string, names ...string) key.Binding {
	return key.NewBinding(key.WithKeys(names...), key.WithHelp(help, what))
}

// The keys. None is ctrl+a, ctrl+b, ctrl+q or ctrl+s, which minicom, screen,
// tmux and flow control eat, and what needs Esc or a function key has a second
// key. The plain ones act while no field is focused, those with ctrl always.
var keys = struct {
	Test, Diagnose, Save, Undo, Help, Quit      key.Binding
	Next, Prev, Enter, Leave, Fix, Redraw       key.Binding
	Up, Down, PageUp, PageDown, First, Last     key.Binding
	FieldTest, FieldDiagnose, FieldSave         key.Binding
	FieldUndo, FieldHelp, FieldQuit, Empty      key.Binding
	Fire, Add, Retry, Drop, Good                key.Binding
	NextHeld, RetryHeld                         key.Binding
	Pages, FieldPages                           key.Binding
	Privacy                                     key.Binding
	Edit, AddTrigger, AddTransfer, Copy, Delete key.Binding
	MoveUp, MoveDown, Move, FireThis, Switch    key.Binding
	Filter, Export, ExportAll                   key.Binding
	Remove, RemoveAll                           key.Binding
	Details                                     key.Binding
	Live, LiveEnd, LiveNew, Walk, Mute          key.Binding
	Zones, Corner, AddZone, InOut, NextTrigger  key.Binding
	SSHKeys, AddKey, RemoveKey, Role            key.Binding
}{
	Test:     bind("t", "test mail", "t", "ctrl+t"),
	Diagnose: bind("d", "diagnose", "d", "ctrl+d"),
	Save:     bind("w", "save", "w", "ctrl+w"),
	Undo:     bind("u", "undo", "u", "ctrl+u"),
	Help:     bind("?", "help", "?", "f1"),
	Quit:     bind("q", "leave", "q", "ctrl+c"),
	Privacy:  bind("P", "privacy", "P"),
	Pages:    bind("1-7", "page", "1", "2", "3", "4", "5", "6", "7", "alt+1", "alt+2", "alt+3", "alt+4", "alt+5", "alt+6", "alt+7"),

	FieldTest:     bind("^t", "test mail", "ctrl+t"),
	FieldDiagnose: bind("^d", "diagnose", "ctrl+d"),
	FieldSave:     bind("^w", "save", "ctrl+w"),
	FieldUndo:     bind("^u", "undo", "ctrl+u"),
	Empty:         bind("^k", "empty", "ctrl+k"),
	FieldHelp:     bind("F1", "help", "f1"),
	FieldQuit:     bind("^c", "leave", "ctrl+c"),
	FieldPages:    bind("alt+1-7", "page", "alt+1", "alt+2", "alt+3", "alt+4", "alt+5", "alt+6", "alt+7"),

	Next:  bind("tab", "next field", "tab", "down"),
	Prev:  bind("shift+tab", "field before", "shift+tab", "up"),
	Enter: bind("enter", "enter", "enter", "ctrl+j"),
	Leave: bind("esc", "done", "esc", "ctrl+g"),
	// ^f as in fix: no flow control, no escape key of a terminal program or a
	// console server (minicom and screen ^a, tmux ^b, conserver ^e, telnet ^]).
	Fix:    bind("^f", "take the offer", "ctrl+f"),
	Redraw: bind("^l", "draw anew", "ctrl+l"),

	Up:       bind("up", "up", "up", "k", "shift+tab"),
	Down:     bind("down", "down", "down", "j", "tab"),
	PageUp:   bind("pgup", "page up", "pgup"),
	PageDown: bind("pgdn", "page down", "pgdown"),
	First:    bind("home", "first", "home"),
	Last:     bind("end", "last", "end"),

	Fire:      bind("f", "fire a trigger", "f"),
	Add:       bind("a", "add a motion trigger", "a"),
	Retry:     bind("r", "retry", "r"),
	Drop:      bind("x", "drop", "x"),
	NextHeld:  bind("h", "next held", "h"),
	RetryHeld: bind("R", "all held", "R"),
	// A move or an addition that is saved at once is a capital or asks first.
	Edit:        bind("enter", "edit", "enter", "ctrl+j"),
	AddTrigger:  bind("a", "add", "a"),
	AddTransfer: bind("A", "transfer", "A"),
	Copy:        bind("c", "copy", "c"),
	Delete:      bind("x", "delete", "x"),
	MoveUp:      bind("K", "up", "K"),
	MoveDown:    bind("J", "down", "J"),
	Move:        bind("J/K", "move", "J", "K"),
	FireThis:    bind("f", "fire", "f"),
	Switch:      bind("o", "on/off", "o"),
	Filter:      bind("f", "filter", "f", "/"),
	Export:      bind("e", "export", "e"),
	ExportAll:   bind("E", "export all shown", "E"),
	Remove:      bind("x", "remove", "x"),
	RemoveAll:   bind("X", "remove all shown", "X"),
	Details:     bind("i", "details", "i"),
	Live:        bind("v", "live view", "v"),
	LiveEnd:     bind("v", "end live view", "v", "esc", "ctrl+g"),
	LiveNew:     bind("space", "new picture", "space"),
	Walk:        bind("b", "walk test", "b"),
	Mute:        bind("m", "mute the bell", "m"),
	Zones:       bind("z", "zones", "z"),
	Corner:      bind("space", "other corner", "space"),
	AddZone:     bind("a", "add", "a"),
	InOut:       bind("i", "counts or not", "i"),
	NextTrigger: bind("n", "next trigger", "n"),
	SSHKeys:     bind("s", "SSH keys", "s"),
	AddKey:      bind("a", "add", "a"),
	RemoveKey:   bind("x", "remove", "x"),
	Role:        bind("o", "operator or installer", "o"),
	Good:        bind("r", "last good settings", "r"),
}
