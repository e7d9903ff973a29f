package tui

import (
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/tui/term"
)

// remote runs the interface on a line that is no terminal of this system.
func remote(t *testing.T, f *fake, line term.Line) (far net.Conn, near net.Conn, cancel func(), done chan error) {
	t.Helper()
	far, near = net.Pipe()
	t.Cleanup(func() { far.Close(); near.Close() })
	line.Port = near
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	done = make(chan error, 1)
	go func() {
		done <- Run(ctx, f, Options{Line: &line, Now: func() time.Time { return noon }})
	}()
	return far, near, cancel, done
}

// comes reads the far end of a line until text has come, and returns all of it.
func comes(t *testing.T, far interface {
	io.Reader
	SetReadDeadline(time.Time) error
}, text string) string {
	t.Helper()
	var got strings.Builder
	buf := make([]byte, 4096)
	far.SetReadDeadline(time.Now().Add(patience))
	for !strings.Contains(got.String(), text) {
		n, err := far.Read(buf)
		if err != nil {
			t.Fatalf("%q does not come: %v; got %q", text, err, got.String())
		}
		got.Write(buf[:n])
	}
	return got.String()
}

func ended(t *testing.T, far net.Conn, done chan error) error {
	t.Helper()
	far.SetReadDeadline(time.Time{})
	go func() { // the last frame
		for buf := make([]byte, 4096); ; {
			if _, err := far.Read(buf); err != nil {
				return
			}
		}
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("Run does not return")
		return nil
	}
}

// A line feed alone would make stairs of the screen.
func TestRemoteLine(t *testing.T) {
	sizes := make(chan term.Size, 1)
	far, near, cancel, done := remote(t, newFake(), term.Line{Env: []string{"TERM=xterm", "LANG=C.UTF-8"}, Size: term.Size{Width: 100, Height: 30}, Resized: sizes})
	got := comes(t, far, "7 System")
	if m := regexp.MustCompile(`[^\r]\n`).FindString(got); m != "" {
		t.Errorf("a bare line feed: %q", m)
	}
	if strings.Contains(got, term.AskSize) {
		t.Error("a line that tells its size was asked for it")
	}
	sizes <- term.Size{Width: 40, Height: 10}
	comes(t, far, "Watchpost needs 60 columns")
	cancel()
	if err := ended(t, far, done); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// Whoever reads the line next gets what is typed.
	go far.Write([]byte("next"))
	buf := make([]byte, 10)
	near.SetReadDeadline(time.Now().Add(patience))
	if n, err := near.Read(buf); string(buf[:n]) != "next" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

func TestRemoteLineHangsUp(t *testing.T) {
	far, _, _, done := remote(t, newFake(), term.Line{Env: []string{"TERM=vt100"}, Baud: 9600})
	comes(t, far, term.AskSize)
	far.Close()
	select {
	case err := <-done:
		if !errors.Is(err, ErrGone) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("Run does not return")
	}
}

func TestRights(t *testing.T) {
	f := newFake()
	rev := f.settings.Revision
	pipe := []config.Change{{Key: "camera.source", Value: "pipe:true"}}
	for _, c := range []struct {
		name   string
		rights Rights
		do     func(Backend) error
		want   error
	}{
		{"installer's field", Rights{}, func(b Backend) error {
			_, _, err := b.Apply(t.Context(), rev, []config.Change{{Key: "site.name", Value: "x"}})
			return err
		}, nil},
		{"installer's command", Rights{}, func(b Backend) error { _, _, err := b.Apply(t.Context(), rev, pipe); return err }, ErrBoxOnly},
		{"installer's file of keys", Rights{}, func(b Backend) error {
			_, _, err := b.Apply(t.Context(), rev, []config.Change{{Key: "ssh.authorized_keys", Value: "/root/.ssh/authorized_keys"}})
			return err
		}, ErrBoxOnly},
		{"local command", Rights{Commands: true}, func(b Backend) error { _, _, err := b.Apply(t.Context(), rev, pipe); return err }, nil},
		{"operator's field", Rights{Operator: true}, func(b Backend) error { _, _, err := b.Apply(t.Context(), rev, nil); return err }, ErrOperator},
		{"operator's command", Rights{Operator: true, Commands: true}, func(b Backend) error { _, _, err := b.Apply(t.Context(), rev, pipe); return err }, ErrOperator},
		{"operator's drop", Rights{Operator: true}, func(b Backend) error { return b.Drop(t.Context(), "x") }, ErrOperator},
		{"operator's removal", Rights{Operator: true}, func(b Backend) error { _, err := b.RemoveEvents(t.Context(), event.Filter{}); return err }, ErrOperator},
		{"operator's privacy", Rights{Operator: true}, func(b Backend) error { return b.Privacy(t.Context(), true) }, ErrOperator},
		{"operator's test", Rights{Operator: true}, func(b Backend) error { _, err := b.TestMail(t.Context()); return err }, ErrOperator},
		{"operator's diagnosis", Rights{Operator: true}, func(b Backend) error { _, err := b.Diagnose(t.Context(), nil, nil); return err }, ErrOperator},
		{"operator's trial", Rights{Operator: true}, func(b Backend) error { _, err := b.DiagnoseTransfer(t.Context(), "nas", nil, nil); return err }, ErrOperator},
		{"operator's good settings", Rights{Operator: true}, func(b Backend) error { _, err := b.Revert(t.Context()); return err }, ErrOperator},
	} {
		if err := c.do(c.rights.Limit(f)); c.want == nil && (errors.Is(err, ErrOperator) || errors.Is(err, ErrBoxOnly)) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for name, do := range map[string]func(Backend) error{
		"fire":  func(b Backend) error { _, err := b.Fire(t.Context(), "yard"); return err },
		"retry": func(b Backend) error { return b.Retry(t.Context(), "") },
	} {
		if err := do(Rights{Operator: true}.Limit(f)); errors.Is(err, ErrOperator) {
			t.Errorf("an operator may not %s", name)
		}
	}
}
