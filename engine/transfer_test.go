package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/store"
)

// fakeTransfers has every job delivered when its event has ended, unless it keeps them.
type fakeTransfers struct {
	noTransfers
	mu      sync.Mutex
	store   *store.Store
	feed    OutboxEvents
	keep    bool
	jobs    map[string]event.Mail // by event
	settled []string
	early   []string // events whose folder was there before their job
	calls   []string
}

func (q *fakeTransfers) open(s *store.Store, feed OutboxEvents) (Transfers, error) {
	q.store, q.feed = s, feed
	if q.jobs == nil {
		q.jobs = map[string]event.Mail{}
	}
	return q, nil
}

func (q *fakeTransfers) Add(j event.Job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, err := q.store.Get(j.Event); err == nil {
		q.early = append(q.early, j.Event)
	}
	m := event.Mail{ID: j.ID, Kind: event.Transfer, Event: j.Event, Trigger: j.Trigger, At: j.At,
		Recipients: []event.Recipient{{Address: j.Transfer, State: event.Pending}}}
	q.jobs[j.Event] = m
	q.feed.MailChanged(m)
	return nil
}

func (q *fakeTransfers) Changed(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m, ok := q.jobs[id]
	if e, err := q.store.Get(id); !ok || q.keep || err != nil || e.End.IsZero() {
		return
	}
	m.Recipients = []event.Recipient{{Address: m.Recipients[0].Address, State: event.Delivered}}
	q.jobs[id] = m
	q.feed.MailChanged(m)
}

func (q *fakeTransfers) Pending(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	m, ok := q.jobs[id]
	return ok && !m.Settled()
}

func (q *fakeTransfers) Mails() (all []event.Mail) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.jobs {
		all = append(all, m)
	}
	return all
}

func (q *fakeTransfers) Settle(id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settled = append(q.settled, id)
	return nil
}

func (q *fakeTransfers) called(what string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls = append(q.calls, what)
	return nil
}

func (q *fakeTransfers) Retry(id string) error { return q.called("retry " + id) }
func (q *fakeTransfers) Drop(id string) error  { return q.called("drop " + id) }

func TestTransferOfAnEvent(t *testing.T) {
	yard := door()
	yard.Transfer = "nas"
	q := &fakeTransfers{}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox(), transfers: q}
		b.start(conf(yard, trig("other")))
		time.Sleep(3 * time.Second)
		b.wires.pulse(doorLine)
		b.fire("other")
		synctest.Wait()
		s, _ := b.Status(ctx)
		if s.Transfers.Queued != 1 || s.Queue.Delivered != 0 {
			t.Errorf("while it goes on: %+v", s.Transfers)
		}
		waiting := func() (n []int) {
			for _, trigger := range []string{"door", "other", ""} {
				k, err := b.Kept(ctx, event.Filter{Trigger: trigger})
				if n = append(n, k.Events, k.Waiting); err != nil {
					t.Error(err)
				}
			}
			return n
		}
		if got := waiting(); !slices.Equal(got, []int{1, 1, 1, 0, 2, 1}) {
			t.Errorf("while it goes on: %v", got)
		}
		time.Sleep(20 * time.Second)
		if s, _ = b.Status(ctx); s.Transfers.Queued != 0 {
			t.Errorf("at the end: %+v", s.Transfers)
		}
		if got := waiting(); !slices.Equal(got, []int{1, 0, 1, 0, 2, 0}) {
			t.Errorf("at the end: %v", got)
		}
		if len(q.early) > 0 {
			t.Errorf("stored before their job: %v", q.early)
		}
		if !slices.Equal(q.settled, []string{"00000001-transfer"}) {
			t.Errorf("settled: %v", q.settled)
		}
		list, err := b.Queue(ctx)
		transfers := slices.DeleteFunc(slices.Clone(list), func(m event.Mail) bool { return m.Kind != event.Transfer })
		if err != nil || len(transfers) != 1 || transfers[0].Recipients[0].Address != "nas" {
			t.Errorf("queue %+v, %v", list, err)
		}
		b.Retry(ctx, "00000001-transfer")
		b.Drop(ctx, "00000001-transfer")
		if !slices.Equal(q.calls, []string{"retry 00000001-transfer", "drop 00000001-transfer"}) {
			t.Errorf("calls %v", q.calls)
		}
		if a := b.account("door"); a.Fired != 1 || a.Mailed != 1 {
			t.Errorf("account %+v", a)
		}
		b.stop()
		b.start(conf(yard)) // numbers that its queue knows are not given again
		if f := b.fire("door"); f.Seq != 3 {
			t.Errorf("firing %d after a restart", f.Seq)
		}
		b.stop()
	})
}

// A transfer that cannot be queued is told, and its event is stored all the same.
func TestTransferThatCannotBeQueued(t *testing.T) {
	yard := trig("yard")
	yard.Transfer = "nas"
	inBox(t, conf(yard), func(t *testing.T, b *box) { // which has no queue of transfers
		time.Sleep(time.Second)
		b.fire("yard")
		time.Sleep(time.Second)
		s, _ := b.Status(context.Background())
		if !strings.Contains(strings.Join(s.Problems, "\n"), "cannot be queued") {
			t.Errorf("problems %v", s.Problems)
		}
		if list, _ := b.Events(context.Background(), event.Filter{}); len(list) != 1 || len(list[0].Images) == 0 {
			t.Errorf("events %+v", list)
		}
	})
}

func TestOwnDestinationsAndSubject(t *testing.T) {
	own := trig("gate")
	own.Destinations, own.Subject = []string{"boss@example.net"}, "Gate"
	own.Post = config.Extent{Images: 1}
	inBox(t, conf(own, trig("yard")), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		b.fire("gate")
		b.fire("yard")
		time.Sleep(5 * time.Second)
		b.fire("gate")
		time.Sleep(2 * time.Minute)
		for _, n := range b.out.sent() {
			want := n.Firings[0].Trigger == "gate"
			if got := slices.Equal(n.Destinations, own.Destinations) && n.Subject == "Gate"; got != want || !want && (n.Subject != "" || n.Destinations != nil) {
				t.Errorf("%s of %s: %v %q", n.ID, n.Firings[0].Trigger, n.Destinations, n.Subject)
			}
		}
		if n := len(b.out.sent()); n != 3 {
			t.Errorf("%d mails", n)
		}
	})
}

// A trigger is removed while its firings wait, and then the program is started anew:
// the mails go to whom they were accepted for.
func TestOwnDestinationsOutliveTheirTrigger(t *testing.T) {
	own := trig("gate")
	own.Destinations, own.Subject = []string{"boss@example.net"}, "Gate"
	inBoxes(t, func(t *testing.T, b *box) {
		b.out.err = errors.New("full")
		b.start(conf(own))
		time.Sleep(time.Second)
		b.fire("gate")
		time.Sleep(20 * time.Second)
		b.fire("gate")
		time.Sleep(5 * time.Second)
		b.stop()
		b.out.err = nil
		b.start(conf(trig("other")))
		time.Sleep(2 * time.Minute)
		sent := b.out.sent()
		if len(sent) != 2 {
			t.Errorf("%d notices", len(sent))
		}
		for _, n := range sent {
			if !slices.Equal(n.Destinations, own.Destinations) || n.Subject != "Gate" {
				t.Errorf("%s to %v, subject %q", n.ID, n.Destinations, n.Subject)
			}
		}
		b.stop()
	})
}

// What the queue of transfers could not take is not forgotten over a start.
func TestTransferThatWasNotQueuedIsQueuedAtTheStart(t *testing.T) {
	y := quick()
	y.Transfer = "nas"
	inBoxes(t, func(t *testing.T, b *box) {
		b.transfers = &fakeTransfers{}
		b.start(conf(y))
		b.toPlaces = &neverAdds{b.toPlaces}
		time.Sleep(3 * time.Second)
		b.fire("yard")
		time.Sleep(30 * time.Second)
		b.stop()
		b.start(conf(y))
		time.Sleep(10 * time.Second)
		if len(b.transfers.jobs) != 1 {
			t.Errorf("jobs %v", b.transfers.jobs)
		}
		b.stop()
	})
}

// neverAdds is a queue whose disk is full.
type neverAdds struct{ Transfers }

func (neverAdds) Add(event.Job) error { return syscall.ENOSPC }
