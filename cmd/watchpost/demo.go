package main

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sync/errgroup"

	"watchpost/engine"
	"watchpost/engine/config"
	"watchpost/mail/sink"
)

const demoMails = 20 // that the embedded mail server keeps

// runDemo shows the product without hardware and without a configuration: a
// generated scene as the camera, an embedded mail server, a folder that goes
// away at the end. why says, where it was not asked for, what was not found.
func runDemo(ctx context.Context, f *flags, why string, show func(context.Context, engine.API) error) int {
	sweepDemos()
	dir, err := os.MkdirTemp("", fmt.Sprintf("watchpost-demo-%d-", os.Getpid()))
	if err != nil {
		return f.failed(err)
	}
	defer os.RemoveAll(dir)
	server := sink.New(demoMails)
	addr, err := server.Listen()
	if err != nil {
		return f.failed(fmt.Errorf("demo: the embedded mail server: %w", err))
	}
	path := filepath.Join(dir, "watchpost.yaml")
	if err := os.WriteFile(path, demoConfig(addr, dir), 0o600); err != nil {
		return f.failed(err)
	}
	var known []string
	text := "a generated scene, an embedded mail server; nothing is kept"
	if why != "" {
		text = "no configuration and no camera were found; nothing is kept"
		known = []string{why + "; then start again, or name one: watchpost set camera.source v4l2:/dev/video0"}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return server.Run(ctx) })
	g.Go(func() error {
		defer cancel()
		srv, err := begin{file: config.Open(path), mode: "demo", demo: text, known: known, log: fileLog, inbox: func() []string { return inbox(server) }}.open()
		if err != nil {
			return err
		}
		return beside(ctx, srv, show)
	})
	err = g.Wait()
	if ctx.Err() != nil && err == context.Canceled {
		err = nil
	}
	return f.result(err)
}

// sweepDemos removes the folders of demos that were killed.
func sweepDemos() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), "watchpost-demo-*-*"))
	for _, dir := range left {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(dir), "watchpost-demo-%d-", &pid); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(dir)
		}
	}
}

func demoConfig(addr, dir string) []byte {
	host, port, _ := net.SplitHostPort(addr)
	return fmt.Appendf(nil, `version: 1
site: {name: Demo}
camera: {source: "scene:"}
smtp: {server: %q, port: %s, security: none}
mail: {reply_address: camera@demo.invalid, destinations: [guard@demo.invalid], subject: CameraNotification, hold_off: 15s}
triggers:
  - {name: yard, source: motion, post: 3s}
storage: {directory: %q, max_bytes: 50MB}
`, host, port, dir)
}

// inbox is what the screen shows of the mails that arrived.
func inbox(server *sink.Server) []string {
	var lines []string
	for _, m := range server.Messages() {
		subject := "a mail that cannot be read"
		if parsed, err := netmail.ReadMessage(bytes.NewReader(m.Data)); err == nil {
			if subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
				subject = parsed.Header.Get("Subject")
			}
		}
		lines = append(lines, fmt.Sprintf("%s  %s  %d kB", m.At.Format("15:04:05"), subject, (len(m.Data)+999)/1000))
	}
	return lines
}
