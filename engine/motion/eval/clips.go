package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// recorded returns the clips of the label file.
func (e *evaluation) recorded() ([]label, error) {
	b, err := os.ReadFile(filepath.Join(e.clips, "labels.json"))
	if err != nil {
		return nil, err
	}
	var t truth
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, fmt.Errorf("labels.json: %w", err)
	}
	return t.Clips, nil
}

// clip runs a recorded clip through both.
func (e *evaluation) clip(ctx context.Context, l label, r *row) error {
	r.truth = l.Events
	path := filepath.Join(e.clips, l.File)
	out, err := exec.CommandContext(ctx, e.watchpost, "replay", "--json", path).Output()
	if err != nil {
		return fmt.Errorf("replay of %s: %w", l.File, err)
	}
	found, err := events(out)
	if err != nil {
		return err
	}
	if err := e.judge(ctx, &r.ours, "", l.File, found); err != nil {
		return err
	}
	var w, h int
	if _, err := fmt.Sscanf(l.Size, "%dx%d", &w, &h); err != nil {
		return fmt.Errorf("%s: size %q: %w", l.File, l.Size, err)
	}
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b := newBaseline(w, h, l.FPS)
	in, luma := bufio.NewReaderSize(pipe, 1<<20), make([]byte, w*h)
	for k := 0; ; k++ {
		if _, err = io.ReadFull(in, luma); err != nil {
			break
		}
		b.step(k, luma)
	}
	b.close()
	if werr := cmd.Wait(); werr != nil || err != io.EOF {
		return fmt.Errorf("ffmpeg, %s: %v, %v", l.File, werr, err)
	}
	return e.judge(ctx, &r.base, "", l.File, b.found)
}

func clipName(file string) string { return strings.TrimSuffix(file, filepath.Ext(file)) }
