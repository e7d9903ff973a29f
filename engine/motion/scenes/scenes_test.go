package scenes

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"watchpost/engine/frame"
)

var small = Options{Width: 320, Height: 240, FPS: 10, Seed: 1}

// TestEventsAreInTheMasks holds event truth against pixel truth: to three frames.
func TestEventsAreInTheMasks(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tiny := Options{Width: 160, Height: 120, FPS: 10, Seed: 1}
			s := Open(name, tiny)
			r := NewRenderer(s)
			var seen [][2]int
			for k := range s.Frames() {
				if bytes.IndexByte(r.Picture().Truth, 1) >= 0 {
					seen = join(seen, k, tiny.FPS)
				}
			}
			want := s.Events()
			if len(want) == 0 || len(seen) != len(want) {
				t.Fatalf("events %v, masks %v", want, seen)
			}
			for i, e := range want {
				if math.Abs(float64(e[0]-seen[i][0])) > 3 || math.Abs(float64(e[1]-seen[i][1])) > 3 {
					t.Errorf("events %v, masks %v", want, seen)
					break
				}
			}
			if last := want[len(want)-1][1]; last >= s.Frames()-int(2*tiny.FPS) {
				t.Errorf("the last event ends with frame %d of %d", last, s.Frames())
			}
		})
	}
}

// TestPlanesAreMeansOfPictures: both ways to render are the same footage.
func TestPlanesAreMeansOfPictures(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Open(name, small)
			a, b := NewRenderer(s), NewRenderer(s)
			var p frame.Plane
			bad, all := 0, 0
			for range 150 {
				pic := a.Picture()
				b.Plane(&p)
				for i, got := range p.Pix {
					x, y := i%p.Width*8, i/p.Width*8
					sum := 0
					for j := y; j < y+8; j++ {
						for _, v := range pic.Luma[j*small.Width+x:][:8] {
							sum += int(v)
						}
					}
					all++
					if math.Abs(float64(sum)/64-float64(got)) > 1.6 {
						bad++
					}
				}
			}
			if bad > all/100 { // light with an edge within a block; pixels at the sensor's end
				t.Errorf("%d of %d blocks are not the mean of their pixels", bad, all)
			}
		})
	}
}

func TestIdleHasNobodyAndSeedsDiffer(t *testing.T) {
	o := small
	o.Idle, o.Seconds = true, 40
	for _, name := range Names() {
		s := Open(name, o)
		if s == nil {
			continue
		}
		if e := s.Events(); len(e) != 0 || s.Frames() != 400 {
			t.Errorf("%s: %d frames, events %v", name, s.Frames(), e)
		}
	}
	other := small
	other.Seed = 2
	a, b, c := NewRenderer(Open("still", small)).Picture(), NewRenderer(Open("still", small)).Picture(), NewRenderer(Open("still", other)).Picture()
	if string(a.Luma) != string(b.Luma) || string(a.Luma) == string(c.Luma) {
		t.Error("the same seed is not the same picture, or another seed is")
	}
}

func TestSizes(t *testing.T) {
	for _, size := range [][2]int{{320, 240}, {640, 480}, {1920, 1080}} {
		o := Options{Width: size[0], Height: size[1], FPS: 15, Seed: 1}
		r := NewRenderer(Open("leaves", o))
		var p frame.Plane
		r.Plane(&p)
		pic := r.Picture()
		if len(pic.Luma) != size[0]*size[1] || p.PicWidth != size[0] || p.PicHeight != size[1] || len(p.Pix) != size[0]*size[1]/64 {
			t.Errorf("%v: %d pixels, a plane of %d", size, len(pic.Luma), len(p.Pix))
		}
	}
	if Open("leaves", Options{Width: 644, Height: 480, FPS: 15}) != nil || Open("nowhere", small) != nil {
		t.Error("a scene that cannot be was opened")
	}
}

// TestDamage: some pictures are damaged, the same ones each time, all in the picture's data.
func TestDamage(t *testing.T) {
	s := Open("corrupt", small)
	n := 0
	for k := range 1000 {
		whole := bytes.Repeat([]byte{7}, 9000)
		got := s.Damage(k, bytes.Clone(whole))
		if !bytes.Equal(got[:700], whole[:700]) || !bytes.Equal(got, s.Damage(k, bytes.Clone(whole))) {
			t.Fatalf("frame %d: the head is damaged, or the damage differs", k)
		}
		if !bytes.Equal(got, whole) {
			n++
		}
	}
	if n < 40 || n > 80 {
		t.Errorf("%d of 1000 pictures are damaged", n)
	}
}

// TestFigureArea holds the constant that sizes go by.
func TestFigureArea(t *testing.T) {
	const w, h = 1280, 960
	sum := 0
	for i := range 16 {
		pix, truth := make([]float32, w*h), make([]byte, w*h)
		for _, l := range figure(0.6, 0.95, 0.9, float64(i)/16, black) {
			l.draw(pix, truth, w, h)
		}
		for _, v := range truth {
			sum += int(v)
		}
	}
	if got := float64(sum) / 16 / (0.9 * 0.9 * h * h); math.Abs(got-figureArea) > 0.005 {
		t.Errorf("a figure of height 1 has an area of %.4f, not %v", got, figureArea)
	}
}

// TestPictures writes pictures to look at, into the folder $SCENES.
func TestPictures(t *testing.T) {
	dir := os.Getenv("SCENES")
	if dir == "" {
		t.Skip("SCENES names no folder: no pictures are written")
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			s := Open(name, Options{Width: 640, Height: 480, FPS: 15, Seed: 1})
			r := NewRenderer(s)
			sheet := image.NewGray(image.Rect(0, 0, 640*3, 480*2)) // six moments
			n := s.Frames()
			for k := range n {
				p := r.Picture()
				for i := range 6 {
					if k == n*(2*i+1)/12 {
						for y := range 480 {
							copy(sheet.Pix[(i/3*480+y)*sheet.Stride+i%3*640:], p.Luma[y*640:][:640])
						}
					}
				}
			}
			f, err := os.Create(filepath.Join(dir, name+".png"))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(png.Encode(f, sheet), f.Close()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func BenchmarkRender(b *testing.B) {
	o := Options{Width: 640, Height: 480, FPS: 15, Seed: 1}
	for _, name := range []string{"still", "clouds", "leaves", "rain", "rain-lamp"} {
		b.Run(name+"/pixels", func(b *testing.B) {
			r := NewRenderer(Open(name, o))
			for b.Loop() {
				r.Picture()
			}
		})
		b.Run(name+"/blocks", func(b *testing.B) {
			var p frame.Plane
			r := NewRenderer(Open(name, o))
			for b.Loop() {
				r.Plane(&p)
			}
		})
	}
}
