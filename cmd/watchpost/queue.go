package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"watchpost/engine"
	"watchpost/engine/control"
	"watchpost/engine/event"
	"watchpost/engine/store"
	"watchpost/mail"
	"watchpost/mail/transfer"
)

// queue is what the queue commands need: the service, or the files when it is down.
type queue interface {
	Queue(ctx context.Context) ([]event.Mail, error)
	Retry(ctx context.Context, id string) error
	Drop(ctx context.Context, id string) error
}

// spoolFiles is the queues of a service that is not running.
type spoolFiles struct {
	mails     *mail.Outbox
	transfers *transfer.Queue
}

func (s spoolFiles) Queue(context.Context) ([]event.Mail, error) {
	return engine.Queued(s.mails, s.transfers), nil
}

func (s spoolFiles) Retry(_ context.Context, id string) error {
	return engine.RetryIn(s.mails, s.transfers, id)
}

func (s spoolFiles) Drop(_ context.Context, id string) error {
	return engine.DropIn(s.mails, s.transfers, id)
}

// openQueue returns the service's queue, or the files under the service's lock.
func openQueue(ctx context.Context, f *flags) (queue, func(), error) {
	client, err := f.service(ctx)
	if err == nil {
		return client, func() {}, nil
	}
	if !errors.Is(err, control.ErrNoService) {
		return nil, nil, err
	}
	dir, l, err := offline(f)
	if err != nil {
		return nil, nil, err
	}
	o, err := mail.Open(filepath.Join(dir, "spool"), mail.Options{Version: version})
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	images, err := store.Open(filepath.Join(dir, "events"))
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	q, err := transfer.Open(filepath.Join(dir, "transfers"), transfer.Options{Images: storedImages{images}})
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	for _, p := range append(o.Problems(), q.Problems()...) {
		fmt.Fprintln(f.s.err, p)
	}
	return spoolFiles{o, q}, func() { l.Close() }, nil
}

// offline locks the store of a service that is not running.
func offline(f *flags) (dir string, l *lock, err error) {
	loaded, _, err := load(f.file())
	if err != nil {
		return "", nil, err
	}
	dir = stateDir(loaded.Config)
	l, err = takeLock(filepath.Join(dir, "lock"), "the store "+dir, "")
	return dir, l, err
}

// runQueue is `watchpost queue list|show|retry|drop`.
func runQueue(ctx context.Context, args []string, s streams) int {
	f := newFlags("queue", s)
	words, ok := f.parse(args, -1, 1, 2)
	if !ok {
		return exitUsage
	}
	verb, id := words[0], ""
	if len(words) == 2 {
		id = words[1]
	}
	if !slices.Contains([]string{"list", "show", "retry", "drop"}, verb) || id == "" && (verb == "show" || verb == "drop") {
		f.misused("it takes list, show ID, retry [ID] or drop ID")
		return exitUsage
	}
	q, done, err := openQueue(ctx, f)
	if err != nil {
		return f.failed(err)
	}
	defer done()
	switch verb {
	case "retry":
		err = q.Retry(ctx, id)
	case "drop":
		err = q.Drop(ctx, id)
	default:
		return showQueue(ctx, f, q, id)
	}
	if err != nil {
		return f.failed(err)
	}
	did := map[string]string{"retry": "tried again at once", "drop": "dropped"}[verb]
	if _, down := q.(spoolFiles); down && verb == "retry" {
		did = "tried again when the service runs"
	}
	switch {
	case f.json:
		f.printJSON(map[string]string{"id": id, "done": did})
	case id == "":
		fmt.Fprintln(s.out, "everything that is held or waits is "+did)
	default:
		fmt.Fprintln(s.out, id+" is "+did)
	}
	return exitOK
}

func showQueue(ctx context.Context, f *flags, q queue, id string) int {
	mails, err := q.Queue(ctx)
	if err != nil {
		return f.failed(err)
	}
	if id != "" {
		mails = slices.DeleteFunc(mails, func(m event.Mail) bool { return m.ID != id })
		if len(mails) == 0 {
			return f.failed(fmt.Errorf("mail %q: %w", id, event.ErrNotFound))
		}
	}
	for _, m := range mails {
		switch {
		case f.json:
			f.printJSON(m)
		case id != "":
			printMail(f.s.out, m)
		default:
			fmt.Fprintf(f.s.out, "%-25s %-9s %s  %s\n", m.ID, m.QueueState(), m.At.Format("2006-01-02 15:04:05"), subjectOf(m))
		}
	}
	return exitOK
}

func printMail(w io.Writer, m event.Mail) {
	fmt.Fprintf(w, "%s: %s, %s\n  subject  %s\n  bytes    %d\n  queued   %s, %s\n", m.ID, m.QueueState(), m.Kind,
		subjectOf(m), m.Bytes, m.Queued.In(m.At.Location()).Format(time.DateTime), counted(m.Attempts, "attempt"))
	if m.FiringCount > 1 {
		fmt.Fprintf(w, "  tells of %d firings\n", m.FiringCount)
	}
	if n := m.Stands; n > 0 {
		fmt.Fprintf(w, "  stands for %s that could not be sent\n", counted(n, "mail"))
	}
	for _, r := range m.Recipients {
		fmt.Fprintf(w, "  %s  %s  %s\n", r.State, r.Address, r.Reply)
	}
	if m.Problem != "" {
		fmt.Fprintf(w, "  %s\n", m.Problem)
	}
}

// subjectOf is what a line says of a mail; of a transfer also where it goes.
func subjectOf(m event.Mail) string {
	if m.Kind == event.Transfer && len(m.Recipients) > 0 {
		return "to " + m.Recipients[0].Address + ": " + m.Subject
	}
	return m.Subject
}
