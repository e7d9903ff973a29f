package hw

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/frame"
	"watchpost/engine/need"
)

// y4mFile returns n pictures as a YUV4MPEG2 stream; every luma sample of
// picture i is i+16.
func y4mFile(tags string, n, luma, chroma int) []byte {
	b := []byte("YUV4MPEG2 " + tags + "\n")
	for i := range n {
		b = append(b, "FRAME\n"...)
		b = append(b, bytes.Repeat([]byte{byte(i + 16)}, luma)...)
		b = append(b, bytes.Repeat([]byte{128}, chroma)...)
	}
	return b
}

// testJPEG returns a noisy picture, so that its coded data is full of stuffed bytes.
func testJPEG(t testing.TB, w, h int, seed uint64) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32())
	}
	for x := range w / 2 { // a darker band tells pictures apart
		for y := range h {
			img.Set(x, y, color.Gray{Y: byte(seed * 40)})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withThumbnail puts a whole JPEG into an APP1 segment, as cameras do.
func withThumbnail(pic, thumb []byte) []byte {
	n := len(thumb) + 2
	out := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, byte(n >> 8), byte(n)}, thumb...)
	return append(out, pic[2:]...)
}

func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// readAll plays a clip to its end; the frames' Data are copies.
func readAll(t testing.TB, c *Clip) ([]frame.Frame, error) {
	t.Helper()
	defer c.Close()
	var all []frame.Frame
	var f frame.Frame
	for len(all) < 5000 {
		if err := c.Next(&f); err != nil {
			return all, err
		}
		g := f
		g.Data = bytes.Clone(f.Data)
		all = append(all, g)
	}
	t.Fatal("the clip does not end")
	return nil, nil
}

func open(t testing.TB, path string, fps float64, stdin io.Reader) *Clip {
	t.Helper()
	c, err := OpenClip(t.Context(), path, fps, stdin)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClipY4M(t *testing.T) {
	tests := []struct {
		name, tags   string
		luma, chroma int
		format       frame.Format
		fps          float64
		full         bool
		size         int // bytes a frame as given
	}{
		{"default", "W6 H4 F25:2", 24, 12, frame.YU12, 12.5, false, 36},
		{"odd size", "W5 H3 F30:1 C420jpeg XCOLORRANGE=FULL", 15, 12, frame.YU12, 30, true, 27},
		{"mono", "W6 H4 Cmono", 24, 0, frame.GREY, 10, false, 24},
		{"422", "W6 H4 C422 F0:0", 24, 24, frame.YU12, 10, false, 36},
		{"444 odd", "W5 H3 C444 F10:1", 15, 30, frame.YU12, 10, false, 27},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := y4mFile(tt.tags, 3, tt.luma, tt.chroma)
			for _, c := range []*Clip{
				open(t, writeFile(t, "a.y4m", data), 0, nil),
				open(t, "-", 0, bytes.NewReader(data)),
			} {
				if c.FPS() != tt.fps {
					t.Errorf("rate %v, want %v", c.FPS(), tt.fps)
				}
				got, err := readAll(t, c)
				if err != io.EOF || len(got) != 3 {
					t.Fatalf("%d frames, %v", len(got), err)
				}
				for i, f := range got {
					want := time.Duration(float64(i) / tt.fps * 1e9)
					if f.Seq != uint64(i) || f.Mono != want || f.Format != tt.format || f.FullRange != tt.full || f.Stride != f.Width {
						t.Errorf("frame %d: %+v", i, f)
					}
					if len(f.Data) != tt.size || f.Data[0] != byte(i+16) || f.Data[tt.luma-1] != byte(i+16) {
						t.Errorf("frame %d: %d bytes, starts with %d", i, len(f.Data), f.Data[0])
					}
					if tt.chroma > 0 && f.Data[tt.size-1] != 128 {
						t.Errorf("frame %d: chroma %d", i, f.Data[tt.size-1])
					}
				}
			}
		})
	}
}

func TestClipRateOverride(t *testing.T) {
	c := open(t, "-", 4, bytes.NewReader(y4mFile("W2 H2 F25:1", 3, 4, 2)))
	got, _ := readAll(t, c)
	if c.FPS() != 4 || got[2].Mono != 500*time.Millisecond {
		t.Errorf("rate %v, third frame at %v", c.FPS(), got[2].Mono)
	}
}

func TestClipMJPEG(t *testing.T) {
	pics := [][]byte{
		testJPEG(t, 40, 24, 1),
		withThumbnail(testJPEG(t, 40, 24, 2), testJPEG(t, 16, 16, 3)),
		testJPEG(t, 40, 24, 4),
	}
	noEnd := bytes.Clone(pics[0][:len(pics[0])-2])
	t.Run("whole", func(t *testing.T) {
		var stream []byte
		for _, p := range pics {
			stream = append(append(stream, p...), 0, 0, 0) // padding, as some cameras send
		}
		for _, c := range []*Clip{
			open(t, writeFile(t, "a.mjpeg", append([]byte("--boundary\r\n\r\n"), stream...)), 0, nil),
			open(t, "-", 0, bytes.NewReader(stream)),
		} {
			got, err := readAll(t, c)
			if err != io.EOF || len(got) != len(pics) {
				t.Fatalf("%d frames, %v", len(got), err)
			}
			for i, f := range got {
				if !bytes.Equal(f.Data, pics[i]) || f.Width != 40 || f.Height != 24 || !f.FullRange || f.Format != frame.MJPEG {
					t.Errorf("frame %d: %dx%d, %d bytes, want %d", i, f.Width, f.Height, len(f.Data), len(pics[i]))
				}
			}
		}
	})
	t.Run("a picture without its end", func(t *testing.T) {
		got, err := readAll(t, open(t, "-", 0, bytes.NewReader(append(noEnd, pics[2]...))))
		if err != io.EOF || len(got) != 2 || !bytes.Equal(got[0].Data, noEnd) || !bytes.Equal(got[1].Data, pics[2]) {
			t.Fatalf("%d frames, %v", len(got), err)
		}
	})
	t.Run("truncated", func(t *testing.T) {
		for _, cut := range []int{1, 2, len(pics[2]) / 2, len(pics[2]) - 3} {
			stream := append(bytes.Clone(pics[0]), pics[2][:len(pics[2])-cut]...)
			got, err := readAll(t, open(t, "-", 0, bytes.NewReader(stream)))
			if !errors.Is(err, ErrTruncated) || len(got) != 1 {
				t.Errorf("%d bytes short: %d frames, %v", cut, len(got), err)
			}
		}
	})
}

func TestClipDirectory(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"img10.jpg", "img2.JPEG", "img1.jpg"} {
		if err := os.WriteFile(filepath.Join(dir, name), testJPEG(t, 16+8*i, 16, 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(dir, "img3.jpg"), []byte("no picture"), 0o600)
	os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600)
	got, err := readAll(t, open(t, dir, 0, nil))
	if err != io.EOF {
		t.Fatal(err)
	}
	var widths []int
	for _, f := range got {
		widths = append(widths, f.Width)
	}
	if fmt.Sprint(widths) != "[32 24 24 16]" { // 1, 2, 3 (unreadable: as before it), 10
		t.Errorf("widths %v", widths)
	}
}

func TestNaturalOrder(t *testing.T) {
	want := []string{"a", "a1", "a01", "a2", "a2b", "a10", "a10b1", "b"}
	for i := range want {
		for j := range want {
			if i == 1 && j == 2 || i == 2 && j == 1 {
				continue // equal numbers: by bytes
			}
			got := naturalOrder(want[i], want[j])
			if (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s, %s: %d", want[i], want[j], got)
			}
		}
	}
}

// TestClipRefused: one clear line each, and no crash.
func TestClipRefused(t *testing.T) {
	tests := []struct {
		name, path, want string
		ffmpeg           bool
	}{
		{"missing", filepath.Join(t.TempDir(), "none.mp4"), "no such file", false},
		{"empty", writeFile(t, "e.mp4", nil), "empty", false},
		{"empty directory", t.TempDir(), "no JPEG files", false},
		{"not MJPEG", writeFile(t, "a.mjpg", []byte("hello, world")), "not an MJPEG stream", false},
		{"not Y4M", writeFile(t, "a.y4m", []byte("hello, world")), "not a YUV4MPEG2 file", false},
		{"Y4M of ten bits", writeFile(t, "a.y4m", []byte("YUV4MPEG2 W4 H4 C420p10\n")), "C420p10", false},
		{"Y4M without size", writeFile(t, "a.y4m", []byte("YUV4MPEG2 F25:1\n")), "0x0", false},
		{"Y4M of a huge size", writeFile(t, "a.y4m", []byte("YUV4MPEG2 W16000 H16000\n")), "16000x16000", false},
		{"Y4M of nonsense", writeFile(t, "a.y4m", []byte("YUV4MPEG2 Wx H4\n")), `"Wx"`, false},
		{"Y4M header cut", writeFile(t, "a.y4m", []byte("YUV4MPEG2 W4 H")), "ends too early", false},
		{"text", writeFile(t, "a.mp4", []byte("hello, world, this is text")), "not a video", true},
		{"sound", "", "not a video", true},
		{"nonsense on stdin", "-", "neither YUV4MPEG2 nor MJPEG", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.ffmpeg {
				need.Program(t, "ffmpeg", "ffmpeg")
			}
			path := tt.path
			if path == "" {
				path = filepath.Join(t.TempDir(), "s.wav")
				encode(t, "-f", "lavfi", "-i", "sine=duration=0.2", path)
			}
			c, err := OpenClip(t.Context(), path, 0, strings.NewReader("what is this?"))
			if err == nil {
				c.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := OpenClip(t.Context(), "-", -1, nil); err == nil {
		t.Error("a negative rate was taken")
	}
	if _, err := OpenClip(t.Context(), "-", 0, nil); err == nil {
		t.Error("no standard input was taken")
	}
}

func encode(t testing.TB, args ...string) {
	t.Helper()
	ffmpeg := need.Program(t, "ffmpeg", "ffmpeg")
	out, err := exec.Command(ffmpeg, append([]string{"-v", "error", "-nostdin", "-y"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
}

func TestClipY4MTruncated(t *testing.T) {
	data := y4mFile("W6 H4", 3, 24, 12)
	for _, cut := range []int{1, 20, 36, 37, 40} { // in the picture, at its start, in its header line
		got, err := readAll(t, open(t, "-", 0, bytes.NewReader(data[:len(data)-cut])))
		if !errors.Is(err, ErrTruncated) || len(got) != 2 {
			t.Errorf("%d bytes short: %d frames, %v", cut, len(got), err)
		}
	}
	damaged := append(bytes.Clone(data), "JUNK\n"...)
	if got, err := readAll(t, open(t, "-", 0, bytes.NewReader(damaged))); err == io.EOF || errors.Is(err, ErrTruncated) || len(got) != 3 {
		t.Errorf("junk after the third: %d frames, %v", len(got), err)
	}
}

func TestClipFFmpeg(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "a.mp4")
	encode(t, "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=4", "-c:v", "mpeg4", "-b:v", "2M", "-movflags", "faststart", whole)
	c := open(t, whole, 0, nil)
	got, err := readAll(t, c)
	if err != io.EOF || len(got) != 100 || c.FPS() != 25 || got[0].Format != frame.YU12 || got[0].Width != 320 || got[99].Seq != 99 {
		t.Fatalf("%d frames at %v, %v", len(got), c.FPS(), err)
	}
	t.Run("truncated", func(t *testing.T) {
		data, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(t, open(t, writeFile(t, "cut.mp4", data[:len(data)/2]), 0, nil))
		if !errors.Is(err, ErrTruncated) || len(got) < 20 || len(got) > 60 {
			t.Errorf("%d frames, %v", len(got), err)
		}
	})
	t.Run("truncated, index at the end", func(t *testing.T) {
		p := filepath.Join(dir, "b.mp4")
		encode(t, "-f", "lavfi", "-i", "testsrc=size=320x240:duration=1", "-c:v", "mpeg4", p)
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenClip(t.Context(), writeFile(t, "cut.mp4", data[:len(data)/2]), 0, nil); !errors.Is(err, ErrTruncated) {
			t.Error(err)
		}
	})
	t.Run("uneven timestamps", func(t *testing.T) { // never drops or doubles
		p := filepath.Join(dir, "v.mkv")
		encode(t, "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=2", "-vf", "setpts=N+floor(N*N/50)", "-fps_mode", "passthrough", "-c:v", "mpeg4", p)
		if got, err := readAll(t, open(t, p, 0, nil)); err != io.EOF || len(got) != 50 {
			t.Errorf("%d frames, %v", len(got), err)
		}
	})
	t.Run("closed early", func(t *testing.T) {
		c := open(t, whole, 0, nil)
		pid := c.r.(*ffmpeg).cmd.Process.Pid
		var f frame.Frame
		if err := c.Next(&f); err != nil {
			t.Fatal(err)
		}
		c.Close()
		c.Close()
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			t.Error("ffmpeg still runs, or was not reaped")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c, err := OpenClip(ctx, whole, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := readAll(t, c); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("no ffmpeg", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, err := OpenClip(t.Context(), whole, 0, nil); err == nil || !strings.Contains(err.Error(), "not installed") {
			t.Error(err)
		}
	})
}

// TestClipRecorded reads recorded clips whole: not a frame too few or too
// many. A generated one stands in where there are none.
func TestClipRecorded(t *testing.T) {
	need.Program(t, "ffmpeg", "ffmpeg")
	type clip struct {
		file   string
		frames int
		fps    float64
	}
	dir := need.Clips()
	clips := []clip{{"one-by-one-person-detection.mp4", 1394, 10}, {"car-detection.mp4", 377, 12.5}, {"bottle-detection.mp4", 1189, 29.83}}
	if dir == "" {
		dir = t.TempDir()
		encode(t, "-f", "lavfi", "-i", "testsrc=size=768x432:rate=12.5:duration=30", "-c:v", "mpeg4", filepath.Join(dir, "generated.mp4"))
		clips = []clip{{"generated.mp4", 375, 12.5}}
	}
	for _, want := range clips {
		c := open(t, filepath.Join(dir, want.file), 0, nil)
		n := 0
		var f frame.Frame
		var err error
		for err = c.Next(&f); err == nil; err = c.Next(&f) {
			n++
		}
		c.Close()
		if err != io.EOF || n != want.frames || math.Abs(c.FPS()-want.fps) > 0.01 {
			t.Errorf("%s: %d frames at %v, %v; want %d at %v", want.file, n, c.FPS(), err, want.frames, want.fps)
		}
	}
}

func FuzzY4M(f *testing.F) {
	f.Add(y4mFile("W6 H4 F25:2", 2, 24, 12))
	f.Add(y4mFile("W5 H3 C444 XCOLORRANGE=FULL", 1, 15, 30))
	f.Add([]byte("YUV4MPEG2 W1 H1 F:\nFRAME"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := OpenClip(t.Context(), "-", 0, bytes.NewReader(append([]byte(y4mMagic), data...)))
		if err != nil {
			return
		}
		defer c.Close()
		var fr frame.Frame
		var p frame.Plane
		for range 10 {
			if c.Next(&fr) != nil {
				return
			}
			if err := (Pictures{}).Luma(&p, &fr); err != nil {
				t.Fatalf("%+v: %v", fr.Format, err)
			}
		}
	})
}

func FuzzMJPEG(f *testing.F) {
	pic := testJPEG(f, 16, 16, 1)
	f.Add(append(bytes.Clone(pic), pic...))
	f.Add(withThumbnail(pic, pic))
	f.Add([]byte{0xFF, 0xD8, 0xFF, 0xFF, 0xD8, 0xFF, 0xE0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		data = append([]byte{0xFF, 0xD8, 0xFF}, data...)
		c, err := OpenClip(t.Context(), "-", 0, bytes.NewReader(data))
		if err != nil {
			return
		}
		defer c.Close()
		var fr frame.Frame
		rest := data
		for c.Next(&fr) == nil {
			at := bytes.Index(rest, fr.Data) // every picture is a part of the stream, in order
			if at < 0 || !bytes.HasPrefix(fr.Data, []byte{0xFF, 0xD8}) {
				t.Fatalf("% x is no part of % x", fr.Data, rest)
			}
			rest = rest[at+len(fr.Data):]
		}
	})
}
