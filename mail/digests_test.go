package mail

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

func parked(t *testing.T) *Outbox {
	o, err := Open(t.TempDir(), Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig()
	o.Configure(c, config.Secrets{}, time.UTC)
	return o
}

func (o *Outbox) put3(t *testing.T, seq uint64, at time.Time) string {
	f := event.Firing{Seq: seq, Trigger: "yard", At: at, Disposition: event.Queued}
	n := event.Notice{ID: event.AlarmID(seq), Kind: event.Alarm, Gathered: event.Gather(f), At: at}
	if err := o.Submit(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	return n.ID
}

// A digest of a digest says how many mails could not be sent.
func TestDigestOfDigestsCounts(t *testing.T) {
	o := parked(t)
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	o.put3(t, 1, at)
	o.put3(t, 2, at.Add(time.Minute))
	o.fold(0)
	for i := range 4 {
		o.put3(t, uint64(3+i), at.Add(time.Hour*time.Duration(i+1)))
		o.fold(0)
	}
	for _, e := range o.mails {
		if text := strings.Join(e.Notice.Notes, " "); !strings.Contains(text, "6 mails could not be sent") {
			t.Errorf("6 mails were never sent (%d firings); the digest says %q, the queue page 'stands for %d mails'", e.Mail.FiringCount, text, len(e.Mail.Replaces))
		}
	}
}

// What a digest replaces itself is in its list, whatever the clock said.
func TestReplacesKeepsTheDirectOnes(t *testing.T) {
	o := parked(t)
	ahead := time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC) // the clock was wrong
	o.put3(t, 1, ahead)
	o.put3(t, 2, ahead.Add(time.Minute))
	o.fold(0)
	for _, e := range o.mails { // it stands for two queues of 10,000
		for i := range 2 * maxQueue {
			e.Mail.Replaces = append(e.Mail.Replaces, event.AlarmID(uint64(1000000+i)))
		}
		if err := o.spool.save(e.record); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	a, b := o.put3(t, 3, at), o.put3(t, 4, at.Add(time.Minute))
	if n, err := o.fold(0); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	for _, e := range o.mails {
		if !slices.Contains(e.Mail.Replaces, a) || !slices.Contains(e.Mail.Replaces, b) {
			t.Errorf("the digest tells firings %s and its list of %d has neither %s nor %s: the journal never hears of it, they stay queued, and a restart mails them again", e.Mail.Firings, len(e.Mail.Replaces), a, b)
		}
	}
}
