package tui

import tea "charm.land/bubbletea/v2"

// question is asked in the message line and takes every key until it is answered.
type question struct {
	text    string
	options []option
}

// option is one answer: a key, what it says, and what it does. No is the answer
// of Esc, too.
type option struct {
	key, label string
	do         func() tea.Cmd // nil: nothing
}

// yesNo asks for a yes.
func yesNo(text, yes, no string, do func() tea.Cmd) *question {
	return &question{text, []option{{"y", yes, do}, {"n", no, nil}}}
}

// answer returns the option that a key chooses; Esc chooses the last one.
func (q *question) answer(name string) (option, bool) {
	for _, o := range q.options {
		if name == o.key {
			return o, true
		}
	}
	switch name {
	case "esc", "ctrl+g", "ctrl+c":
		return q.options[len(q.options)-1], true
	}
	return option{}, false
}
