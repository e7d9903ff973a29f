package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Diagnose walks the delivery with the configuration plus changes; see API.
func (e *Engine) Diagnose(ctx context.Context, changes []config.Change, step func(event.Step)) (bool, error) {
	l := e.current()
	c, s, findings := config.PatchFor(l.Config, l.Secrets, changes)
	if refused(findings, "", step) {
		return false, nil
	}
	return e.Outbox.Diagnose(ctx, c, s, step), nil
}

// DiagnoseTransfer tries a transfer with the configuration plus changes; see API.
func (e *Engine) DiagnoseTransfer(ctx context.Context, name string, changes []config.Change, step func(event.Step)) (bool, error) {
	l := e.current()
	i := slices.IndexFunc(l.Config.Transfers, func(t config.Transfer) bool { return t.Name == name })
	if i < 0 {
		return false, fmt.Errorf("transfer %q: %w", name, event.ErrNotFound)
	}
	c, s, findings := config.PatchFor(l.Config, l.Secrets, changes)
	// What is wrong with a trigger meanwhile is no reason not to try a transfer.
	if refused(findings, "transfers."+name+".", step) || (i < len(c.Transfers) && c.Transfers[i].Kind == "email") && refused(findings, "smtp.", step) {
		return false, nil
	}
	if len(c.Transfers) == len(l.Config.Transfers) { // it may have another name now
		name = c.Transfers[i].Name
	}
	return e.toPlaces.Diagnose(ctx, c, s, name, step), nil
}

// refused tells of the first error at a key that begins so.
func refused(findings []config.Finding, prefix string, step func(event.Step)) bool {
	for _, f := range findings {
		if f.Level == config.Error && strings.HasPrefix(f.Key, prefix) {
			step(event.Step{Step: "config", Target: f.Key, Text: f.Text, Verdict: f.Short, Do: "correct " + f.Key})
			return true
		}
	}
	return false
}
