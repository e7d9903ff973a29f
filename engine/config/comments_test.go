package config

import (
	"strings"
	"testing"
)

// TestAFlowListKeepsItsComments takes addresses out of lists as people lay them out.
func TestAFlowListKeepsItsComments(t *testing.T) {
	const (
		lined   = "mail:\n  destinations: [\n    # by day\n    a@x.org,   # one\n    # by night\n    \"b@x.org\",   # two\n    c@x.org   # three\n  ]   # end\n  subject: x\n"
		running = "mail: {destinations: [a@x.org,   # one\n  b@x.org,   # two\n  c@x.org], subject: x}   # end\n"
		leading = "mail:\n  destinations: [ a@x.org   # one\n    , b@x.org   # two\n    , c@x.org ]   # end\n"
		short   = "mail: {destinations: [a@x.org, b@x.org, c@x.org]}   # end\n"
		pairs   = "mail:\n  destinations: [a@x.org, b@x.org,   # day\n    c@x.org,   # night\n  ]\n"
	)
	for _, c := range []struct {
		text, value, old, new string
	}{
		{lined, "[b@x.org, c@x.org]", "    a@x.org,   # one\n", ""},
		{lined, "[a@x.org, c@x.org]", "    \"b@x.org\",   # two\n", ""},
		{lined, "[a@x.org, b@x.org]", "    c@x.org   # three\n", ""},
		{lined, "[c@x.org]", "    a@x.org,   # one\n    # by night\n    \"b@x.org\",   # two\n", "    # by night\n"},
		{lined, "[z@x.org, c@x.org]", "a@x.org,   # one\n    # by night\n    \"b@x.org\",   # two\n    c@x.org   # three\n", "z@x.org,   # one\n    # by night\n    \"c@x.org\",   # two\n"},
		{lined, "", "    a@x.org,   # one\n    # by night\n    \"b@x.org\",   # two\n    c@x.org   # three\n", "    # by night\n"},
		{running, "[b@x.org, c@x.org]", "a@x.org,   # one", "   # one"},
		{running, "[a@x.org, c@x.org]", "  b@x.org,   # two\n", ""},
		{running, "[a@x.org, b@x.org]", "c@x.org", ""},
		{leading, "[b@x.org, c@x.org]", "a@x.org   # one\n    , b", "   # one\n     b"},
		{leading, "[a@x.org, c@x.org]", " b@x.org   # two\n    , c", "    # two\n     c"},
		{leading, "[a@x.org, b@x.org]", ", c@x.org", ""},
		{short, "[b@x.org, c@x.org]", "a@x.org, ", ""},
		{short, "[a@x.org, c@x.org]", "b@x.org, ", ""},
		{short, "[a@x.org, b@x.org]", ", c@x.org", ""},
		{short, "", "a@x.org, b@x.org, c@x.org", ""},
		{pairs, "[a@x.org, c@x.org]", "b@x.org,", ""},
		{pairs, "[b@x.org]", "a@x.org, b@x.org,   # day\n    c@x.org,   # night\n", "b@x.org,   # day\n"},
	} {
		f := made(t, c.text, "")
		if l, err := f.Save([]Change{{"mail.destinations", c.value}}); err != nil {
			t.Errorf("%q to %s: %v %s", c.text, c.value, err, lines(l.Findings))
			continue
		}
		if want := strings.Replace(c.text, c.old, c.new, 1); read(t, f.Path()) != want {
			t.Errorf("%s:\n%s\nwant\n%s", c.value, read(t, f.Path()), want)
		}
	}
}

// TestCommentsInsideAreNotLost: what would lose one is refused, and nothing else is.
func TestCommentsInsideAreNotLost(t *testing.T) {
	const zones = "triggers:\n- name: yard\n  # where\n  zones:\n    # the gate\n    - [0, 0, 50, 50]\n  active:   # nights\n    from: \"18:00\"   # dusk\n    to: \"06:00\"\n  # kept\n  pre: 3s\n"
	for _, c := range []struct {
		text string
		Change
		lost string // whose comments; empty: none
	}{
		{example, Change{"triggers", ""}, "triggers"},
		{example, Change{"triggers", "[{name: yard}]"}, "triggers"},
		{example, Change{"triggers.yard.active", ""}, ""},
		{zones, Change{"triggers.yard.zones", "[[1, 1, 2, 2]]"}, "zones"},
		{zones, Change{"triggers.yard.zones", "[[0.0, 0, 50, 50.0]]"}, ""},
		{zones, Change{"triggers.yard.active", "{from: \"20:00\", to: \"06:00\"}"}, "active"},
		{zones, Change{"triggers.yard.active", "{from: \"18:00\", to: \"06:00\"}"}, ""},
		{zones, Change{"triggers", "[{name: yard, zones: [[0, 0, 50, 50]], active: {from: \"18:00\", to: \"06:00\"}, pre: 3s}]"}, ""},
		{"# a\ntriggers:\n# b\n", Change{"triggers", "[{name: yard}]"}, ""},
		{"# a\ntriggers:\n- name: 'a # b'\n# c\nstorage: {max_age: 5d}\n", Change{"triggers", "[{name: yard}]"}, ""},
		{"site:\n  name: |-   # long\n    Gate # 3\n", Change{"site.name", "Gate"}, "name"},
		{"site:\n  name: |-\n    Gate # 3\n", Change{"site.name", "Gate"}, ""},
		{"serial:\n- device: /dev/ttyS0   # the modem\n", Change{"serial", "[{device: /dev/ttyS1}]"}, "serial"},
	} {
		f := made(t, strings.Replace(c.text, "'a # b'", "a", 1), "")
		text := read(t, f.Path())
		l, err := f.Save([]Change{c.Change})
		switch {
		case c.lost != "":
			if want := "comments inside " + c.lost + " would be lost: edit the file by hand"; err == nil || !strings.HasSuffix(err.Error(), want) || read(t, f.Path()) != text {
				t.Errorf("%v: %v\n%s", c.Change, err, read(t, f.Path()))
			}
		case err != nil:
			t.Errorf("%v: %v %s", c.Change, err, lines(l.Findings))
		case strings.Count(read(t, f.Path()), "# ") < strings.Count(strings.Replace(text, "Gate # 3", "", 1), "# ") && c.Key != "triggers.yard.active":
			t.Errorf("%v: a comment is gone:\n%s", c.Change, read(t, f.Path()))
		}
	}
}
