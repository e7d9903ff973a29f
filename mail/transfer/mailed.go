package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/foreign"
)

const (
	mailBytes  = 10_000_000 // of one mail, where the server takes as much
	firstBytes = 1_000_000  // where what it takes is not known yet: nobody takes less
	mailImages = 100        // in one mail
	leastMail  = 200_000    // of images in a mail, however little a server takes
)

// mailOut submits the next mail of a job, once its event has ended: all images as
// attachments, in as many mails as the mail server's limit asks for. What becomes
// of those is the mail queue's.
func (q *Queue) mailOut(ctx context.Context, p *place, id string) {
	if q.saveLate(id) {
		return
	}
	r, looks, own, release, ok := q.claim(ctx, id)
	if !ok {
		return
	}
	defer release()
	ev, names, ended, ok := q.stored(id, r)
	if !ok {
		return
	}
	if !ended {
		q.after(id, func(e *entry) { e.idle = looks })
		return
	}
	pictures := beyond(names, 0)
	if r.Parts == nil {
		parts, err := q.parts(r.Mail.Event, pictures)
		if err != nil {
			q.unreadable(id, err)
			return
		}
		q.outcome(id, func(r *record) bool { r.Parts = parts; return true })
		return
	}
	n, lost, err := q.notice(p, r, ev, pictures)
	if err != nil {
		q.unreadable(id, err)
		return
	}
	began := time.Now()
	if err := q.options.Submit(own, n); err != nil {
		if own.Err() != nil {
			return
		}
		f := &fault{kind: account, step: "mail", text: "The mail with the images could not be queued: " + foreign.Sanitise(err.Error()), do: "It is tried again", err: err}
		q.step(id, f.asStep(n.ID, began))
		q.failed(p, id, f)
		return
	}
	q.step(id, event.Step{Step: "mail", Target: n.ID, OK: true, MS: ms(began), Verdict: "in the mail queue"})
	q.works(p)
	q.outcome(id, func(r *record) bool {
		if r.to().State != event.Pending {
			return false
		}
		r.Mails, r.Sent, r.Lost = r.Mails+1, r.Sent+len(n.Images), r.Lost+lost
		r.Mail.Subject = r.progress(len(pictures))
		r.Mail.Problem, r.Mail.NextTry, r.Next, r.Failed = "", time.Time{}, nil, 0
		r.to().At, r.to().Reply = time.Now().Round(0), "in the mail queue as "+n.ID
		if r.Mails == len(r.Parts) {
			r.finish(len(pictures))
		}
		return true
	})
	q.after(id, func(e *entry) { e.urgent = e.urgent && e.to().State == event.Pending })
}

// parts is the number of the last image of each mail.
func (q *Queue) parts(id string, pictures []picture) ([]int, error) {
	limit := int64(firstBytes)
	if q.options.Limit != nil {
		if server := q.options.Limit(); server > 0 {
			limit = min(mailBytes, server)
		}
	}
	const (
		text     = 16 << 10 // of a mail without images
		captions = 600      // beside an image: its part's header, what the text says of it
	)
	limit = max(limit-text, leastMail)
	var parts []int
	used, count, last := int64(0), 0, 0
	for _, im := range pictures {
		f, size, _, err := q.options.Images.Open(id, im.name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if err == nil {
			f.Close()
		}
		size = size*78/57 + captions // base64 in lines of 76 and CR LF
		if count > 0 && (used+size > limit || count == mailImages) {
			parts = append(parts, last)
			used, count = 0, 0
		}
		used, count, last = used+size, count+1, im.n
	}
	return append(parts, last), nil // one mail also where there is no image: it says why
}

// notice is the next mail of a job, and how many of its images are gone.
func (q *Queue) notice(p *place, r record, ev event.Stored, pictures []picture) (n event.Notice, lost int, err error) {
	part := r.Mails
	from := 0
	if part > 0 {
		from = r.Parts[part-1]
	}
	n = event.Notice{ID: fmt.Sprintf("%s-images-%d", strings.TrimSuffix(r.Mail.ID, "-transfer"), part+1), Kind: event.Images,
		At: r.Mail.At, Event: r.Mail.Event, Title: r.Mail.Trigger, Destinations: p.config.Destinations}
	for _, im := range pictures {
		if im.n <= from || im.n > r.Parts[part] {
			continue
		}
		data, at, err := q.read(r.Mail.Event, im.name)
		if errors.Is(err, os.ErrNotExist) {
			lost++
			continue
		}
		if err != nil {
			return n, 0, err
		}
		n.Images = append(n.Images, event.Image{At: at, JPEG: data})
	}
	if len(r.Parts) > 1 {
		n.Notes = append(n.Notes, fmt.Sprintf("Part %d of %d of the event's %d images.", part+1, len(r.Parts), len(pictures)))
	}
	if lost > 0 {
		n.Notes = append(n.Notes, fmt.Sprintf("%d %s of this part %s gone from the event store.", lost, plural(lost, "image", "images"), plural(lost, "is", "are")))
	}
	if part == 0 && len(ev.Missing) > 0 {
		n.Notes = append(n.Notes, "Not there: "+strings.Join(ev.Missing[:min(len(ev.Missing), 20)], "; ")+".")
	}
	return n, lost, nil
}

// read reads one image.
func (q *Queue) read(id, name string) ([]byte, time.Time, error) {
	f, size, at, err := q.options.Images.Open(id, name)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	const most = 64 << 20
	if size > most {
		return nil, at, fmt.Errorf("image %s has %d bytes", name, size)
	}
	data, err := io.ReadAll(io.LimitReader(f, most))
	return data, at, err
}
