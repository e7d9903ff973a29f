package serial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/secret"
	"watchpost/tui/plain"
	"watchpost/tui/term"
)

// console is one port's. Its goroutine owns it but for state.
type console struct {
	all    *Consoles
	config config.Serial
	cancel context.CancelCauseFunc
	done   chan struct{}

	wrong int  // passwords in a row
	there bool // the port was open once: that it is not now is no fault of the settings

	mu    sync.Mutex
	state event.Way
}

func (c *console) now() event.Way {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// tell notes the state; the journal of the operator has a line for each problem and its end.
func (c *console) tell(state, problem string, quiet bool) {
	c.mu.Lock()
	was := c.state
	c.state.State, c.state.Problem, c.state.Quiet = state, problem, quiet
	c.mu.Unlock()
	switch {
	case problem != "" && problem != was.Problem:
		c.all.Log.Warn("serial console", "device", c.config.Device, "problem", problem)
	case state == "ready" && was.State != "in use" && was.State != state:
		c.all.Log.Info("serial console", "device", c.config.Device, "is", how(c.config))
	}
}

// run opens the port, again and again, and greets on it.
func (c *console) run(ctx context.Context) {
	for ctx.Err() == nil {
		again := c.all.retry
		port, err := c.all.Open(c.config)
		if err == nil {
			c.there = true
			err = c.serve(ctx, port)
			port.Close()
			if ctx.Err() != nil {
				return
			}
			c.tell("absent", "the line was lost ("+err.Error()+"); it is opened again when it is back", true)
		} else {
			text, taken := c.all.Problem(c.config, err)
			switch {
			case taken:
				c.tell("taken", text, false)
				again *= retryTaken / retryAfter
			case errors.Is(err, fs.ErrNotExist):
				c.tell("absent", text, c.there)
			default:
				c.tell("failed", text, false)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// serve greets and shows the interface in turn until the line is gone (its error) or
// ctx ends.
func (c *console) serve(ctx context.Context, port Port) error {
	k := &keys{Port: port}
	asleep := k.wakes(ctx)
	defer asleep()
	last := func(err error) error {
		asleep()
		if why := context.Cause(ctx); why != nil {
			k.say(why.Error()) // to whoever is there
		}
		return err
	}
	for {
		c.tell("ready", "", false)
		if err := c.greet(ctx, k); err != nil {
			return last(err)
		}
		ok, err := c.login(ctx, k)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return last(err)
		}
		if !ok || err != nil {
			continue
		}
		c.tell("in use", "", false)
		if err := c.session(ctx, k); err != nil {
			return last(err)
		}
	}
}

// greet waits for Enter: CR, LF or both.
func (c *console) greet(ctx context.Context, k *keys) error {
	name := term.ASCII(c.all.Settings().Site)
	if name != "" {
		name = ", " + oneLine(name)
	}
	if err := k.say("Watchpost" + name + ". Press Enter to begin."); err != nil {
		return err
	}
	if err := k.within(ctx, 0); err != nil {
		return err
	}
	var b [1]byte
	for {
		n, err := k.Read(b[:])
		if err != nil {
			return err
		}
		if n > 0 && (b[0] == '\r' || b[0] == '\n') {
			k.after = b[0] == '\r'
			return nil
		}
	}
}

// login asks for the password where one is set. A wrong one is paid for with time,
// more for each in a row; what is typed meanwhile is thrown away.
func (c *console) login(ctx context.Context, k *keys) (bool, error) {
	kept := c.all.Settings().Password
	if kept == "" {
		return true, nil
	}
	if err := k.within(ctx, loginTime); err != nil {
		return false, err
	}
	k.unbounded()
	p := plain.NewPrompt(plain.Options{In: one{k}, Out: k, Raw: true, ASCII: true})
	typed, err := p.AskSecret("Password: ")
	k.after = true // whatever ended it
	switch {
	case k.gone() != nil:
		return false, k.gone()
	case errors.Is(err, plain.ErrLeft), errors.Is(err, io.EOF), err == nil && typed == "":
		return false, nil
	case err != nil:
		return false, err
	}
	if secret.Matches(kept, typed) {
		c.wrong = 0
		return true, nil
	}
	c.wrong++
	d := c.all.penalty(c.wrong)
	c.all.Log.Warn("serial console: a wrong password", "device", c.config.Device, "in a row", c.wrong)
	if err := k.say(fmt.Sprintf("That is not it. Wait %.0f s.", max(1, d.Seconds()))); err != nil {
		return false, err
	}
	return false, k.deaf(ctx, d)
}

// session shows the interface until the person leaves, or for long types nothing.
func (c *console) session(ctx context.Context, k *keys) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	asleep := k.wakes(inner)
	defer asleep()
	idle := time.AfterFunc(c.all.idle, func() { cancel(errIdle) })
	defer idle.Stop()
	k.typed = func() { idle.Reset(c.all.idle) }
	defer func() { k.typed = nil }()
	if err := k.within(inner, 0); err != nil {
		return err
	}
	k.unbounded()
	err := c.all.Show(inner, &term.Line{Port: k, Env: []string{"TERM=" + c.config.Term}, Baud: c.config.Baud})
	asleep()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case k.gone() != nil:
		return k.gone()
	case context.Cause(inner) == errIdle:
		k.say(errIdle.Error())
	case err != nil:
		c.all.Log.Warn("serial console", "device", c.config.Device, "problem", err)
		k.say(term.ASCII(oneLine(err.Error())))
	}
	return nil
}

// oneLine makes a text harmless for a line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// keys is a port of which it is known what came last: a line feed behind a carriage
// return that was taken as Enter is no key of its own, and who types is there.
type keys struct {
	Port
	after bool   // the byte before was such a carriage return
	typed func() // something came

	mu  sync.Mutex
	err error
}

func (k *keys) Read(p []byte) (int, error) {
	for {
		n, err := k.Port.Read(p)
		if n > 0 && k.typed != nil {
			k.typed()
		}
		if n > 0 && k.after {
			k.after = false
			if p[0] == '\n' {
				n = copy(p, p[1:n])
				if n == 0 && err == nil {
					continue
				}
			}
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			k.mu.Lock()
			k.err = err
			k.mu.Unlock()
		}
		return n, err
	}
}

// gone is why the line has ended, or nil.
func (k *keys) gone() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// wakes ends what waits for the line when ctx ends; whoever sets a deadline looks at
// ctx after that. When what it returns has returned, nothing of the kind comes any more.
func (k *keys) wakes(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	off := context.AfterFunc(ctx, func() {
		defer close(done)
		k.SetReadDeadline(time.Unix(1, 0))
		k.SetWriteDeadline(time.Unix(1, 0))
	})
	return sync.OnceFunc(func() {
		if !off() {
			<-done
		}
	})
}

// within bounds the reads to come (0: does not), unless ctx has ended.
func (k *keys) within(ctx context.Context, d time.Duration) error {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	if err := k.SetReadDeadline(at); err != nil {
		return err
	}
	return ctx.Err()
}

// unbounded lets writes wait for a line that is stopped: its person has stopped it.
func (k *keys) unbounded() { k.SetWriteDeadline(time.Time{}) }

// say writes a line of its own. What a stopped line does not take is lost.
func (k *keys) say(text string) error {
	k.SetWriteDeadline(time.Now().Add(lastWords))
	_, err := io.WriteString(k.Port, "\r\n"+text+"\r\n")
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// deaf throws away what is typed for so long.
func (k *keys) deaf(ctx context.Context, d time.Duration) error {
	if err := k.within(ctx, d); err != nil {
		return err
	}
	buf := make([]byte, 64)
	for {
		_, err := k.Read(buf)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		}
	}
}

// one reads a byte at a time, so that nothing is read ahead of a prompt that ends.
type one struct{ io.Reader }

func (o one) Read(p []byte) (int, error) { return o.Reader.Read(p[:min(1, len(p))]) }
