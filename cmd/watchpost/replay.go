package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"watchpost/engine/frame"
	"watchpost/engine/motion"
	"watchpost/hw"
)

const replayUsage = `usage: watchpost replay [--fps N] [--zone X,Y,W,H] [--masks DIR] [--json] CLIP...

Runs the detector on recorded footage, at threshold 5 and sensitivity 5, as fast as it goes.

CLIP          a directory of JPEGs, MJPEG, Y4M (- for standard input), or what ffmpeg reads
--fps N       frames a second: the clip's own otherwise, 10 where it has none
--zone ...    look in this rectangle only, pixels of the clip; may be given again
--masks DIR   write what the detector saw, one PNG a frame (white = moving)
--json        a line per event and a last one per clip, frames from 0, ends inclusive
`

// replayOptions is what the command line of replay asks for.
type replayOptions struct {
	fps   float64
	zones []image.Rectangle // pixels; none: the whole picture
	masks string            // folder; "": none
	json  bool
	clips []string
}

// replayEvent and replaySummary are the lines of --json; the names are a contract.
type replayEvent struct {
	Clip       string  `json:"clip,omitempty"` // with several clips
	Event      int     `json:"event"`
	StartFrame uint64  `json:"start_frame"` // on which the event was declared
	EndFrame   uint64  `json:"end_frame"`   // the last with motion, inclusive
	Start      float64 `json:"start"`       // seconds
	End        float64 `json:"end"`
	Peak       float64 `json:"peak"` // percent of the zone
	Box        [4]int  `json:"box"`  // x, y, w, h at the peak, pixels
}

type replaySummary struct {
	Clip     string  `json:"clip,omitempty"`
	Frames   uint64  `json:"frames"`
	Events   int     `json:"events"`
	Damaged  uint64  `json:"damaged,omitempty"` // pictures that could not be read: no motion
	DecodeMS float64 `json:"decode_ms_per_frame"`
	DetectMS float64 `json:"detect_ms_per_frame"`
}

// runReplay is `watchpost replay`. It returns the exit code: 0 done, 1 a clip
// cannot be read, 2 usage.
func runReplay(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	opts, err := parseReplay(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, replayUsage)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "watchpost replay: %s\n", oneLine(err))
		return exitUsage
	}
	code := exitOK
	for i, clip := range opts.clips {
		r := replay{replayOptions: opts, clip: clip, out: stdout}
		if len(opts.clips) > 1 {
			r.label = clip
			if r.masks != "" {
				r.masks = filepath.Join(r.masks, strconv.Itoa(i+1)+"-"+filepath.Base(clip))
			}
		}
		if err := r.run(ctx, stdin); err != nil {
			fmt.Fprintf(stderr, "watchpost replay: %s\n", oneLine(err))
			code = exitFailed
		}
		if ctx.Err() != nil {
			return exitFailed
		}
	}
	return code
}

// parseReplay reads the command line; flags may stand before, between and after the clips.
func parseReplay(args []string) (o replayOptions, err error) {
	fs := flag.NewFlagSet("replay", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Float64Var(&o.fps, "fps", 0, "")
	fs.StringVar(&o.masks, "masks", "", "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.String("config", "", "") // every command takes it; a clip needs none
	fs.Func("zone", "", func(s string) error {
		z, err := parseZone(s)
		o.zones = append(o.zones, z)
		return err
	})
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			return o, err
		}
		if n := len(args) - fs.NArg(); n > 0 && args[n-1] == "--" {
			o.clips = append(o.clips, fs.Args()...)
			break
		}
		if args = fs.Args(); len(args) > 0 {
			o.clips = append(o.clips, args[0])
			args = args[1:]
		}
	}
	given := false
	fs.Visit(func(f *flag.Flag) { given = given || f.Name == "fps" })
	switch {
	case len(o.clips) == 0:
		return o, errors.New("which CLIP? Give a video file, a directory of JPEGs, or - for standard input")
	case given && !(o.fps > 0 && o.fps <= 1000):
		return o, fmt.Errorf("--fps %g: give frames a second above 0, at most 1000", o.fps)
	}
	return o, nil
}

func parseZone(s string) (image.Rectangle, error) {
	parts := strings.Split(s, ",")
	var v [4]int
	ok := len(parts) == len(v)
	for i := 0; ok && i < len(v); i++ {
		n, err := strconv.Atoi(strings.TrimSpace(parts[i]))
		ok = err == nil && n >= 0 && n <= 1<<16
		v[i] = n
	}
	if !ok || v[2] == 0 || v[3] == 0 {
		return image.Rectangle{}, errors.New("give X,Y,WIDTH,HEIGHT in pixels of the clip")
	}
	return image.Rect(v[0], v[1], v[0]+v[2], v[1]+v[3]), nil
}

// replay is the run of one clip.
type replay struct {
	replayOptions
	clip, label string
	out         io.Writer

	detector       *motion.Detector
	w, h           int // of the picture that the zones were laid over
	fps            float64
	open           replayEvent // the event that is going on
	top            float64     // its highest level so far
	last           uint64
	summary        replaySummary
	decode, detect time.Duration
	mask           *image.Gray
}

func (r *replay) run(ctx context.Context, stdin io.Reader) error {
	clip, err := hw.OpenClip(ctx, r.clip, r.replayOptions.fps, stdin)
	if err != nil {
		return err
	}
	defer clip.Close()
	r.fps = clip.FPS()
	r.summary.Clip = r.label
	if r.masks != "" {
		if err := os.MkdirAll(r.masks, 0o777); err != nil {
			return fmt.Errorf("cannot make the folder for masks: %w", err)
		}
	}
	var (
		f     frame.Frame
		plane frame.Plane
		ended error
	)
	for {
		begun := time.Now()
		if ended = clip.Next(&f); ended != nil {
			break
		}
		unreadable := hw.Pictures{}.Luma(&plane, &f) != nil
		r.decode += time.Since(begun)
		r.summary.Frames++
		if unreadable {
			r.summary.Damaged++
		}
		r.last = f.Seq
		if err := r.step(&plane, &f, unreadable); err != nil {
			return err
		}
	}
	if r.detector != nil {
		if err := r.take(r.detector.Close()[0], r.last); err != nil {
			return err
		}
	}
	if errors.Is(ended, io.EOF) || errors.Is(ended, hw.ErrTruncated) {
		if err := r.finish(); err != nil {
			return err
		}
	}
	if errors.Is(ended, hw.ErrTruncated) {
		return fmt.Errorf("the clip is truncated: %w", ended)
	}
	if r.summary.Frames > 0 && r.summary.Frames == r.summary.Damaged {
		return fmt.Errorf("clip %s: none of its %d pictures can be read: they are no baseline or progressive JPEG", r.clip, r.summary.Frames)
	}
	if errors.Is(ended, io.EOF) {
		return nil
	}
	return ended
}

// step runs the detector on one picture. One that cannot be read is no motion.
func (r *replay) step(p *frame.Plane, f *frame.Frame, unreadable bool) error {
	if !unreadable {
		if r.detector == nil {
			zones, err := r.percent(f.Width, f.Height)
			if err != nil {
				return err
			}
			r.w, r.h = f.Width, f.Height
			r.detector = motion.New([]motion.Params{{Threshold: 5, Sensitivity: 5, Zones: zones}})
		}
		begun := time.Now()
		result := r.detector.Step(p, f.Seq, f.Mono)[0]
		r.detect += time.Since(begun)
		if err := r.take(result, f.Seq); err != nil {
			return err
		}
	}
	if r.masks == "" {
		return nil
	}
	return r.paint(p, f, unreadable)
}

// percent turns the zones, pixels, into percent of a picture of w x h.
func (r *replay) percent(w, h int) ([]motion.Rect, error) {
	var zones []motion.Rect
	for _, z := range r.zones {
		in := z.Intersect(image.Rect(0, 0, w, h))
		if in.Empty() {
			return nil, fmt.Errorf("clip %s: the zone lies outside the picture, which is %d x %d pixels", r.clip, w, h)
		}
		x, y := 100/float64(w), 100/float64(h)
		zones = append(zones, motion.Rect{X: float64(in.Min.X) * x, Y: float64(in.Min.Y) * y, W: float64(in.Dx()) * x, H: float64(in.Dy()) * y})
	}
	return zones, nil
}

// take follows the event logic and prints an event when it is over.
func (r *replay) take(m motion.Result, seq uint64) error {
	if m.Started {
		r.open = replayEvent{Clip: r.label, StartFrame: seq, Start: r.seconds(seq), Box: m.Box}
		r.top = m.Level
	}
	if m.Active && m.Level > r.top {
		r.top, r.open.Box = m.Level, m.Box
	}
	if !m.Ended {
		return nil
	}
	e := r.open
	r.summary.Events++
	e.Event, e.EndFrame, e.Peak = r.summary.Events, max(m.LastMovingSeq, e.StartFrame), rounded(m.Peak)
	e.End = r.seconds(e.EndFrame)
	if r.json {
		return r.line(e)
	}
	return r.print("event %d: %.2f s to %.2f s (frames %d to %d), peak %.2f %% of the zone at %dx%d+%d+%d\n",
		e.Event, e.Start, e.End, e.StartFrame, e.EndFrame, e.Peak, e.Box[2], e.Box[3], e.Box[0], e.Box[1])
}

func (r *replay) finish() error {
	s := &r.summary
	if s.Frames > 0 {
		s.DecodeMS = rounded(float64(r.decode.Microseconds()) / 1000 / float64(s.Frames))
		s.DetectMS = rounded(float64(r.detect.Microseconds()) / 1000 / float64(s.Frames))
	}
	if r.json {
		return r.line(s)
	}
	damaged := ""
	if s.Damaged > 0 {
		damaged = fmt.Sprintf(" (%d of them damaged)", s.Damaged)
	}
	return r.print("%s%s, %s; %.3f ms to decode and %.3f ms to detect, a frame\n",
		counted(int(s.Frames), "frame"), damaged, counted(s.Events, "event"), s.DecodeMS, s.DetectMS)
}

func (r *replay) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return r.print("%s\n", b)
}

func (r *replay) print(format string, args ...any) error {
	if r.label != "" && !r.json {
		format, args = "%s: "+format, append([]any{r.label}, args...)
	}
	if _, err := fmt.Fprintf(r.out, format, args...); err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}

// paint writes the mask of one frame at the picture's size, black where there is none.
func (r *replay) paint(p *frame.Plane, f *frame.Frame, unreadable bool) error {
	w, h := f.Width, f.Height
	if unreadable && r.detector != nil {
		w, h = r.w, r.h
	}
	if w < 1 || h < 1 {
		return nil // nothing is known of the picture, not even its size
	}
	if r.mask == nil || r.mask.Rect.Dx() != w || r.mask.Rect.Dy() != h {
		r.mask = image.NewGray(image.Rect(0, 0, w, h))
	}
	clear(r.mask.Pix)
	if !unreadable {
		for i, m := range r.detector.Mask(0) {
			if m == 0 {
				continue
			}
			x, y := i%p.Width*p.Scale, i/p.Width*p.Scale
			for row := y; row < min(y+p.Scale, h); row++ {
				line := r.mask.Pix[row*r.mask.Stride:][x:min(x+p.Scale, w)]
				for k := range line {
					line[k] = 255
				}
			}
		}
	}
	name := filepath.Join(r.masks, fmt.Sprintf("%06d.png", f.Seq))
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("cannot write a mask: %w", err)
	}
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := errors.Join(enc.Encode(file, r.mask), file.Close()); err != nil {
		return fmt.Errorf("cannot write the mask %s: %w", name, err)
	}
	return nil
}

func (r *replay) seconds(seq uint64) float64 { return rounded(float64(seq) / r.fps) }

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// rounded keeps three decimals.
func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }
