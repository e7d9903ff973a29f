package mjpeg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"watchpost/engine/frame"
	"watchpost/engine/motion"
	"watchpost/engine/need"
)

// The frames of a benchmark differ, as those of a camera do: a processor learns
// the turns that one picture takes by heart, which halves the time.
const benchFrames = 20

var benchSizes = [][2]int{{640, 480}, {1920, 1080}}

// cameraFrames are consecutive pictures as a camera sends them, 4:2:2, about the
// standard quality of 80, with the noise of a sensor: 20 of a recorded clip, or a
// moving square, 4:2:0, where there is no clip.
func cameraFrames(b testing.TB, w, h int) (frames [][]byte) {
	clip := filepath.Join(need.Clips(), "one-by-one-person-detection.mp4")
	if _, err := os.Stat(clip); err == nil {
		if ffmpeg, err := exec.LookPath("ffmpeg"); err == nil {
			noise := map[int]int{640: 5, 1920: 6}[w]
			out, err := exec.Command(ffmpeg, "-v", "error", "-ss", "20", "-i", clip, "-vf", fmt.Sprintf("scale=%d:%d,noise=alls=%d:allf=t", w, h, noise),
				"-frames:v", strconv.Itoa(benchFrames), "-pix_fmt", "yuvj422p", "-c:v", "mjpeg", "-huffman", "default", "-q:v", "3", "-f", "image2pipe", "-").Output()
			if err != nil {
				b.Fatal(err)
			}
			return pictures(out)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for n := range benchFrames {
		img := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio422)
		for i := range img.Y {
			x, y := i%w, i/w
			v := 60 + (x*x/w+y)%120 + r.IntN(9)
			if x/80 == 1+n/6 && y > h/3 && y < h*2/3 {
				v = 200
			}
			img.Y[i] = byte(v)
		}
		for i := range img.Cb {
			img.Cb[i], img.Cr[i] = byte(120+r.IntN(5)), byte(130+r.IntN(5))
		}
		var out bytes.Buffer
		if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 80}); err != nil {
			b.Fatal(err)
		}
		frames = append(frames, out.Bytes())
	}
	return frames
}

// byTurns runs each function over all frames, the functions one after another,
// seven times at least, and the last, slow one once for five of the others, and reports the sum of each frame's best times as the
// time a frame, and that of the first beside each of the others. The best times
// of single frames are those without another program in between.
func byTurns(b *testing.B, names []string, frames [][]byte, fs ...func([]byte)) {
	best := make([]time.Duration, len(fs)*len(frames))
	for b.Loop() {
		for turn := range 35 {
			for i, f := range fs {
				if i == len(fs)-1 && turn%5 > 0 {
					continue
				}
				for j, data := range frames {
					start := time.Now()
					f(data)
					if t, was := time.Since(start), &best[i*len(frames)+j]; *was == 0 || t < *was {
						*was = t
					}
				}
			}
		}
	}
	size := 0
	for _, data := range frames {
		size += len(data)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(size/len(frames))/1000, "kB")
	first := 0.0
	for i, name := range names {
		sum := 0.0
		for _, t := range best[i*len(frames):][:len(frames)] {
			sum += t.Seconds() * 1000 / float64(len(frames))
		}
		b.ReportMetric(sum, "ms-"+name)
		if i == 0 {
			first = sum
		} else {
			b.ReportMetric(first/sum, "x-"+name)
		}
	}
}

// viaImageJPEG is the way that this package is instead of.
func viaImageJPEG(p *frame.Plane, data []byte) {
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		panic(err)
	}
	y := img.(*image.YCbCr)
	w, h := y.Rect.Dx(), y.Rect.Dy()
	p.Resize(w, h, 8)
	const lanes = 0x00FF00FF00FF00FF
	for by := range h / 8 {
		for bx := range w / 8 {
			var acc uint64
			for i := range 8 {
				x := binary.LittleEndian.Uint64(y.Y[(by*8+i)*y.YStride+bx*8:])
				acc += x&lanes + x>>8&lanes
			}
			p.Pix[by*p.Width+bx] = byte((acc*0x0001000100010001>>48 + 32) >> 6)
		}
	}
}

// BenchmarkLuma: MJPEG in, plane out, beside image/jpeg, and libjpeg-turbo's grey
// decode at 1/8 where a C compiler and its library are there.
func BenchmarkLuma(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			frames := cameraFrames(b, size[0], size[1])
			turbo := libjpeg(b, frames)
			var d Decoder
			var p frame.Plane
			byTurns(b, []string{"luma", "imagejpeg"}, frames,
				func(data []byte) {
					if err := d.Luma(&p, data); err != nil {
						b.Fatal(err)
					}
				},
				func(data []byte) { viaImageJPEG(&p, data) })
			if turbo > 0 {
				b.ReportMetric(turbo, "ms-libjpeg")
			}
		})
	}
}

// BenchmarkDecision: MJPEG in, detection's decision out, beside the decoder alone
// and beside image/jpeg alone.
func BenchmarkDecision(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			frames := cameraFrames(b, size[0], size[1])
			var d Decoder
			var p frame.Plane
			det := motion.New([]motion.Params{{Threshold: 5, Sensitivity: 5}})
			seq := uint64(0)
			byTurns(b, []string{"decision", "luma", "imagejpeg"}, frames,
				func(data []byte) {
					if err := d.Luma(&p, data); err != nil {
						b.Fatal(err)
					}
					det.Step(&p, seq, time.Duration(seq)*66*time.Millisecond)
					seq++
				},
				func(data []byte) { d.Luma(&p, data) },
				func(data []byte) { jpeg.Decode(bytes.NewReader(data)) })
		})
	}
}

// libjpeg is the best time, in ms, that libjpeg-turbo takes for a frame, grey at
// 1/8, 0 where it cannot be built.
func libjpeg(b *testing.B, frames [][]byte) float64 {
	dir := b.TempDir()
	src, bin, in := filepath.Join(dir, "grey.c"), filepath.Join(dir, "grey"), filepath.Join(dir, "frames")
	var all []byte
	for _, f := range frames {
		all = binary.LittleEndian.AppendUint32(all, uint32(len(f)))
		all = append(all, f...)
	}
	if os.WriteFile(src, []byte(greySource), 0o600) != nil || os.WriteFile(in, all, 0o600) != nil {
		return 0
	}
	if err := exec.Command("cc", "-O2", "-o", bin, src, "-ljpeg").Run(); err != nil {
		b.Log("libjpeg-turbo is not here (libjpeg62-turbo-dev, gcc)")
		return 0
	}
	out, err := exec.Command(bin, in).Output()
	if err != nil {
		b.Fatal(err)
	}
	ms, err := strconv.ParseFloat(string(out), 64)
	if err != nil {
		b.Fatal(err)
	}
	return ms
}

const greySource = `
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <jpeglib.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e3 + t.tv_nsec / 1e6; }
int main(int argc, char **argv) {
	FILE *f = fopen(argv[1], "rb");
	unsigned char *in = malloc(1 << 28), *line = malloc(1 << 16);
	size_t size = fread(in, 1, 1 << 28, f);
	double best[1000], sum = 0;
	int frames = 0;
	for (int turn = 0; turn < 20; turn++) {
		frames = 0;
		for (size_t at = 0; at + 4 <= size && frames < 1000; frames++) {
			double start = now();
			unsigned n = in[at] | in[at + 1] << 8 | in[at + 2] << 16 | (unsigned)in[at + 3] << 24;
			struct jpeg_decompress_struct d;
			struct jpeg_error_mgr e;
			d.err = jpeg_std_error(&e);
			jpeg_create_decompress(&d);
			jpeg_mem_src(&d, in + at + 4, n);
			jpeg_read_header(&d, TRUE);
			d.out_color_space = JCS_GRAYSCALE;
			d.scale_num = 1;
			d.scale_denom = 8;
			jpeg_start_decompress(&d);
			while (d.output_scanline < d.output_height)
				jpeg_read_scanlines(&d, &line, 1);
			jpeg_finish_decompress(&d);
			jpeg_destroy_decompress(&d);
			at += 4 + n;
			if (turn == 0 || now() - start < best[frames])
				best[frames] = now() - start;
		}
	}
	for (int i = 0; i < frames; i++)
		sum += best[i];
	printf("%.4f", sum / frames);
	return 0;
}
`
