package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"watchpost/engine/need"
)

// replayed runs the command and returns its exit code and output.
func replayed(t *testing.T, stdin []byte, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = runReplay(t.Context(), args, bytes.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

// y4m is 160 x 120 at 10 frames a second: a dark box of 24 x 48 pixels walks
// through from frame 30 to 69, at lines 40 to 87.
func y4m(frames int) []byte {
	var b bytes.Buffer
	b.WriteString("YUV4MPEG2 W160 H120 F10:1 Ip C420jpeg\n")
	pic := make([]byte, 160*120*3/2)
	for n := range frames {
		for i := range pic {
			pic[i] = 128
			if i < 160*120 {
				pic[i] = byte(150 + i%160/8 + i/1600)
			}
		}
		if n >= 30 && n < 70 {
			left := (n - 30) * 4
			for y := 40; y < 88; y++ {
				for x := left; x < min(left+24, 160); x++ {
					pic[y*160+x] = 40
				}
			}
		}
		b.WriteString("FRAME\n")
		b.Write(pic)
	}
	return b.Bytes()
}

func writeClip(t *testing.T, name string, data []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// members returns the member names of a JSON object, in order of the alphabet.
func members(t *testing.T, line string) []string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	var names []string
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

func parseReplayed(t *testing.T, out string) (events []replayEvent, last replaySummary) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for _, l := range lines[:len(lines)-1] {
		var e replayEvent
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		events = append(events, e)
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatalf("%q: %v", lines[len(lines)-1], err)
	}
	return events, last
}

func TestReplayJSON(t *testing.T) {
	code, out, errs := replayed(t, y4m(100), "-", "--json", "--config", "none.yaml")
	if code != 0 || errs != "" {
		t.Fatalf("exit %d, %q", code, errs)
	}
	events, last := parseReplayed(t, out)
	if len(events) != 1 || last.Events != 1 || last.Frames != 100 || last.DecodeMS < 0 || last.DetectMS <= 0 {
		t.Fatalf("%s", out)
	}
	e := events[0]
	if e.Event != 1 || e.StartFrame < 30 || e.StartFrame > 35 || e.EndFrame < 65 || e.EndFrame > 69 ||
		e.Start != float64(e.StartFrame)/10 || e.End != float64(e.EndFrame)/10 ||
		e.Peak < 4 || e.Peak > 12 || e.Box[1] < 24 || e.Box[1] > 40 || e.Box[1]+e.Box[3] > 104 || e.Box[2] < 24 || e.Box[2] > 56 {
		t.Errorf("event %+v", e)
	}
	lines := strings.Split(out, "\n")
	if got, want := members(t, lines[0]), []string{"box", "end", "end_frame", "event", "peak", "start", "start_frame"}; !slices.Equal(got, want) {
		t.Errorf("event has %v", got)
	}
	if got, want := members(t, lines[1]), []string{"decode_ms_per_frame", "detect_ms_per_frame", "events", "frames"}; !slices.Equal(got, want) {
		t.Errorf("last line has %v", got)
	}
}

func TestReplayForPeople(t *testing.T) {
	a, b := writeClip(t, "a.y4m", y4m(100)), writeClip(t, "b.y4m", y4m(25))
	code, out, errs := replayed(t, nil, a, b)
	if code != 0 || errs != "" || strings.Count(out, "\n") != 3 || !strings.HasPrefix(out, a+": event 1: 3.") || !strings.Contains(out, b+": 25 frames, 0 events;") {
		t.Errorf("exit %d, %q\n%s", code, errs, out)
	}
	code, out, _ = replayed(t, nil, "--json", a, b)
	lines := strings.Split(out, "\n")
	if code != 0 || len(lines) != 4 || !slices.Contains(members(t, lines[0]), "clip") || !slices.Contains(members(t, lines[2]), "clip") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestReplayZoneAndRate(t *testing.T) {
	clip := writeClip(t, "a.y4m", y4m(100))
	for _, c := range []struct {
		args   string
		events int
		start  float64
	}{
		{"--zone 0,0,160,24", 0, 0}, // above the walker
		{"--zone 80,0,80,120", 1, 4.5},
		{"--zone 0,0,160,24 --zone 80,0,500,500", 1, 4.5}, // what sticks out is cut
		{"--fps 20", 1, 1.5},
	} {
		code, out, errs := replayed(t, nil, append(strings.Fields(c.args), "--json", clip)...)
		if code != 0 {
			t.Fatalf("%s: exit %d, %s", c.args, code, errs)
		}
		events, _ := parseReplayed(t, out)
		if len(events) != c.events || c.events == 1 && (events[0].Start < c.start-0.2 || events[0].Start > c.start+0.8) {
			t.Errorf("%s: %s", c.args, out)
		}
	}
}

// TestReplayOpenEvent closes on the last frame.
func TestReplayOpenEvent(t *testing.T) {
	_, out, _ := replayed(t, y4m(50), "--json", "-")
	if events, last := parseReplayed(t, out); len(events) != 1 || events[0].EndFrame != 49 || last.Frames != 50 {
		t.Error(out)
	}
}

func TestReplayMasks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "masks")
	code, out, errs := replayed(t, y4m(60), "--masks", dir, "--json", "-")
	if code != 0 {
		t.Fatalf("exit %d, %s %s", code, out, errs)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 60 || files[0].Name() != "000000.png" || files[59].Name() != "000059.png" {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for n, c := range map[int]struct{ white bool }{10: {false}, 45: {true}} {
		f, err := os.Open(filepath.Join(dir, fmt.Sprintf("%06d.png", n)))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		f.Close()
		if err != nil || img.Bounds().Dx() != 160 || img.Bounds().Dy() != 120 {
			t.Fatalf("frame %d: %v %v", n, img.Bounds(), err)
		}
		// The middle of the walker in frame 45, and a corner.
		if got := img.At(72, 64) == (color.Gray{255}); got != c.white {
			t.Errorf("frame %d: walker white is %v", n, got)
		}
		if img.At(2, 2) != (color.Gray{0}) {
			t.Errorf("frame %d: the corner is white", n)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	whole := y4m(100)
	cut := writeClip(t, "cut.y4m", whole[:len(whole)-20000])
	text := writeClip(t, "text.y4m", []byte("not a video\n"))
	good := writeClip(t, "good.y4m", y4m(20))
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		says   string
		prints string
	}{
		{"nothing", nil, 2, "CLIP", ""},
		{"unknown flag", []string{"--speed", "3", good}, 2, "speed", ""},
		{"zone of three", []string{"--zone", "1,2,3", good}, 2, "X,Y,WIDTH,HEIGHT", ""},
		{"empty zone", []string{"--zone", "1,2,0,3", good}, 2, "X,Y,WIDTH,HEIGHT", ""},
		{"rate of 0", []string{"--fps", "0", good}, 2, "frames a second", ""},
		{"zone outside", []string{"--zone", "160,0,10,10", good}, 1, "160 x 120", ""},
		{"missing", []string{"/nonexistent.mp4"}, 1, "no such file", ""},
		{"not a video", []string{text}, 1, "text.y4m", ""},
		{"truncated", []string{cut, "--json"}, 1, "truncated", `"event":1`},
		{"the others go on", []string{text, good}, 1, "text.y4m", "20 frames"},
		{"masks where a file is", []string{"--masks", text, good}, 1, "folder", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := replayed(t, nil, c.args...)
			if code != c.code || !strings.Contains(errs, c.says) || strings.Count(errs, "\n") != 1 || !strings.Contains(out, c.prints) || c.prints == "" && out != "" {
				t.Errorf("exit %d, stderr %q, stdout %q", code, errs, out)
			}
		})
	}
}

// labelledClip is a clip with the truth about its events, frames from 0, inclusive.
type labelledClip struct {
	File   string
	FPS    float64
	Frames uint64
	Events [][2]float64 // nil: not labelled
}

// labelledClips are the recorded ones, or a generated one that stands in.
func labelledClips(t *testing.T) []labelledClip {
	dir := need.Clips()
	if dir == "" {
		t.Log("no recorded clips (WATCHPOST_CLIPS): a generated one stands in")
		return []labelledClip{{writeClip(t, "generated.y4m", y4m(100)), 10, 100, [][2]float64{{30, 69}}}}
	}
	need.Program(t, "ffmpeg", "ffmpeg")
	data, err := os.ReadFile(filepath.Join(dir, "labels.json"))
	if err != nil {
		t.Fatal(err)
	}
	var labels struct{ Clips []labelledClip }
	if err := json.Unmarshal(data, &labels); err != nil {
		t.Fatal(err)
	}
	for i := range labels.Clips {
		labels.Clips[i].File = filepath.Join(dir, labels.Clips[i].File)
	}
	return labels.Clips
}

// TestReplayLabelledClips plays the clips at the defaults: every visit is one
// event, and there is no false one.
func TestReplayLabelledClips(t *testing.T) {
	for _, c := range labelledClips(t) {
		t.Run(filepath.Base(c.File), func(t *testing.T) {
			code, out, errs := replayed(t, nil, "--json", c.File)
			if code != 0 {
				t.Fatalf("exit %d, %s", code, errs)
			}
			t.Log("\n" + out)
			events, last := parseReplayed(t, out)
			if last.Frames != c.Frames {
				t.Errorf("%d frames, want %d", last.Frames, c.Frames)
			}
			if c.Events == nil {
				return
			}
			if len(events) != len(c.Events) {
				t.Fatalf("%d events, want %d", len(events), len(c.Events))
			}
			for i, e := range events {
				start, end := (float64(e.StartFrame)-c.Events[i][0])/c.FPS, (float64(e.EndFrame)-c.Events[i][1])/c.FPS
				if start < -1 || start > 2 || math.Abs(end) > 2 {
					t.Errorf("event %d starts %.1f s and ends %.1f s after the truth", e.Event, start, end)
				}
			}
		})
	}
}
