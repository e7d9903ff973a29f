package hw

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"watchpost/engine/frame"
)

// ffmpeg reads any container through the ffmpeg program, which decodes it to
// YUV4MPEG2 on a pipe. It never drops or doubles a picture.
type ffmpeg struct {
	*y4m
	cmd    *exec.Cmd
	cancel context.CancelFunc
	stderr *tail
	wait   func() error // reaps the child, once
	seen   bool         // a whole picture came
	mp4    bool         // the file starts as an MP4 does
}

func openFFmpeg(ctx context.Context, path string, mp4 bool) (reader, error) {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, errors.New("this kind of file needs ffmpeg, which is not installed: install the package ffmpeg, or convert the file to MJPEG or YUV4MPEG2")
	}
	ctx, cancel := context.WithCancel(ctx)
	// file: and the whitelist keep a name or a playlist from reaching the network.
	cmd := exec.CommandContext(ctx, program, "-nostdin", "-hide_banner", "-loglevel", "error",
		"-protocol_whitelist", "file", "-i", "file:"+path, "-map", "0:v:0",
		"-fps_mode", "passthrough", "-f", "yuv4mpegpipe", "-pix_fmt", "yuv420p", "-strict", "-1", "-")
	cmd.WaitDelay = 2 * time.Second
	f := &ffmpeg{cancel: cancel, stderr: &tail{}, mp4: mp4}
	cmd.Stderr = f.stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("starting ffmpeg: %w", err)
	}
	f.cmd, f.wait = cmd, sync.OnceValue(cmd.Wait)
	f.y4m, err = newY4M(bufio.NewReaderSize(out, 256<<10), nil)
	if err != nil {
		if errors.Is(err, ErrTruncated) || errors.Is(err, io.EOF) { // ffmpeg gave nothing: its own words say why
			err = f.ended()
		}
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *ffmpeg) next(fr *frame.Frame) error {
	err := f.y4m.next(fr)
	switch {
	case err == nil:
		f.seen = true
		return nil
	case err == io.EOF, errors.Is(err, ErrTruncated):
		return f.ended()
	}
	return err
}

// ended reaps ffmpeg, which has closed its output, and says why it ended.
// A file that is cut short is no failure to ffmpeg: only its messages tell.
func (f *ffmpeg) ended() error {
	failed := f.wait()
	last := f.stderr.last()
	switch {
	case f.stderr.cut(), failed != nil && f.mp4 && strings.Contains(last, "moov atom not found"):
		return fmt.Errorf("%w (ffmpeg: %s): copy the recording again", ErrTruncated, last)
	case failed == nil && f.seen:
		return io.EOF
	case f.seen:
		return fmt.Errorf("ffmpeg stopped: %s", orElse(last, failed))
	}
	return fmt.Errorf("not a video that ffmpeg can read: %s", orElse(last, failed))
}

// Close ends ffmpeg and reaps it.
func (f *ffmpeg) Close() error {
	f.cancel()
	f.wait() // how a child that was killed ended says nothing
	return nil
}

func orElse(s string, err error) string {
	switch {
	case s != "":
		return s
	case err != nil:
		return err.Error()
	}
	return "it has no picture"
}

// tail keeps the end of what a program says, 8 KiB at most, and whether any
// of it said that the file is cut short.
type tail struct {
	mu   sync.Mutex
	buf  []byte
	gone bool
}

var cutWords = [][]byte{[]byte("partial file"), []byte("ended prematurely"), []byte("Truncating packet")}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const limit = 8 << 10
	t.buf = append(t.buf, p[max(0, len(p)-limit):]...)
	for _, w := range cutWords {
		t.gone = t.gone || bytes.Contains(t.buf, w)
	}
	if over := len(t.buf) - limit; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) cut() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gone
}

// last returns the last line that says something, without the address that
// ffmpeg puts before it, at most 200 bytes.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.ToValidUTF8(string(t.buf), "?"), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		if line == "" {
			continue
		}
		// "Error opening …: Invalid data" repeats what the line before explains.
		if i > 0 && strings.HasSuffix(line, "Invalid data found when processing input") && strings.HasPrefix(lines[i-1], "[") {
			line = strings.TrimSpace(lines[i-1])
		}
		if _, rest, ok := strings.Cut(line, "] "); ok && line[0] == '[' {
			line = rest
		}
		return line[:min(len(line), 200)]
	}
	return ""
}
