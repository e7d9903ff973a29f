package tui

import (
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

// What goes over the line, to which terminal, and how much.

// A vt100 gets ASCII, no colour, and nothing that it does not know.
func TestVT100(t *testing.T) {
	f := newFake()
	f.snap.Status.Site = "Tor – Süd"
	c := start(t, f, "TERM=vt100", 80, 24)
	c.sees("Tor - S?d", "Last results")
	c.mail()
	c.typed("\t\x1b[Cx")
	c.sees("2 Mail*")
	c.settled()
	c.mu.Lock()
	defer c.mu.Unlock()
	raw := c.raw.String()
	for _, never := range []string{"\x1b[>", "\x1b[<", "\x1b[=", "\x1b[?1049", "\x1b[?2004", "\x1b[?20", "\x1b[?5W", "\x1b]", "\x1bP", "\x1b[3", "\x1b[9", "\x1b[38"} {
		if i := strings.Index(raw, never); i >= 0 && !isCursor(raw[i:]) {
			t.Errorf("%q was sent: %q", never, raw[i:min(len(raw), i+20)])
		}
	}
	for i := range len(raw) {
		if raw[i] >= 0x7f {
			t.Fatalf("byte %#x was sent", raw[i])
		}
	}
}

// isCursor reports whether a sequence is a cursor position: CSI 3 ; 9 H.
func isCursor(s string) bool {
	end := strings.IndexAny(s[2:], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz@`")
	return end >= 0 && s[2+end] != 'm' && s[2] != '?' && s[2] != '>'
}

// What the line carries. The limits are those of the interface's design.
func TestBytes(t *testing.T) {
	for _, env := range []string{xterm, "TERM=tmux-256color LANG=C.UTF-8", "TERM=linux", "TERM=vt220"} {
		f := newFake()
		c := start(t, f, env, 80, 24)
		c.sees("Last results", "held 1/2")
		first := c.settled()
		c.typed("2")
		c.sees("[2 Mail]")
		page := c.settled()
		c.typed("\t\t\t\t\t\x1b[F")
		c.sees("> User name")
		c.settled()
		c.typed("x")
		c.sees("netx")
		c.settled() // the first change marks the field and the tab
		c.typed("y")
		c.sees("netxy")
		key := c.settled()
		c.typed("\r\r\r\r\r\r\x1b[F")
		c.sees("> Subject")
		c.settled()
		c.typed("x")
		c.sees("19/44")
		c.settled()
		c.typed("y")
		c.sees("20/44")
		follow := c.settled()
		c.typed("\x071")
		c.sees("[1 Status]")
		c.settled()
		// Half a minute of a still box whose figures tremble, faster than in truth.
		for i := range 60 {
			s := f.snap.Status
			s.Camera.FPS, s.Camera.Frames = 14.9+float64(i%3)/10, uint64(i)
			s.Clock.Time = noon
			s.Triggers = append([]event.Trigger(nil), s.Triggers...)
			s.Triggers[0].Level = 0.001 * float64(i%5)
			f.feed <- event.Event{Status: &s}
			time.Sleep(20 * time.Millisecond) // a frame for each
		}
		idle := c.settled()
		t.Logf("%-30s first screen %4d B, page %4d B, key %2d B, key in subject %3d B, idle half minute %d B", env, first, page, key, follow, idle)
		for _, x := range []struct {
			what     string
			got, max int64
		}{{"first screen", first, 1800}, {"page switch", page, 1800}, {"key", key, 24}, {"key with followers", follow, 120}, {"idle", idle, 300}} {
			if x.got > x.max {
				t.Errorf("%s: %s takes %d bytes, %d at most", env, x.what, x.got, x.max)
			}
		}
	}
}
