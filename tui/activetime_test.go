package tui

import (
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
)

// active opens the week of yard with that active time saved.
func active(t *testing.T, raw string, w, h int) *screen {
	f := newFake()
	c, _, findings := config.PatchFor(f.settings.Config, f.secrets, []config.Change{
		{Key: "triggers.yard.active", Value: raw}, {Key: "site.holidays", Value: "[2026-11-25, 12-25]"}})
	for _, x := range findings {
		if x.Level == config.Error {
			t.Fatal(x)
		}
	}
	f.settings.Config = c
	s := open(t, f, w, h)
	s.field("triggers.yard.active")
	s.press("enter")
	return s
}

func TestActiveTimeIsEdited(t *testing.T) {
	const night = `{days: [mon, tue], from: "18:00", to: "06:00"}`
	for _, c := range []struct{ from, keys, want, say string }{
		{"", "a", `{from: "18:00", to: "06:00"}`, ""},
		{"", "x", "", "a adds a span"},
		{night, "space", `{days: [tue], from: "18:00", to: "06:00"}`, ""},
		{night, "space space", night, ""},
		{night, "right space", `{days: [mon], from: "18:00", to: "06:00"}`, ""},
		{night, "space right space", `{days: [tue], from: "18:00", to: "06:00"}`, "A span needs a day"},
		{night, "right right right right right right right space", `{days: [mon, tue, holiday], from: "18:00", to: "06:00"}`, ""},
		{`{days: [mon, tue, wed, thu, fri, sat, sun], from: "18:00", to: "06:00"}`, "right right right right right right right space", `{from: "18:00", to: "06:00"}`, ""},
		{night, "1930", `{days: [mon, tue], from: "19:30", to: "06:00"}`, ""},
		{night, "19:300715", `{days: [mon, tue], from: "19:30", to: "07:15"}`, ""},
		{night, "end 24", `{days: [mon, tue], from: "18:00", to: "24:00"}`, ""},
		{night, "end 25", `{days: [mon, tue], from: "18:00", to: "20:00"}`, "24:00 at the latest"},
		{night, "end left 24", `{days: [mon, tue], from: "20:00", to: "06:00"}`, "00:00 to 23:59"},
		{night, "end 247", `{days: [mon, tue], from: "18:00", to: "24:00"}`, "Minutes run"},
		{night, "end 243", `{days: [mon, tue], from: "18:00", to: "24:00"}`, "end of the day"},
		{night, "end 0 backspace 1", `{days: [mon, tue], from: "18:00", to: "16:00"}`, ""},
		{night, "9", night, "00:00 to 23:59"},
		{night, "a", "[" + night + ", " + night + "]", ""},
		{night, "a space end 0700 x", night, ""},
		{night, "x", "", ""},
		{night, "z", night, "Space switches a day"},
	} {
		s := active(t, c.from, 80, 24)
		for _, k := range strings.Fields(c.keys) {
			if len(k) > 1 && strings.Trim(k, "0123456789:") == "" {
				k = "'" + k
			}
			s.press(k)
		}
		if got := s.draft.Raw("triggers.yard.active"); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.from, c.keys, got, c.want)
		}
		if !strings.Contains(s.say, c.say) || c.say == "" && s.say != "" {
			t.Errorf("%s: says %q", c.keys, s.say)
		}
		if v := s.draft.Verdict("triggers.yard.active"); v.Blocks() {
			t.Errorf("%s: %+v", c.keys, v)
		}
		for range 12 {
			s.press("ctrl+u")
		}
		if s.unsaved() != 0 {
			t.Errorf("%s, undone: %s", c.keys, s.draft.Raw("triggers.yard.active"))
		}
	}
}

// A time that is typed is one step of undo.
func TestUndoOfATime(t *testing.T) {
	s := active(t, `{from: "18:00", to: "06:00"}`, 80, 24)
	s.press("space", "'1930", "ctrl+u")
	if got := s.draft.Raw("triggers.yard.active"); got != `{days: [tue, wed, thu, fri, sat, sun, holiday], from: "18:00", to: "06:00"}` {
		t.Error(got)
	}
	s.press("esc", "esc", "u")
	if s.unsaved() != 0 || !strings.Contains(s.say, "yard: ") {
		t.Error(s.say, s.draft.Changes())
	}
}

func TestWeekAtAGlance(t *testing.T) {
	s := active(t, `[{days: [mon, tue, wed, thu, fri], from: "18:15", to: "06:00"}, {days: [holiday], from: "00:00", to: "12:00"}]`, 80, 24)
	s.sees("active now, until Tue 06:00",
		"Mon 23 Nov ....................................+###########",
		"Tue 24 Nov ############........................+###########",
		"Wed 25 Nov h ########################........................",
		"Thu 26 Nov ....................................+###########",
		"Sat 28 Nov ############....................................",
		"Sun 29 Nov ................................................")
	s = active(t, `{days: [mon], from: "18:15", to: "06:00"}`, 60, 24)
	s.sees("Mon 23 Nov ..................+#####", "Tue 24 Nov ######..................")
}

func TestActiveNow(t *testing.T) {
	past := []config.Date{{Year: 2025, Month: 12, Day: 25}}
	for _, c := range []struct {
		spans []config.Span
		want  string
	}{
		{nil, "active now, always"},
		{[]config.Span{{From: 20 * 60, To: 22 * 60}}, "active now, until 22:00"},
		{[]config.Span{{From: 22 * 60, To: 23 * 60}}, "not active now, next 22:00"},
		{[]config.Span{{Days: []time.Weekday{0}, From: 60, To: 120}}, "not active now, next Sun 01:00"},
		{[]config.Span{{Holiday: true, To: wholeDay}}, "never active: its days do not come"},
	} {
		if got := activeNow(c.spans, past, noon); got != c.want {
			t.Errorf("%v: %s, want %s", c.spans, got, c.want)
		}
	}
}

func TestSpansText(t *testing.T) {
	for raw, want := range map[string]string{
		"": "always",
		`{days: [mon, tue, wed, thu, fri], from: "18:00", to: "06:00"}`:                       "Mon-Fri 18:00-06:00",
		`{days: [sat, sun, holiday]}`:                                                         "Sat Sun holidays whole day",
		`[{days: [mon, wed, fri], from: "08:00", to: "12:00"}, {from: "22:00", to: "23:30"}]`: "Mon Wed Fri 08:00-12:00; 22:00-23:30",
		`{days: [holiday], from: "07:00", to: "07:00"}`:                                       "holidays whole day",
	} {
		s := active(t, raw, 80, 24)
		if got := spansText(s.activeOf("triggers.yard.active")); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

// Many spans scroll; the one under the cursor and its cell are in view.
func TestManySpans(t *testing.T) {
	for _, h := range []int{15, 24, 40} {
		s := active(t, "", 80, h)
		for range maxSpans + 1 {
			s.press("a")
		}
		if !strings.Contains(s.say, "no more can be added") {
			t.Error(s.say)
		}
		for i := range maxSpans {
			s.press("down")
			content, cursor := s.frame()
			if cursor == nil || cursor.Y >= h-3 || strings.Count(content, "\n") >= h {
				t.Fatalf("%d lines, span %d: cursor %v", h, i, cursor)
			}
		}
	}
}
