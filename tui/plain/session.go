package plain

import (
	"context"
	"errors"
	"strings"

	"watchpost/engine/event"
	"watchpost/tui"
)

// Session is the whole of Watchpost on a terminal that can do nothing but lines. It
// returns nil when the person leaves or the input ends, else why it could not go on.
func Session(ctx context.Context, b Backend, o Options) error {
	p := NewPrompt(o)
	call, cancel := context.WithTimeout(ctx, callTime)
	snap, _, err := b.Watch(call)
	cancel()
	if err != nil {
		p.Say("The engine does not answer: %s", tui.Because(err))
		return err
	}
	p.state(snap.Status)
	for {
		p.Say("")
		answer, err := p.Ask("Command (? lists them): ")
		switch {
		case errors.Is(err, ErrLeft), ended(err):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		name, _, _ := strings.Cut(strings.TrimSpace(answer), " ")
		switch name {
		case "":
			continue
		case "leave", "exit", "quit", "q":
			return nil
		}
		if err := p.command(ctx, b, name, answer); ended(err) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// own are the words that are always there; those of an installer only.
func (p *Prompt) own() []Command {
	if p.o.Operator {
		return nil
	}
	return []Command{
		{"setup", "setup", "asks for the settings, one by one"},
		{"diagnose", "diagnose", "tries the way to the mail server; nothing is sent"},
		{"test", "test", "sends a test mail and follows it"},
	}
}

func (p *Prompt) command(ctx context.Context, b Backend, name, line string) error {
	for _, c := range p.own() {
		if c.Name != name {
			continue
		}
		switch name {
		case "setup":
			err := setUp(ctx, b, p)
			switch {
			case p.err != nil:
				return p.err
			case errors.Is(err, ErrLeft), errors.Is(err, ErrUnsaved):
				p.Say("Nothing was saved.")
			case ended(err), ctx.Err() != nil:
				return err
			case err != nil:
				p.Say("%s", tui.Because(err))
			}
		case "diagnose":
			diagnose(ctx, b, p, nil)
		case "test":
			send(ctx, b, p)
		}
		return p.err
	}
	for _, c := range p.o.Commands {
		if c.Name == name {
			p.o.Do(ctx, line, lines{p})
			return p.err
		}
	}
	if name != "?" && name != "help" {
		p.Say("There is no %s here.", name)
	}
	for _, c := range append(p.own(), p.o.Commands...) {
		p.Say("%s: %s", c.Usage, c.About)
	}
	p.Say("leave: ends this")
	return p.err
}

// state is what there is to know at once.
func (p *Prompt) state(s event.Status) {
	name := s.Site
	if name == "" {
		name = "Watchpost"
	}
	p.Say("%s: %s. Camera: %s. Mail: %d queued, %d held.", name, s.State, s.Camera.State, s.Queue.Queued+s.Queue.Deferred, s.Queue.Held)
	for _, problem := range s.Problems {
		p.Say("Problem: %s", problem)
	}
}

// lines takes what a command prints.
type lines struct{ p *Prompt }

func (l lines) Write(b []byte) (int, error) {
	text := strings.Split(string(b), "\n")
	for i := range text {
		text[i] = tui.Clean(text[i])
	}
	l.p.write(strings.Join(text, "\n"))
	if l.p.err != nil {
		return 0, l.p.err
	}
	return len(b), nil
}
