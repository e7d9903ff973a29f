package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"watchpost/engine/config"
	port "watchpost/hw/serial"
	"watchpost/tui"
	"watchpost/tui/plain"
	"watchpost/tui/serial"
	"watchpost/tui/sshd"
	"watchpost/tui/term"
)

// newConsoles are the serial consoles of a service on the configuration of file.
func newConsoles(s *service, file *config.File) *serial.Consoles {
	path := resolved(file.Path()) // of the commands, which may run in any folder
	return serial.New(serial.Options{
		Settings: func() serial.Settings {
			now, err := s.engine.Config(context.Background()) // it is in memory
			if err != nil {
				return serial.Settings{}
			}
			return serial.Settings{Consoles: now.Config.Serial, Site: now.Config.Site.Name, Password: s.engine.Login("console.password")}
		},
		Open: func(c config.Serial) (serial.Port, error) {
			p, err := port.Open(c.Device, port.Config{Baud: c.Baud, Flow: c.Flow})
			if err != nil { // not a nil *Port in an interface
				return nil, err
			}
			return p, nil
		},
		Show: func(ctx context.Context, line *term.Line) error {
			if t := term.Of(line.Env); t.Dumb {
				return plain.Session(ctx, s.engine, prompts(line, t, &far{config: path}))
			}
			return tui.Run(ctx, s.engine, tui.Options{Line: line, Rights: tui.Rights{Commands: true}, Attached: true, Keys: boxKeys{s.engine, path}})
		},
		Problem: consoleProblem,
		Log:     s.log,
	})
}

// prompts are the plain session on a line that can do nothing else.
func prompts(line *term.Line, t term.Terminal, who *far) plain.Options {
	o := plain.Options{In: line.Port, Out: line.Port, Raw: true, ASCII: !t.UTF8, Operator: who.operator}
	for _, f := range farCommands {
		i := slices.IndexFunc(commands(), func(c command) bool { return c.name == f.name })
		c := plain.Command{Name: f.name, Usage: forOperator(f.usage, who.operator), About: commands()[i].about}
		switch {
		case who.operator && !f.operator, f.name == "test-mail": // which is test here
			continue
		case f.name == "doctor":
			c.Usage, c.About = "doctor --transfer NAME", "tries the way of images to a transfer"
		case f.name == "events":
			c.Usage, c.About = "events list [FILTERS] | show ID", "the stored events; FILTERS: --trigger NAME --from T --to T --before ID -n N"
		}
		o.Commands = append(o.Commands, c)
	}
	o.Do = func(ctx context.Context, line string, out io.Writer) {
		words, ok := sshd.Words(line)
		if !ok {
			fmt.Fprintln(out, "A quotation mark is not closed.")
			return
		}
		if len(words) > 1 && words[0] == "events" && words[1] == "export" {
			fmt.Fprintln(out, "Images are no text: fetch them with sftp, or export them on the box.")
			return
		}
		runFar(ctx, words, streams{in: strings.NewReader(""), out: out, err: out, far: who})
	}
	return o
}

// consoleProblem makes a sentence of why a port cannot be opened, with what to do.
func consoleProblem(c config.Serial, err error) (text string, taken bool) {
	var by *port.TakenError
	switch {
	case errors.As(err, &by):
		return by.Error(), true
	case errors.Is(err, fs.ErrNotExist):
		return c.Device + " is not there: plug it in, or correct its name on the System page", false
	case errors.Is(err, fs.ErrPermission):
		return c.Device + " may not be opened by this service: add its user to the group dialout, then start it again", false
	case errors.Is(err, port.ErrNotSerial):
		return c.Device + " is no serial port: correct its name on the System page", false
	}
	return err.Error(), false
}
