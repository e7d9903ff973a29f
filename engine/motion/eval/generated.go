package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"watchpost/engine/frame"
	"watchpost/engine/motion"
	"watchpost/engine/motion/scenes"
)

const (
	eventFPS = 15 // the camera's default
	idleFPS  = 10
	quality  = 80 // of JPEG
)

// jobs lists the work and the rows that it fills.
func (e *evaluation) jobs() (jobs []func(context.Context) error, rows []*row, err error) {
	clips, err := e.recorded()
	if err != nil {
		return nil, nil, err
	}
	for _, l := range clips {
		if r := (&row{name: clipName(l.File), about: "recorded, " + l.Size, clip: true}); e.only.MatchString(r.name) {
			rows = append(rows, r)
			jobs = append(jobs, func(ctx context.Context) error { return e.clip(ctx, l, r) })
		}
	}
	for _, name := range scenes.Names() {
		if !e.only.MatchString(name) {
			continue
		}
		open := func(idle time.Duration) *scenes.Scene {
			o := scenes.Options{Width: e.w, Height: e.h, FPS: eventFPS, Seed: e.seed}
			if idle > 0 { // another seed: not the same rain
				o.FPS, o.Seed, o.Idle, o.Seconds = idleFPS, e.seed+1, true, idle.Seconds()
			}
			return scenes.Open(name, o)
		}
		s := open(0)
		if s == nil {
			return nil, nil, fmt.Errorf("a size of %dx%d: give multiples of 8", e.w, e.h)
		}
		r := &row{name: name, about: s.About, reported: s.Reported}
		rows = append(rows, r)
		jobs = append(jobs, func(ctx context.Context) error { return e.generated(ctx, s, r) })
		if e.idle <= 0 {
			continue
		}
		base := open(e.idleBase)
		if base == nil {
			continue
		}
		if base.Damaged() { // both see JPEG, for as long as the baseline
			jobs = append(jobs, func(ctx context.Context) error { return e.damagedIdle(ctx, base, r) })
			continue
		}
		jobs = append(jobs, func(ctx context.Context) error { return idleBaseline(ctx, base, r) },
			func(ctx context.Context) error { return idleDetector(ctx, open(e.idle), r) })
	}
	return jobs, rows, nil
}

// generated runs a scene with visitors through both.
func (e *evaluation) generated(ctx context.Context, s *scenes.Scene, r *row) error {
	found, base, err := e.play(ctx, s, &r.ours.pixels, &r.base.pixels)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	r.truth = s.Events()
	labels, err := e.labels(s.Name, s.FPS(), r.truth)
	if err != nil {
		return err
	}
	if err := e.judge(ctx, &r.ours, labels, s.Name, found); err != nil {
		return err
	}
	return e.judge(ctx, &r.base, labels, s.Name, base)
}

// play runs a scene through replay and the baseline and returns what both found.
func (e *evaluation) play(ctx context.Context, s *scenes.Scene, ours, base *pixels) (found, baseFound []span, err error) {
	dir, err := os.MkdirTemp(e.temp, s.Name)
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	masks, pictures := filepath.Join(dir, "masks"), filepath.Join(dir, "pictures")
	args := []string{"replay", "--json", "--masks", masks, "--fps", fmt.Sprint(s.FPS())}
	w, h := s.Size()
	b := newBaseline(w, h, s.FPS())
	r := scenes.NewRenderer(s)
	truths := make([][]byte, s.Frames()) // nil: nothing
	each := func(k int, pic *scenes.Picture, luma []byte) {
		if luma != nil {
			b.step(k, luma)
		} else {
			clear(b.mask) // a picture that cannot be read
		}
		base.add(b.mask, pic.Truth)
		if bytes.IndexByte(pic.Truth, 1) >= 0 {
			truths[k] = pack(pic.Truth)
		}
	}
	var out []byte
	if s.Damaged() {
		if err := writeJPEGs(pictures, s, r, each); err != nil {
			return nil, nil, err
		}
		out, err = exec.CommandContext(ctx, e.watchpost, append(args, pictures)...).Output()
	} else {
		out, err = pipe(exec.CommandContext(ctx, e.watchpost, append(args, "-")...), func(w io.Writer) error {
			return writeY4M(w, s, r, each)
		})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("replay: %w", err)
	}
	b.close()
	if found, err = events(out); err != nil {
		return nil, nil, err
	}
	return found, b.found, compare(ours, masks, w, h, truths)
}

// pipe runs a command with what write gives it on standard input and returns its output.
func pipe(cmd *exec.Cmd, write func(io.Writer) error) ([]byte, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(in, 1<<20)
	werr := errors.Join(write(w), w.Flush(), in.Close())
	if err := cmd.Wait(); err != nil {
		return nil, err
	}
	return out.Bytes(), werr
}

// writeY4M writes a scene as YUV4MPEG2, full range, with flat chroma.
func writeY4M(w io.Writer, s *scenes.Scene, r *scenes.Renderer, each func(int, *scenes.Picture, []byte)) error {
	width, height := s.Size()
	if _, err := fmt.Fprintf(w, "YUV4MPEG2 W%d H%d F%d:1000 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n", width, height, int(s.FPS()*1000)); err != nil {
		return err
	}
	flat := make([]byte, width*height/2)
	for k := range s.Frames() {
		pic := r.Picture()
		fill(flat, pic)
		for _, part := range [][]byte{[]byte("FRAME\n"), pic.Luma, flat} {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		each(k, pic, pic.Luma)
	}
	return nil
}

// fill makes the chroma planes of a picture.
func fill(flat []byte, pic *scenes.Picture) {
	half := len(flat) / 2
	for i := range half {
		flat[i], flat[half+i] = pic.Cb, pic.Cr
	}
}

// writeJPEGs writes a scene as a folder of JPEG files, each as it arrives.
func writeJPEGs(dir string, s *scenes.Scene, r *scenes.Renderer, each func(int, *scenes.Picture, []byte)) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	width, height := s.Size()
	flat := make([]byte, width*height/2)
	for k := range s.Frames() {
		pic := r.Picture()
		fill(flat, pic)
		var b bytes.Buffer
		half := len(flat) / 2
		err := jpeg.Encode(&b, &image.YCbCr{Y: pic.Luma, Cb: flat[:half], Cr: flat[half:], YStride: width, CStride: width / 2,
			SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, width, height)}, &jpeg.Options{Quality: quality})
		if err != nil {
			return err
		}
		data := s.Damage(k, b.Bytes())
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d.jpg", k)), data, 0o600); err != nil {
			return err
		}
		var luma []byte
		if img, err := jpeg.Decode(bytes.NewReader(data)); err == nil {
			if y, ok := img.(*image.YCbCr); ok && y.Rect.Dx() == width && y.Rect.Dy() == height && y.YStride == width {
				luma = y.Y
			}
		}
		each(k, pic, luma)
	}
	return nil
}

// compare counts the masks that replay wrote against the truth.
func compare(p *pixels, dir string, width, height int, truths [][]byte) error {
	empty, full := make([]byte, width*height), make([]byte, width*height)
	for k, packed := range truths {
		f, err := os.Open(filepath.Join(dir, fmt.Sprintf("%06d.png", k)))
		if err != nil {
			return err
		}
		img, err := png.Decode(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("mask %d: %w", k, err)
		}
		g, ok := img.(*image.Gray)
		if !ok || g.Rect.Dx() != width || g.Rect.Dy() != height {
			return fmt.Errorf("mask %d is %T, %v", k, img, img.Bounds())
		}
		truth := empty
		if packed != nil {
			truth = full
			unpack(full, packed)
		}
		p.add(g.Pix, truth)
	}
	return nil
}

// pack keeps eight pixels in a byte.
func pack(mask []byte) []byte {
	out := make([]byte, (len(mask)+7)/8)
	for i, m := range mask {
		out[i/8] |= m << (i % 8)
	}
	return out
}

func unpack(mask, packed []byte) {
	for i := range mask {
		mask[i] = packed[i/8] >> (i % 8) & 1
	}
}

// idleDetector feeds the detector the means of a scene with nobody there.
func idleDetector(ctx context.Context, s *scenes.Scene, r *row) error {
	d := motion.New([]motion.Params{{Threshold: 5, Sensitivity: 5}})
	render := scenes.NewRenderer(s)
	var p frame.Plane
	var found []span
	take := func(k int, m motion.Result) {
		if m.Started {
			found = append(found, span{Start: k})
		}
		if m.Ended {
			found[len(found)-1].End = int(m.LastMovingSeq)
		}
	}
	for k := range s.Frames() {
		render.Plane(&p)
		at := time.Duration(float64(k) / s.FPS() * float64(time.Second))
		take(k, d.Step(&p, uint64(k), at)[0])
		if k%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	take(s.Frames()-1, d.Close()[0])
	r.ours.alarms(found, s)
	return nil
}

func idleBaseline(ctx context.Context, s *scenes.Scene, r *row) error {
	w, h := s.Size()
	b := newBaseline(w, h, s.FPS())
	render := scenes.NewRenderer(s)
	for k := range s.Frames() {
		b.step(k, render.Picture().Luma)
		if k%100 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	b.close()
	r.base.alarms(b.found, s)
	return nil
}

// damagedIdle is both at once, through JPEG and replay.
func (e *evaluation) damagedIdle(ctx context.Context, s *scenes.Scene, r *row) error {
	var none pixels
	found, base, err := e.play(ctx, s, &none, &none)
	if err != nil {
		return fmt.Errorf("%s, idle: %w", s.Name, err)
	}
	r.ours.alarms(found, s)
	r.base.alarms(base, s)
	return nil
}

// alarms takes the events of a scene with nobody there.
func (r *result) alarms(found []span, s *scenes.Scene) {
	hours := float64(s.Frames()) / s.FPS() / 3600
	length := 0
	for _, f := range found {
		length += f.End - f.Start + 1
	}
	r.hasIdle, r.idle = true, float64(len(found))/hours
	r.minutes = float64(length) / s.FPS() / 60 / hours
}
