package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"watchpost/engine/event"
	"watchpost/tui/term"
)

// What a terminal cannot show is not drawn: no colours without them, none of 256 on
// sixteen, no half blocks without UTF-8.
func TestPaints(t *testing.T) {
	for _, c := range []struct {
		env  string
		want []paint
	}{
		{"TERM=vt100 LANG=C.UTF-8", []paint{inASCII}},
		{"TERM=xterm-256color LANG=C", []paint{inASCII}},
		{"TERM=xterm-256color NO_COLOR=1 LANG=C.UTF-8", []paint{inASCII}},
		{"TERM=linux LANG=C.UTF-8", []paint{inASCII, in16}},
		{"TERM=screen LANG=C.UTF-8", []paint{inASCII, in16}},
		{"TERM=tmux-256color LANG=C.UTF-8", []paint{inASCII, inGreys, in256}},
		{"TERM=xterm-256color COLORTERM=truecolor LANG=C.UTF-8", []paint{inASCII, inGreys, in256, inMillions}},
	} {
		if got := paintsOf(term.Of(strings.Fields(c.env))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.env, got, c.want)
		}
	}
	v, grey := viewOf(1, 30), viewOf(1, 30)
	grey.Blue, grey.Red = nil, nil
	for how, has := range map[paint]string{inASCII: "", in16: "\x1b[3", inGreys: "38;5;2", in256: "38;5;", inMillions: "38;2;"} {
		var p picture
		got := strings.Join(p.draw(v, 76, 16, how, func(p *picture, _ event.View) []byte { return make([]byte, p.cols*p.rows) }), "")
		if !strings.Contains(got, has) || (how != inASCII) != strings.Contains(got, "▀") || how == in16 && (strings.Contains(got, "38;5") || strings.Contains(got, "38;2")) || how == in256 && strings.Contains(got, "38;2") {
			t.Errorf("paint %d: %.200q", how, got)
		}
		want := how
		if how == in16 {
			want = inASCII
		} else if how != inASCII {
			want = inGreys
		}
		l, a := &live{view: grey}, &app{paints: []paint{how}}
		if l.paint(a) != want {
			t.Errorf("paint %d of a grey camera is %d", how, l.paint(a))
		}
	}
}

// Colours are those of the camera.
func TestPictureColours(t *testing.T) {
	for _, c := range []struct {
		blue, red byte
		want      string // red, green, blue of the left half, which is dark red, blue, green, grey
	}{{110, 200, "red"}, {200, 110, "blue"}, {90, 90, "green"}, {128, 128, "grey"}} {
		v := viewOf(1, -1)
		for i := range v.Luma {
			v.Luma[i] = byte(60 + i%v.Width)
		}
		for i := range v.Blue {
			v.Blue[i], v.Red[i] = c.blue, c.red
		}
		var p picture
		p.draw(v, 76, 16, inMillions, moves)
		var r, g, b int
		if _, err := fmt.Sscanf(p.hues.of(inMillions, 0, 16), "8;2;%d;%d;%d", &r, &g, &b); err != nil {
			t.Fatal(err)
		}
		got := "grey"
		switch {
		case r > g+20 && r > b+20:
			got = "red"
		case b > r+20 && b > g+20:
			got = "blue"
		case g > r+20 && g > b+20:
			got = "green"
		}
		if got != c.want {
			t.Errorf("Cb %d, Cr %d: %d %d %d, %s", c.blue, c.red, r, g, b, got)
		}
	}
}
