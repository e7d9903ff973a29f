package tui

import (
	"fmt"
	"strings"
	"testing"

	"watchpost/engine/event"
)

// longSteps is a diagnosis of a server with many addresses and a long chain that
// ends in a failure with long words.
func longSteps() []event.Step {
	steps := goodSteps()[:1]
	for i := range 6 {
		steps = append(steps, event.Step{Step: "tcp", Target: fmt.Sprintf("[2001:db8:85a3:8d3:1319:8a2e:370:%d]:587", 7340+i), OK: i == 0, MS: 30000, Text: "connection timed out",
			Verdict: "No answer from this address in 30 s", Do: "Nothing: another address works."})
	}
	steps = append(steps, goodSteps()[2:6]...)
	return append(steps, badCertificate)
}

func diagnosed(t *testing.T, w, h int, steps []event.Step, ok bool) *screen {
	s := open(t, newFake(), w, h)
	s.press("2", "d")
	for _, st := range steps {
		s.send(stepMsg{1, st})
	}
	s.send(diagnosedMsg{run: 1, ok: ok})
	return s
}

func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

// What failed and what to do stand there in full on every size, with a line of
// the step that failed, not of an address that was not needed.
func TestTheFailureIsToldInFull(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {60, 15}, {120, 40}, {200, 60}} {
		for name, steps := range map[string][]event.Step{"long": longSteps(), "short": {badCertificate}, "password": refusedSteps()} {
			s := diagnosed(t, size[0], size[1], steps, false)
			last := steps[len(steps)-1]
			text := flat(s.text())
			for _, want := range []string{last.Verdict, last.Do, "! " + last.Step} {
				if !strings.Contains(text, want) {
					t.Errorf("%s at %v: %q does not stand in\n%s", name, size, want, s.text())
				}
			}
			if n := strings.Count(text, last.Verdict); n != 1 {
				t.Errorf("%s at %v: the verdict stands there %d times\n%s", name, size, n, s.text())
			}
			if size[1] > 15 && !strings.Contains(text, flat(clean(last.Text))) {
				t.Errorf("%s at %v: the server's words are missing\n%s", name, size, s.text())
			}
		}
	}
}

// However long the verdict, what to do is seen.
func TestWhatToDoIsSeen(t *testing.T) {
	long := badCertificate
	long.Verdict = "The certificate is for other names than mail.example.net: " + strings.Repeat("mail.provider.example, ", 20)
	for _, size := range [][2]int{{80, 24}, {60, 15}} {
		if s := diagnosed(t, size[0], size[1], []event.Step{long}, false); !strings.Contains(flat(s.text()), long.Do) {
			t.Errorf("at %v\n%s", size, s.text())
		}
	}
}

// Up and down show all words of every step, one after the other, and come back to
// how it ended; each line keeps its place meanwhile.
func TestEveryWordOfAStepCanBeSeen(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {60, 15}} {
		steps := longSteps()
		s := diagnosed(t, size[0], size[1], steps, false)
		end := s.text()
		for i, st := range steps {
			s.press("down")
			text := flat(s.text())
			for _, want := range []string{st.Verdict, strings.Trim(st.Text, "[]"), st.Do, "> "} {
				if !strings.Contains(text, want) {
					t.Errorf("step %d at %v: %q does not stand in\n%s", i+1, size, want, s.text())
				}
			}
		}
		s.press("down")
		if s.text() != end {
			t.Errorf("at %v it ends with\n%s\nand began with\n%s", size, s.text(), end)
		}
		s.press("up")
		if w := s.mailPage().walk; w.chosen != len(steps) {
			t.Error("up from the end chooses", w.chosen)
		}
		s.press("home")
		if w := s.mailPage().walk; w.chosen != 1 {
			t.Error("home chooses", w.chosen)
		}
		s.press("tab")
		if !s.mailPage().focused() || s.mailPage().walk != nil {
			t.Error("tab does not go to the fields")
		}
	}
}

// An address that did not answer is no failure where another one of the server
// did, before it or after it.
func TestAnotherAddressWorks(t *testing.T) {
	steps := longSteps()
	steps = append(steps[:len(steps)-1], goodSteps()[6:]...)
	s := diagnosed(t, 80, 24, steps, true)
	if w := s.mailPage().walk; w.failed() != nil {
		t.Errorf("%+v", w.failed())
	}
	if text := s.text(); !strings.Contains(text, "ok The server takes mail for every destination.") || strings.Contains(text, "enter go to the field") {
		t.Error(text)
	}
}

// More steps than are remembered, and the choice among them.
func TestStepsAreBounded(t *testing.T) {
	var w walk
	for i := range 3 * maxSteps {
		w.add(event.Step{Step: "tcp", OK: true, MS: float64(i), Verdict: "connected"})
		if i == 10 {
			w.chosen = 11
		}
	}
	if len(w.steps) != maxSteps || w.steps[0].MS != 2*maxSteps || w.chosen != 0 {
		t.Errorf("%d steps from %v, chosen %d", len(w.steps), w.steps[0].MS, w.chosen)
	}
	if lines := w.lines(80, 17, ""); len(lines) != 17 {
		t.Errorf("%d lines", len(lines))
	}
}

// The second part of the form stands apart on a small screen and is part of the
// whole on a large one; a save with an error in it goes there.
func TestSecondPart(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {60, 15}, {120, 40}} {
		s := open(t, newFake(), size[0], size[1])
		s.press("2")
		if all := size[1] >= 40; strings.Contains(s.text(), "Heartbeat") != all {
			t.Errorf("at %v, %v\n%s", size, all, s.text())
		}
		s.edit("mail.hold_off", "2h")
		s.press("tab")
		s.edit("mail.digest_after", "5")
		s.press("ctrl+w")
		text := s.text()
		_, cursor := s.frame()
		if !strings.Contains(text, "Not saved: Hold-off") || !strings.Contains(text, ">*Hold-off") || cursor == nil {
			t.Fatalf("at %v\n%s", size, text)
		}
		if line := strings.Split(text, "\n")[cursor.Y]; !strings.HasPrefix(line, ">*Hold-off") {
			t.Errorf("at %v the cursor stands in %q", size, line)
		}
		for range "2h" {
			s.press("backspace")
		}
		s.press("'90s", "ctrl+w")
		if d := s.draft; !s.mailPage().saving || d.Raw("mail.hold_off") != "90s" || d.Raw("mail.digest_after") != "5" {
			t.Errorf("at %v: %v, %q", size, d.Changes(), s.say)
		}
	}
}

// A private server's key that the diagnosis found is offered in the field of the pin.
func TestFoundPinIsOffered(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	const pin = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	s.press("2")
	p := s.mailPage()
	p.walk = &walk{over: true, steps: []event.Step{{Step: "tls", Text: "pin " + pin + ", for CN=nas", Do: "For a private server enter its pin or CA file"}}}
	p.focusKey(s.app, fieldOf(p.walk.steps[0], nil))
	if p.focusedKey() != "smtp.pin" || !strings.Contains(s.text(), "^f: "+pin) {
		t.Fatalf("at %s:\n%s", p.focusedKey(), s.text())
	}
	s.press("ctrl+f")
	if got := s.draft.Raw("smtp.pin"); got != pin {
		t.Errorf("the pin is %q", got)
	}
}
