package mjpeg

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"watchpost/engine/frame"
)

// known counts the blocks that are known, and of these the wrong ones.
func known(p *frame.Plane, want []byte) (n, wrong int) {
	for i, v := range p.Pix {
		if len(p.Unknown) > 0 && p.Unknown[i] != 0 {
			continue
		}
		if n++; v != want[i] {
			wrong++
		}
	}
	return n, wrong
}

// TestCutShort: at every length what was read is right, and no less the longer it is.
func TestCutShort(t *testing.T) {
	for _, s := range []sample{
		{w: 100, h: 60, sampling: yuv420, quant: 8, busy: 9, loud: 9},
		{w: 100, h: 60, sampling: yuv422, quant: 8, busy: 9, loud: 9, restart: 4},
		{w: 100, h: 60, sampling: yuv444, quant: 8, busy: 9, loud: 9, apart: true},
	} {
		pic, want, parts := s.encode()
		var d Decoder
		var p frame.Plane
		last := 0
		for n := range len(pic) {
			for _, zeros := range []int{0, 300} {
				err := d.Luma(&p, append(bytes.Clone(pic[:n]), make([]byte, zeros)...))
				if err != nil {
					if !errors.Is(err, ErrDamaged) || n > parts[0]+200 {
						t.Fatalf("%d of %d bytes: %v", n, len(pic), err)
					}
					continue
				}
				count, wrong := known(&p, want)
				if wrong > 0 || count < last-2 {
					t.Fatalf("%+v: %d of %d bytes and %d zeros: %d blocks known after %d, %d of them wrong", s, n, len(pic), zeros, count, last, wrong)
				}
				last = max(last, count)
			}
		}
		if last != len(want) {
			t.Errorf("%+v: only %d blocks of %d at the end", s, last, len(want))
		}
	}
}

// TestDamagedInTheMiddle: a marker where none belongs. Before it everything
// counts, behind it nothing up to the next restart.
func TestDamagedInTheMiddle(t *testing.T) {
	var d Decoder
	var p frame.Plane
	s := sample{w: 320, h: 240, sampling: yuv422, quant: 8, busy: 9, loud: 9, seed: 3}
	pic, want, _ := s.encode()
	copy(pic[len(pic)/2:], "\xFF\xC0\xFF\xC0\xFF\xC0")
	if err := d.Luma(&p, pic); err != nil {
		t.Fatal(err)
	}
	first := slices.Index(p.Unknown, 1)
	if n, wrong := known(&p, want); n != first || wrong > 0 || n < len(want)*2/5 || n > len(want)*3/5 {
		t.Errorf("%d of %d blocks are known, %d of them wrong, the first unknown one is %d", n, len(want), wrong, first)
	}

	s.restart = 20 // a line of MCUs
	pic, want, parts := s.encode()
	copy(pic[parts[11]+60:], "\xFF\xC0\xFF\xC0\xFF\xC0")
	if err := d.Luma(&p, pic); err != nil {
		t.Fatal(err)
	}
	if n, wrong := known(&p, want); wrong > 0 || n < len(want)-40 || p.Unknown[12*40-1] != 1 || p.Unknown[12*40] != 0 {
		t.Errorf("%d of %d blocks are known, %d of them wrong", n, len(want), wrong)
	}
	if err := d.Luma(&p, func() []byte { pic, _, _ := s.encode(); return pic }()); err != nil || len(p.Unknown) != 0 {
		t.Error("the next picture is not known whole:", err)
	}
}

// TestLostRestarts: intervals go, come twice, or lose their marker; those that are known are right.
func TestLostRestarts(t *testing.T) {
	s := sample{w: 320, h: 240, sampling: yuv420, quant: 8, busy: 9, loud: 9, seed: 5, restart: 5}
	whole, want, parts := s.encode() // 60 intervals of 5 MCUs, 20 blocks
	remove := func(from, to int) []byte { return slices.Delete(bytes.Clone(whole), from, to) }
	with := func(at int, b ...byte) []byte { pic := bytes.Clone(whole); copy(pic[at:], b); return pic }
	for name, tt := range map[string]struct {
		pic   []byte
		least int // blocks known
	}{
		"one interval":           {remove(parts[20], parts[21]), 1200 - 40},
		"six intervals":          {remove(parts[20], parts[26]), 1200 - 7*20},
		"eight intervals":        {remove(parts[20]+40, parts[28]+40), 400},
		"eleven intervals":       {remove(parts[20], parts[31]), 380},
		"a marker":               {with(parts[20]-2, 1, 1), 1200 - 40},
		"another marker instead": {with(parts[20]-1, RST0+7), 1200},
		"a marker too many":      {with(parts[20]+30, 0xFF, RST0+1), 1200 - 20},
		"the end instead":        {with(parts[20]-1, EOI), 400},
		"the last ones":          {remove(parts[50], len(whole)-2), 980},
		"zeros":                  {with(parts[10], make([]byte, parts[24]-parts[10]+20)...), 200},
	} {
		var d Decoder
		var p frame.Plane
		if err := d.Luma(&p, tt.pic); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n, wrong := known(&p, want); wrong > 0 || n < tt.least {
			t.Errorf("%s: %d blocks known, want %d, %d of them wrong", name, n, tt.least, wrong)
		}
	}
}

// TestHoles takes parts out of the middle, as a lost packet does. A picture may
// be damaged without a trace, but most of what is said to be known is right.
func TestHoles(t *testing.T) {
	var d Decoder
	var p frame.Plane
	r := rand.New(rand.NewPCG(8, 8))
	for _, restart := range []int{0, 10} {
		s := sample{w: 640, h: 240, sampling: yuv422, quant: 8, busy: 9, loud: 9, seed: 7, restart: restart}
		whole, want, parts := s.encode()
		sum, bad := 0, 0
		for range 300 {
			at := parts[0] + r.IntN(len(whole)-parts[0]-2000)
			if err := d.Luma(&p, slices.Delete(bytes.Clone(whole), at, at+1+r.IntN(1500))); err == nil {
				n, wrong := known(&p, want)
				sum += n
				bad += wrong
			}
		}
		t.Logf("restart interval %d: %d of %d known blocks are wrong, %d are unknown", restart, bad, sum, 300*len(want)-sum)
		if bad*50 > sum {
			t.Error("too many")
		}
	}
}

// TestHostile: dimensions and sizes that ask for more than they bring.
func TestHostile(t *testing.T) {
	var d Decoder
	var p frame.Plane
	pic, _, _ := sample{w: 16, h: 16, sampling: yuv420, quant: 8}.encode()
	at := bytes.Index(pic, []byte{0xFF, SOF0}) + 5
	for _, size := range []string{"\xFF\xFF\xFF\xFF", "\x00\x00\x00\x10", "\x00\x10\x00\x00"} {
		copy(pic[at:], size)
		if err := d.Luma(&p, pic); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", size, err)
		}
	}
	if cap(p.Pix) > 0 {
		t.Error("a plane was made for it")
	}
}
