package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// noTransfers is the queue of an engine that has none.
type noTransfers struct{}

func (noTransfers) Add(event.Job) error                                     { return errors.New("there is no queue of transfers") }
func (noTransfers) Changed(string)                                          {}
func (noTransfers) Pending(string) bool                                     { return false }
func (noTransfers) Mails() []event.Mail                                     { return nil }
func (noTransfers) Problems() []string                                      { return nil }
func (noTransfers) Settle(string) error                                     { return nil }
func (noTransfers) Retry(string) error                                      { return nil }
func (noTransfers) Drop(string) error                                       { return nil }
func (noTransfers) Configure(config.Config, config.Secrets, *time.Location) {}
func (noTransfers) Diagnose(context.Context, config.Config, config.Secrets, string, func(event.Step)) bool {
	return false
}

// isTransfer reports whether an item of the queue is a transfer; else it is a mail.
func isTransfer(id string) bool { return strings.HasSuffix(id, "-transfer") }

// transfersChanged takes what the queue of transfers said.
func (e *Engine) transfersChanged() {
	for _, m := range e.handed.take() {
		e.transferChanged(m)
	}
}

// transferChanged notes the state of a transfer. It is in no account: its event's
// firing is accounted for by its mail.
func (e *Engine) transferChanged(m event.Mail) {
	e.forget(m.ID)
	e.noteOutcome(m)
	e.recent = appendBounded(e.recent, m, historyMax)
	if m.Settled() {
		if m.Count(event.Delivered) > 0 {
			e.transferred++
		}
		delete(e.transfers, m.ID)
		e.handedOver = append(e.handedOver, m.ID)
	} else {
		e.transfers[m.ID] = m
	}
	e.hub.publish(event.Event{Mail: &m})
}

// settleTransfers has those moved out of the queue to which nothing more happens.
func (e *Engine) settleTransfers() {
	for len(e.handedOver) > 0 {
		id := e.handedOver[0]
		if !e.keeping(func() {
			if err := e.toPlaces.Settle(id); err != nil {
				e.Log.Warn("a transfer stays in the queue until the next start", "transfer", id, "error", err)
			}
		}) {
			return
		}
		e.handedOver = e.handedOver[1:]
	}
}

// transferOf is the name of the transfer that a trigger's images go out by; empty: none.
func transferOf(t config.Trigger) string {
	if t.Transfer == "none" {
		return ""
	}
	return t.Transfer
}

// beginTransfer has the images of an event handed over, if the trigger says so.
// The keeper does it, before the event is in the store: so no event is there
// whose transfer is not known.
func (e *Engine) beginTransfer(s event.Stored, seq uint64) {
	if s.Transfer == "" {
		return
	}
	job := event.Job{ID: event.TransferID(seq), Event: s.ID, Trigger: s.Trigger, Transfer: s.Transfer, At: s.Start}
	add := func() { e.addJob(job) }
	if !e.keeping(add) {
		e.unwritten = append(e.unwritten, add)
	}
}

// addJob queues a transfer, or keeps it for addJobs; it is the keeper's.
func (e *Engine) addJob(job event.Job) {
	if err := e.toPlaces.Add(job); err != nil {
		if len(e.unqueued) < unacceptedMax {
			e.unqueued = append(e.unqueued, job)
		}
		text := "the transfer of event " + job.Event + " cannot be queued: " + err.Error() + ": its images stay in the event store; free some space or check the disk"
		e.transferErr.Store(&text)
		e.Log.Warn("transfer", "problem", text)
		return
	}
	if len(e.unqueued) == 0 {
		e.transferErr.Store(nil)
	}
}

// addJobs tries again what could not be queued.
func (e *Engine) addJobs() {
	waiting := e.unqueued
	e.unqueued = nil
	for _, job := range waiting {
		e.addJob(job)
	}
}
