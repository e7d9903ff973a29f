package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

func (q *fakeTransfers) Diagnose(_ context.Context, c config.Config, s config.Secrets, name string, step func(event.Step)) bool {
	i := slices.IndexFunc(c.Transfers, func(t config.Transfer) bool { return t.Name == name })
	if i < 0 {
		return false
	}
	step(event.Step{Step: "login", Target: c.Transfers[i].Server, OK: true, Text: s.Transfers[name]})
	return true
}

// Each transfer's health is told by its name: what waits, what is held, why, and what
// came of it last, also after a restart; one that is gone as long as it is waited for.
func TestPlaces(t *testing.T) {
	c := conf(trig("yard"))
	c.Transfers = []config.Transfer{{Name: "nas", Kind: "ftp", Server: "nas.example.net"}, {Name: "web", Kind: "http"}}
	q := &fakeTransfers{keep: true}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox(), transfers: q}
		b.start(c)
		began := time.Now()
		tell := func(id, place string, state event.RecipientState, at time.Time, problem string) {
			m := event.Mail{ID: id + "-transfer", Kind: event.Transfer, Queued: began.Add(time.Duration(len(id)) * time.Minute), Problem: problem,
				Recipients: []event.Recipient{{Address: place, State: state, At: at}}}
			q.mu.Lock()
			q.jobs[id] = m
			q.mu.Unlock()
			q.feed.MailChanged(m)
			synctest.Wait()
		}
		places := func() map[string]event.Place {
			s, err := b.Status(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			all := map[string]event.Place{}
			for _, p := range s.Places {
				all[p.Name] = p
			}
			if len(all) != len(s.Places) || s.Places[0].Name != "nas" || s.Places[1].Name != "web" {
				t.Errorf("%+v", s.Places)
			}
			return all
		}
		if p := places()["nas"]; p != (event.Place{Name: "nas"}) {
			t.Errorf("at first: %+v", p)
		}
		tell("1", "nas", event.Pending, time.Time{}, "")
		tell("22", "nas", event.Pending, began.Add(time.Second), "Nothing listens")
		tell("333", "nas", event.RcptHeld, began.Add(2*time.Second), "553 no such name")
		tell("4", "old", event.RcptHeld, began, "There is no transfer called old")
		want := event.Place{Name: "nas", Waiting: 2, Held: 1, Since: began.Add(time.Minute), Last: began.Add(2 * time.Second), Problem: "553 no such name"}
		if p := places()["nas"]; p != want {
			t.Errorf("%+v", p)
		}
		if p := places()["old"]; p.Held != 1 {
			t.Errorf("one that is gone: %+v", p)
		}
		s, _ := b.Status(context.Background())
		if all := strings.Join(s.Problems, "\n"); !strings.Contains(all, "transfer nas: 553 no such name (1 held") || !strings.Contains(all, "transfer old: There is no") {
			t.Errorf("problems %q", all)
		}
		tell("1", "nas", event.Delivered, began.Add(time.Minute), "")
		tell("4", "old", event.RcptDrop, began.Add(time.Minute), "")
		if p := places()["nas"]; !p.OK || !p.Last.Equal(began.Add(time.Minute)) || p.Waiting != 1 || !p.Since.Equal(began.Add(2*time.Minute)) {
			t.Errorf("%+v", p)
		}
		if _, there := places()["old"]; there {
			t.Error("nothing waits for it any more")
		}
		b.stop()
		b.start(c)
		if p := places()["nas"]; !p.OK || !p.Last.Equal(began.Add(time.Minute)) || p.Waiting != 1 || p.Held != 1 {
			t.Errorf("after a restart: %+v", p)
		}
		b.stop()
	})
}

// A transfer is tried with the draft, under the name that the draft gives it; what is
// wrong elsewhere in the draft is in no way of that.
func TestDiagnoseTransfer(t *testing.T) {
	c := conf(trig("yard"))
	c.Transfers = []config.Transfer{{Name: "nas", Kind: "ftp", Server: "nas.example.net"}, {Name: "web", Kind: "http"}}
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: t.TempDir(), cam: &fakeCamera{}, out: newFakeOutbox(), transfers: &fakeTransfers{}}
		b.start(c)
		defer b.stop()
		try := func(name string, changes ...config.Change) (ok bool, last event.Step, err error) {
			ok, err = b.DiagnoseTransfer(context.Background(), name, changes, func(s event.Step) { last = s })
			return ok, last, err
		}
		ok, last, err := try("nas", config.Change{Key: "transfers.nas.server", Value: "other.example.net"}, config.Change{Key: "transfers.nas.password", Value: "secret"},
			config.Change{Key: "transfers.nas.name", Value: "store"}, config.Change{Key: "triggers.yard.post", Value: "nonsense"})
		if !ok || err != nil || last.Target != "other.example.net" || last.Text != "secret" {
			t.Errorf("%v %+v %v", ok, last, err)
		}
		if ok, last, err = try("nas", config.Change{Key: "transfers.nas.port", Value: "many"}); ok || err != nil || last.Step != "config" || last.Target != "transfers.nas.port" {
			t.Errorf("%v %+v %v", ok, last, err)
		}
		if _, _, err = try("nix"); !errors.Is(err, event.ErrNotFound) {
			t.Error(err)
		}
		if s, _ := b.Config(context.Background()); s.Config.Transfers[0].Server != "nas.example.net" || s.Secrets["transfers.nas.password"] {
			t.Errorf("kept: %+v", s)
		}
	})
}
