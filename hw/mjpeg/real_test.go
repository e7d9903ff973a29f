package mjpeg

import (
	"bytes"
	"math"
	"os/exec"
	"path/filepath"
	"testing"

	"watchpost/engine/frame"
	"watchpost/engine/need"
)

// pictures cuts a stream of JPEG pictures that ffmpeg wrote.
func pictures(stream []byte) (all [][]byte) {
	for p := range bytes.SplitAfterSeq(stream, []byte{0xFF, EOI}) {
		if len(p) > 0 {
			all = append(all, p)
		}
	}
	return all
}

// TestRealPictures: two pictures of each recorded clip (or of ffmpeg's test
// picture) from two encoders in several samplings and qualities. It tells how
// many blocks clipping moves by more than 1.
func TestRealPictures(t *testing.T) {
	ffmpeg := need.Program(t, "ffmpeg", "ffmpeg")
	source := [][]string{{"-f", "lavfi", "-i", "testsrc2=size=637x361"}}
	if clips, _ := filepath.Glob(filepath.Join(need.Clips(), "*.mp4")); need.Clips() != "" {
		source = nil
		for _, c := range clips {
			source = append(source, []string{"-ss", "12", "-i", c})
		}
	}
	run := func(name string, stdin []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Stdin = bytes.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(name, args, err)
		}
		return out
	}
	var d Decoder
	var p frame.Plane
	check := func(name string, pics [][]byte) {
		t.Helper()
		var sum [256]int
		total := 0
		for _, pic := range pics {
			if err := d.Luma(&p, pic); err != nil || len(p.Unknown) > 0 {
				t.Fatalf("%s: %v, %d unknown", name, err, len(p.Unknown))
			}
			bound := 0.0
			for s, _ := next(pic, 2); s.marker != SOS; s, _ = next(pic, s.end) {
				if s.marker == DQT && s.body[0] == 0 {
					for _, q := range s.body[1:65] {
						bound += float64(q) * float64(q)
					}
				}
			}
			n := far(t, &p, pic, true)
			if most := math.Sqrt(bound)/8 + 1; float64(farthest(n)) > most { // an encoder may round away a whole step
				t.Errorf("%s: off by %d, more than %.1f", name, farthest(n), most)
			}
			for i, n := range n {
				sum[i] += n
				total += n
			}
			if n := far(t, &p, pic, false); farthest(n) > 1 {
				t.Errorf("%s: off by %d without clipping", name, farthest(n))
			}
		}
		beyond := total - sum[0] - sum[1]
		t.Logf("%-40s %6d blocks, %4d off by 1, %3d by more, at most %d", name, total, sum[1], beyond, farthest(sum))
		if len(pics) == 0 || beyond*100 > total {
			t.Errorf("%s: %d of %d blocks in %d pictures are off by more than 1", name, beyond, total, len(pics))
		}
	}
	cjpeg, noCJPEG := exec.LookPath("cjpeg")
	for _, in := range source {
		name := filepath.Base(in[len(in)-1])
		from := append([]string{"-v", "error"}, in...)
		for _, format := range []string{"yuvj420p", "yuvj422p", "yuvj444p"} {
			for _, q := range []string{"2", "8", "25"} {
				check(name+" "+format+" -q:v "+q, pictures(run(ffmpeg, nil, append(from, "-frames:v", "2", "-pix_fmt", format, "-c:v", "mjpeg", "-q:v", q, "-f", "image2pipe", "-")...)))
			}
		}
		if noCJPEG != nil {
			continue
		}
		ppm := run(ffmpeg, nil, append(from, "-frames:v", "1", "-c:v", "ppm", "-f", "image2pipe", "-")...)
		for _, args := range [][]string{
			{"-quality", "95"}, {"-quality", "40", "-sample", "2x1"}, {"-sample", "4x1", "-restart", "1"}, {"-sample", "1x2", "-restart", "5B"},
			{"-optimize", "-sample", "1x1"}, {"-grayscale", "-quality", "60"}, {"-dct", "fast", "-quality", "80"},
		} {
			check(name+" cjpeg "+args[0]+" "+args[len(args)-1], pictures(run(cjpeg, ppm, args...)))
		}
	}
}
