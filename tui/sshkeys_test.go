package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

func TestSSHKeysAreChanged(t *testing.T) {
	f := keysFake()
	f.sshKeys.Keys = nil
	s := open(t, f, 80, 24)
	s.press("7")
	s.carry(s.press("s"))
	s.sees("No key may log in yet", ":2222", "SHA256:fV93")
	s.press("x")
	s.sees("There is no key yet")
	s.press("a")
	s.send(tea.PasteMsg{Content: "rubbish\n"})
	s.sees("this is no public key")
	s.press("ctrl+k")
	s.send(tea.PasteMsg{Content: "ssh-ed25519 AAAA anna@laptop\n"})
	s.sees("Let in anna@laptop")
	s.carry(s.press("o"))
	if len(f.sshKeys.Keys) != 1 || !f.sshKeys.Keys[0].Operator {
		t.Fatalf("%+v", f.sshKeys.Keys)
	}
	s.sees("operator SHA256:newOne")
	s.press("o")
	s.sees("an installer's, who may do everything?")
	s.carry(s.press("y"))
	if f.sshKeys.Keys[0].Operator {
		t.Error("it is an operator's still")
	}
	s.press("x")
	s.sees("It is the last one")
	s.press("n")
	if len(f.sshKeys.Keys) != 1 {
		t.Error("removed with a no")
	}
	s.press("x")
	s.carry(s.press("y"))
	s.sees("No key may log in yet")
	// Typed, as a line without bracketed paste brings it.
	s.press("a", "'ssh-ed25519 "+strings.Repeat("A", 1000)+" rsa@old", "enter")
	s.carry(s.press("i"))
	s.sees("installer SHA256:newOne", "rsa@old")
	s.press("esc", "tab")
	s.sees("> Site")
}

// Whatever an operator presses, nothing is changed, and what he may do he can.
func TestOperatorChangesNothing(t *testing.T) {
	for _, page := range []string{"1", "2", "3", "4", "5", "6", "7"} {
		for _, k := range []string{"t", "d", "w", "P", "a", "A", "c", "x", "X", "J", "K", "o", "s", "u", "ctrl+t", "ctrl+d", "ctrl+w"} {
			f := keysFake()
			s := open(t, f, 80, 24)
			s.rights.Operator, s.keys = true, nil
			s.press(page)
			before := len(f.calls)
			s.press(k)
			if s.qu != nil {
				t.Errorf("page %s, %s: asked %q", page, k, s.qu.text)
			}
			for _, c := range f.calls[before:] {
				t.Errorf("page %s, %s: called %s", page, k, c)
			}
			if s.draft.Changed("") {
				t.Errorf("page %s, %s: changed the draft", page, k)
			}
		}
	}
	s := open(t, newFake(), 80, 24)
	s.rights.Operator = true
	s.press("2", "tab", "'x", "backspace", "ctrl+k")
	s.send(tea.PasteMsg{Content: "other.example.net"})
	if s.draft.Changed("") {
		t.Error("typed into a field")
	}
	s.sees(operatorText[:30])
	s.press("tab", "esc", "1", "f")
	if s.qu == nil && s.say == operatorText {
		t.Error("an operator may not fire")
	}
}

// What runs a command is set at the box only, and the field says so.
func TestNoCommandFromElsewhere(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("4")
	s.set("camera.source", "pipe:ffmpeg -i x")
	s.sees("not from here", "is set at the box only")
	s.press("esc", "7")
	s.set("ssh.authorized_keys", "/root/.ssh/authorized_keys")
	s.sees("not from here")
	s.rights.Commands = true
	if text := s.text(); strings.Contains(text, "not from here") {
		t.Errorf("refused at the box:\n%s", text)
	}
}
