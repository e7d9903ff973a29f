package transfer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// postbox is a mail queue in memory, which takes each ID once.
type postbox struct {
	mu      sync.Mutex
	notices []event.Notice
	fail    error
	limit   int64
	told    func(event.Notice)
}

func (p *postbox) Submit(ctx context.Context, n event.Notice) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	if !slices.ContainsFunc(p.notices, func(o event.Notice) bool { return o.ID == n.ID }) {
		p.notices = append(p.notices, n)
	}
	if p.told != nil {
		p.told(n)
	}
	return ctx.Err()
}

func (p *postbox) Limit() int64 { p.mu.Lock(); defer p.mu.Unlock(); return p.limit }

func (p *postbox) all() []event.Notice {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.notices)
}

func (p *postbox) with(_ *Queue, o *Options) { o.Submit, o.Limit = p.Submit, p.Limit }

func byMail(destinations ...string) config.Config {
	return config.Config{Transfers: []config.Transfer{{Name: "post", Kind: "email", Destinations: destinations}}}
}

// After its end, not before, an event's images go out in as many mails as the
// server's limit asks for, all of them once and in their order.
func TestMailed(t *testing.T) {
	box := &postbox{limit: 1_000_000}
	b := opened(t, t.TempDir(), newAlbum(), nil, box.with).run()
	b.Configure(byMail("ops@example.test"), config.Secrets{}, time.UTC)
	id := b.job(7, "post")
	b.album.begin(eventID(7), noon)
	b.album.take(eventID(7), 10, 200_000)
	b.Changed(eventID(7))
	b.until(id, "seen", func(m event.Mail) bool { return m.Subject == "0 of 10 images" })
	b.album.lose(eventID(7), 5)
	if n := box.all(); len(n) != 0 {
		t.Errorf("mails before the end: %v", n)
	}
	b.album.end(eventID(7))
	b.Changed(eventID(7))
	m := b.untilState(id, "delivered")
	var at []time.Time
	for i, n := range box.all() {
		if n.ID != fmt.Sprintf("00000007-images-%d", i+1) || n.Kind != event.Images || n.Event != eventID(7) || n.Title != "yard" || !n.At.Equal(m.At) || n.Count() != 0 || !slices.Equal(n.Destinations, []string{"ops@example.test"}) {
			t.Errorf("%+v", n)
		}
		if note := strings.Join(n.Notes, " "); !strings.HasPrefix(note, fmt.Sprintf("Part %d of 3 of the event's 10 images.", i+1)) {
			t.Error(note)
		}
		size := 0
		for _, im := range n.Images {
			size += len(im.JPEG) * 4 / 3
			at = append(at, im.At)
		}
		if size > 1_000_000 {
			t.Errorf("part %d has %d bytes", i+1, size)
		}
	}
	if len(at) != 9 || !slices.IsSortedFunc(at, time.Time.Compare) || len(box.all()) != 3 {
		t.Errorf("%d images in %d mails", len(at), len(box.all()))
	}
	if m.Subject != "9 images" || !strings.Contains(m.Problem, "1 of 10 images is gone") || m.Recipients[0].Reply != "in the mail queue as 00000007-images-3" {
		t.Errorf("%+v", m)
	}
}

// What the server takes is not known before it was asked: mails that anybody takes.
// One that announces no limit gets ten megabytes.
func TestMailedToAnUnknownServer(t *testing.T) {
	for limit, want := range map[int64]int{0: 4, math.MaxInt64: 1} {
		box := &postbox{limit: limit}
		b := opened(t, t.TempDir(), newAlbum(), nil, box.with).run()
		b.Configure(byMail(), config.Secrets{}, time.UTC)
		id := b.job(1, "post")
		b.album.begin(eventID(1), noon)
		b.album.take(eventID(1), 10, 200_000)
		b.album.end(eventID(1))
		b.Changed(eventID(1))
		b.untilState(id, "delivered")
		if n := len(box.all()); n != want {
			t.Errorf("limit %d: %d mails, not %d", limit, n, want)
		}
	}
}

// No image, one mail that says why; many small ones, by their number.
func TestMailedAtTheEnds(t *testing.T) {
	box := &postbox{}
	b := opened(t, t.TempDir(), newAlbum(), nil, box.with).run()
	b.Configure(byMail(), config.Secrets{}, time.UTC)
	b.album.begin(eventID(1), noon)
	b.album.events[eventID(1)].Missing = []string{"the image of 12:00:01: no space left on device"}
	id := b.job(1, "post")
	b.album.end(eventID(1))
	b.Changed(eventID(1))
	b.untilState(id, "delivered")
	if all := box.all(); len(all) != 1 || len(all[0].Images) != 0 || !strings.Contains(all[0].Notes[0], "no space left") {
		t.Errorf("%+v", all)
	}
	b.untilState(b.event(2, "post", 250), "delivered") // small ones: by their number
	if all := box.all(); len(all) != 4 || len(all[1].Images) != mailImages || len(all[3].Images) != 50 {
		t.Errorf("%d mails", len(all))
	}
	parts, err := b.parts(eventID(2), nil)
	if err != nil || len(parts) != 1 {
		t.Errorf("%v %v", parts, err)
	}
}

// A mail queue that takes nothing makes the job wait with its reason; what was
// submitted stays so, another limit later changes nothing, also over a restart.
func TestMailedGoesOn(t *testing.T) {
	dir, a, box := t.TempDir(), newAlbum(), &postbox{limit: 1_000_000}
	second := errors.New("the mail queue is full")
	b := opened(t, dir, a, nil, box.with).run()
	box.told = func(n event.Notice) {
		if n.ID == "00000001-images-1" {
			box.fail = second
		}
	}
	b.Configure(byMail(), config.Secrets{}, time.UTC)
	id := b.job(1, "post")
	b.album.begin(eventID(1), noon)
	b.album.take(eventID(1), 10, 200_000)
	b.album.end(eventID(1))
	b.Changed(eventID(1))
	m := b.untilState(id, "deferred")
	if !strings.Contains(m.Problem, second.Error()) || m.Subject != "3 of 10 images" {
		t.Errorf("%+v", m)
	}
	b.stop()
	box.mu.Lock()
	box.fail, box.told, box.limit = nil, nil, 0
	box.mu.Unlock()
	b = opened(t, dir, a, nil, box.with).run()
	b.Configure(byMail(), config.Secrets{}, time.UTC)
	b.until(id, "waiting", func(m event.Mail) bool { return strings.Contains(m.Problem, second.Error()) })
	c := byMail()
	c.SMTP.Server = "another.example.test" // which may take more: it is tried at once
	b.Configure(c, config.Secrets{}, time.UTC)
	b.untilState(id, "delivered")
	n := 0
	for _, notice := range box.all() {
		n += len(notice.Images)
	}
	if n != 10 || len(box.all()) != 4 {
		t.Errorf("%d images in %d mails", n, len(box.all()))
	}
}
