package tui

import (
	"context"
	"errors"
	"strings"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Rights are what a session may do. The zero ones are an installer's who is
// elsewhere: everything but setting commands.
type Rights struct {
	// Operator may look, retry and fire, and nothing else.
	Operator bool
	// Commands lets the session set what runs a command (pipe: as the camera's
	// source) and which file keys are written to (config.BoxOnly): only who sits at
	// the box, or at its serial line, may.
	Commands bool
}

// Why something is refused.
var (
	ErrOperator = errors.New("this session is an operator's: it may look, retry and fire; an installer's key may do this")
	ErrBoxOnly  = errors.New("this is set at the box only: in the file, in its own terminal or at a serial console")
)

// Limit is b, refusing what r does not allow, whatever the screen offers.
func (r Rights) Limit(b Backend) Backend {
	if r.Commands && !r.Operator {
		return b
	}
	return limited{b, r}
}

// may is ErrOperator for an operator.
func (r Rights) may() error {
	if r.Operator {
		return ErrOperator
	}
	return nil
}

type limited struct {
	Backend
	Rights
}

func (l limited) Apply(ctx context.Context, revision string, changes []config.Change) (config.Settings, []config.Finding, error) {
	if err := l.may(); err != nil {
		return config.Settings{}, nil, err
	}
	if !l.Commands {
		now, err := l.Backend.Config(ctx)
		if err != nil {
			return config.Settings{}, nil, err
		}
		next, _, _ := config.PatchFor(now.Config, config.Secrets{}, changes)
		if len(config.BoxOnly(now.Config, next)) > 0 {
			return config.Settings{}, nil, ErrBoxOnly
		}
	}
	return l.Backend.Apply(ctx, revision, changes)
}

func (l limited) Revert(ctx context.Context) (config.Settings, error) {
	if err := l.may(); err != nil {
		return config.Settings{}, err
	}
	return l.Backend.Revert(ctx)
}

func (l limited) TestMail(ctx context.Context) (event.Mail, error) {
	if err := l.may(); err != nil {
		return event.Mail{}, err
	}
	return l.Backend.TestMail(ctx)
}

func (l limited) Diagnose(ctx context.Context, changes []config.Change, step func(event.Step)) (bool, error) {
	if err := l.may(); err != nil {
		return false, err
	}
	return l.Backend.Diagnose(ctx, changes, step)
}

func (l limited) DiagnoseTransfer(ctx context.Context, name string, changes []config.Change, step func(event.Step)) (bool, error) {
	if err := l.may(); err != nil {
		return false, err
	}
	return l.Backend.DiagnoseTransfer(ctx, name, changes, step)
}

func (l limited) Drop(ctx context.Context, id string) error {
	if err := l.may(); err != nil {
		return err
	}
	return l.Backend.Drop(ctx, id)
}

func (l limited) RemoveEvents(ctx context.Context, f event.Filter) (int, error) {
	if err := l.may(); err != nil {
		return 0, err
	}
	return l.Backend.RemoveEvents(ctx, f)
}

func (l limited) Privacy(ctx context.Context, on bool) error {
	if err := l.may(); err != nil {
		return err
	}
	return l.Backend.Privacy(ctx, on)
}

// verdict is the draft's, and of a command that this session may not set why.
func (a *app) verdict(k string) config.Verdict {
	v := a.draft.Verdict(k)
	if v.Blocks() || a.rights.Commands || !a.draft.Changed(k) {
		return v
	}
	next, _, _ := config.PatchFor(a.settings.Config, config.Secrets{}, []config.Change{{Key: k, Value: a.draft.Raw(k)}})
	if len(config.BoxOnly(a.settings.Config, next)) == 0 {
		return v
	}
	return config.Verdict{Level: config.Error, Short: "not from here", Text: upper(ErrBoxOnly.Error()) + "."}
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
