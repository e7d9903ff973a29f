package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/foreign"
)

func notFound(err error) bool { return errors.Is(err, event.ErrNotFound) }

// picture is an image file of the store with its number in the event.
type picture struct {
	name string
	n    int
}

// beyond are the images whose number is greater than done.
func beyond(names []string, done int) []picture {
	var out []picture
	for _, name := range names {
		digits := name[:len(name)-len(strings.TrimLeft(name, "0123456789"))]
		if n, err := strconv.Atoi(digits); err == nil && n > done {
			out = append(out, picture{name, n})
		}
	}
	return out
}

// progress says how far a job is.
func (r *record) progress(of int) string { return fmt.Sprintf("%d of %d images", r.Sent+r.Passed, of) }

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// so says what was handed over, for a sentence's end.
func (r *record) so() string {
	if r.Sent == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of its images %s handed over", r.Sent, plural(r.Sent, "was", "were"))
}

// claim takes a job for an attempt: until release a Drop ends its context.
func (q *Queue) claim(ctx context.Context, id string) (r record, looks int, own context.Context, release func(), ok bool) {
	own, cancel := context.WithCancel(ctx)
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.jobs[id]
	if e == nil || e.to().State != event.Pending {
		cancel()
		return record{}, 0, nil, nil, false
	}
	e.stop = cancel
	return e.record.clone(), e.looks, own, func() {
		cancel()
		q.after(id, func(e *entry) { e.stop = nil })
	}, true
}

// saveLate writes an outcome that could not be written before; it reports whether
// there was one.
func (q *Queue) saveLate(id string) bool {
	q.mu.Lock()
	e := q.jobs[id]
	is := e != nil && e.late != nil
	q.mu.Unlock()
	if is {
		q.outcome(id, func(*record) bool { return false })
	}
	return is
}

// stored is what the store says of a job's event. ok is false where nothing can be
// done now; that is seen to.
func (q *Queue) stored(id string, r record) (e event.Stored, names []string, ended, ok bool) {
	names, ended, err := q.options.Images.Files(r.Mail.Event)
	if err == nil {
		e, err = q.options.Images.Event(r.Mail.Event)
	}
	switch {
	case err == nil:
		return e, names, ended, true
	case notFound(err):
		q.outcome(id, func(r *record) bool { return r.seen(nil, false, err) })
	default:
		q.unreadable(id, err)
	}
	return event.Stored{}, nil, false, false
}

// unreadable makes a job wait because of the store, which is not its place's fault.
func (q *Queue) unreadable(id string, err error) {
	f := &fault{kind: temporary, step: "store", text: "The event store cannot be read: " + foreign.Sanitise(err.Error()), do: "Check the disk; it is tried again", err: err}
	q.options.Log.Warn("not transferred", "transfer", id, "step", f.step, "text", f.text)
	q.delay(id, f)
}

// handOver hands over the next file of a job. progress is false where there was
// none. A fault is not recorded yet.
func (q *Queue) handOver(ctx context.Context, p *place, s session, id string) (f *fault, progress bool) {
	if q.saveLate(id) {
		return nil, false
	}
	r, looks, own, release, ok := q.claim(ctx, id)
	if !ok {
		return nil, false
	}
	defer release()
	ev, names, ended, ok := q.stored(id, r)
	if !ok {
		return nil, false
	}
	todo := beyond(names, r.Done)
	if len(todo) == 0 && !ended {
		q.after(id, func(e *entry) { e.idle = looks })
		return nil, false
	}
	if len(todo) == 0 {
		file, err := q.eventFile(p, r, ev)
		if err != nil {
			q.unreadable(id, err)
			return nil, false
		}
		return q.send(own, p, s, id, file, func(r *record) { r.finish(len(names)) })
	}
	next := todo[0]
	replacing, passed := p.replaces(), 0
	if replacing { // only the newest of a name is ever seen
		passed = q.sameName(p, r, ev, todo) - 1
		next = todo[passed]
	}
	file, err := q.imageFile(p, r, ev, next)
	switch {
	case errors.Is(err, os.ErrNotExist):
		q.outcome(id, func(r *record) bool {
			r.Done, r.Lost, r.Passed = next.n, r.Lost+1, r.Passed+passed
			return true
		})
		return nil, false
	case err != nil:
		q.unreadable(id, err)
		return nil, false
	}
	where := path.Join(file.dir, file.name)
	if replacing && q.newerAt(p, where, order{r.Mail.Event, next.n}) {
		q.outcome(id, func(r *record) bool {
			r.Done, r.Passed = next.n, r.Passed+passed+1
			r.Mail.Subject = r.progress(len(names))
			return true
		})
		return nil, false
	}
	return q.send(own, p, s, id, file, func(r *record) {
		r.Done, r.Sent, r.Passed = next.n, r.Sent+1, r.Passed+passed
		r.Mail.Bytes += file.size
		r.Mail.Subject = r.progress(len(names))
		if replacing {
			r.Last = &placed{where, next.n}
		}
	})
}

// brokenOff is no fault: the session is of no more use, and nothing is recorded.
var brokenOff = &fault{}

// send hands one file over and records that.
func (q *Queue) send(ctx context.Context, p *place, s session, id string, f file, done func(*record)) (*fault, bool) {
	began, target := time.Now(), path.Join(f.dir, f.name)
	said, err := s.put(ctx, q.watched(id, f))
	if err != nil {
		if ctx.Err() != nil { // dropped, or the end
			return brokenOff, false
		}
		fault := faultOf(err, "send")
		q.step(id, fault.asStep(target, began))
		return fault, false
	}
	q.step(id, event.Step{Step: "send", Target: target, OK: true, MS: ms(began), Text: said, Verdict: "handed over"})
	q.works(p)
	q.outcome(id, func(r *record) bool {
		if r.to().State != event.Pending {
			return false
		}
		r.to().Reply, r.to().At = said, time.Now().Round(0)
		r.Mail.Problem, r.Mail.NextTry, r.Next, r.Failed = "", time.Time{}, nil, 0
		done(r)
		return true
	})
	q.after(id, func(e *entry) { e.urgent = e.urgent && e.to().State == event.Pending })
	return nil, true
}

// finish is for a job of which all is handed over.
func (r *record) finish(images int) {
	r.to().State = event.Delivered
	r.Mail.Attempts++
	r.Mail.Subject = r.went(images - r.Lost)
	if r.Lost > 0 {
		r.Mail.Problem = fmt.Sprintf("%d of %d images %s gone from the event store and could not be handed over. The others are there.", r.Lost, images, plural(r.Lost, "is", "are"))
	}
}

// went says what of an event's images is at the place now.
func (r *record) went(of int) string {
	images := fmt.Sprintf("%d %s", of, plural(of, "image", "images"))
	switch {
	case r.Passed == 0:
		return images
	case r.Sent == 0:
		return "none of " + images + ", a newer event's is there"
	case r.Sent == 1 && r.Last != nil && r.Last.N == r.Done:
		return "the newest of " + images
	}
	return fmt.Sprintf("%d of %s", r.Sent, images)
}

// replaces reports whether each image takes the place of the one before it.
func (p *place) replaces() bool {
	if p.config.Kind == "mqtt" {
		return true
	}
	all := p.config.Path + p.config.File
	return p.config.Method != "post" && !strings.Contains(all, "{stamp}") && !strings.Contains(all, "{n}") && p.config.File != ""
}

// sameName is how many images, from the first on, have the same name at a place:
// one may have the hour or the day in it.
func (q *Queue) sameName(p *place, r record, ev event.Stored, todo []picture) int {
	at := make(map[string]time.Time, len(ev.Images))
	for _, im := range ev.Images {
		at[im.File] = ev.NamedAt(im)
	}
	name := func(im picture) string { return path.Join(p.where(q.values(r, at[im.name], im.n))) }
	first := name(todo[0])
	for i, im := range todo {
		if name(im) != first {
			return i
		}
	}
	return len(todo)
}

// newerAt reports whether a newer image than at is there already.
func (q *Queue) newerAt(p *place, where string, at order) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.newest[p.config.Name+"\n"+where].compare(at) > 0
}

// values fill a place's patterns.
func (q *Queue) values(r record, at time.Time, n int) config.PatternValues {
	q.mu.Lock()
	defer q.mu.Unlock()
	return config.PatternValues{Site: q.setup.site, Trigger: r.Mail.Trigger, Event: r.Mail.Event, At: at.In(q.setup.zone), Mark: q.setup.mark, N: n}
}

// imageFile is one image as it is handed over. Its name has its first stamp: what was
// begun before the clock was set is not begun again under another name.
func (q *Queue) imageFile(p *place, r record, ev event.Stored, im picture) (file, error) {
	open := func() (io.ReadSeekCloser, int64, time.Time, error) {
		return q.options.Images.Open(r.Mail.Event, im.name)
	}
	from, size, at, err := open()
	if err != nil {
		return file{}, err
	}
	from.Close()
	named := ev.NamedStart()
	if i := slices.IndexFunc(ev.Images, func(x event.StoredImage) bool { return x.File == im.name }); i >= 0 {
		named = ev.NamedAt(ev.Images[i])
	}
	v := q.values(r, named, im.n)
	f := file{kind: "image/jpeg", at: at.In(v.At.Location()), size: size, trigger: r.Mail.Trigger,
		open: func() (io.ReadSeekCloser, error) { from, _, _, err := open(); return from, err }}
	f.dir, f.name = p.where(v)
	return f, nil
}

// where is the folder and the name of an image; of MQTT the topic and the level
// below it.
func (p *place) where(v config.PatternValues) (dir, name string) {
	if p.config.Kind == "mqtt" {
		return config.Expand(p.config.Topic, v), imageLevel
	}
	pattern := p.config.File
	if pattern == "" {
		pattern = "{trigger}-{stamp}.jpg"
	}
	return config.Expand(p.config.Path, v), config.Expand(pattern, v)
}

// eventFile is what is known of the event, as JSON: the last file of a job.
func (q *Queue) eventFile(p *place, r record, ev event.Stored) (file, error) {
	v := q.values(r, ev.NamedStart(), 1)
	f := file{kind: "application/json", at: ev.Start.In(v.At.Location()), trigger: r.Mail.Trigger}
	f.dir, f.name = p.where(v)
	f.name = ev.ID + ".json"
	var data []byte
	var err error
	if p.config.Kind == "mqtt" {
		f.name = eventLevel
		data, err = json.Marshal(published{string(ev.Source), ev})
	} else {
		data, err = json.MarshalIndent(ev, "", "  ")
		data = append(data, '\n') // as in the store
	}
	f.size = int64(len(data))
	f.open = func() (io.ReadSeekCloser, error) { return nopCloser{bytes.NewReader(data)}, nil }
	return f, err
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

// tellEvery is how often progress is told at most.
const tellEvery = 500 * time.Millisecond

// watched is f whose reading is told to the listener.
func (q *Queue) watched(id string, f file) file {
	if q.options.Listener == nil {
		return f
	}
	open := f.open
	f.open = func() (io.ReadSeekCloser, error) {
		from, err := open()
		if err != nil {
			return nil, err
		}
		return &meter{ReadSeekCloser: from, tell: func(n int64) {
			q.options.Listener.MailSent(event.MailSent{Mail: id, Sent: n, Of: f.size})
		}}, nil
	}
	return f
}

// meter tells how far a file was read.
type meter struct {
	io.ReadSeekCloser
	tell func(int64)
	at   int64
	told time.Time
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.ReadSeekCloser.Read(p)
	m.at += int64(n)
	if now := time.Now(); n > 0 && now.Sub(m.told) >= tellEvery {
		m.told = now
		m.tell(m.at)
	}
	return n, err
}

func (m *meter) Seek(offset int64, whence int) (int64, error) {
	at, err := m.ReadSeekCloser.Seek(offset, whence)
	if err == nil {
		m.at = at
	}
	return at, err
}
