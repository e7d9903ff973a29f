package mail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/durable/powercut"
	"watchpost/engine/event"
)

// A disk that refuses any call, or some in a row, of a life of two mails: every
// operation tells, or is done for good; when the disk is well again all of it comes
// to its end, and nothing was sent twice.
func TestFailingDisk(t *testing.T) {
	for _, c := range []struct {
		errno syscall.Errno
		calls int // that fail in a row
	}{{syscall.ENOSPC, 1}, {syscall.EIO, 1}, {syscall.EDQUOT, 1}, {syscall.ENOSPC, 4}, {syscall.EIO, 4}} {
		t.Run(fmt.Sprintf("%s %d", strings.ReplaceAll(c.errno.Error(), " ", "-"), c.calls), func(t *testing.T) {
			for n := 1; !t.Failed(); n++ {
				var seen atomic.Int64
				var well atomic.Bool // while the test looks at the disk
				var op atomic.Value
				undo := durable.Observe(durable.Observer{Before: func(call durable.Call) error {
					if well.Load() {
						return nil
					}
					if i := int(seen.Add(1)); i < n || i >= n+c.calls {
						return nil
					}
					op.CompareAndSwap(nil, string(call.Op)+" "+filepath.Base(call.Path))
					return c.errno
				}})
				err := twoMails(powercut.Scratch(t), c.errno, &well)
				undo()
				if err != nil {
					t.Errorf("call %d (%v) refused: %v", n, op.Load(), err)
				}
				if op.Load() == nil {
					if n < 50 {
						t.Errorf("only %d calls were seen", n-1)
					}
					t.Logf("each of %d calls was refused", n-1)
					return
				}
			}
		})
	}
}

// again does something on a disk that refuses it for a while, with the error
// errno, as the engine does: until it is done.
func again(errno syscall.Errno, do func() error) error {
	const often = 10
	for i := 0; ; i++ {
		err := do()
		if err == nil || i == often || !errors.Is(err, errno) {
			return err
		}
	}
}

// twoMails is the life of two mails. The disk refuses calls with errno meanwhile,
// but not while it is well.
func twoMails(dir string, errno syscall.Errno, well *atomic.Bool) error {
	server, stop, err := serveLedger()
	if err != nil {
		return err
	}
	defer stop()
	server.refuse[desk] = &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "greylisted"}
	spool := filepath.Join(dir, "mail")
	var o *Outbox
	err = again(errno, func() (err error) { o, err = Open(spool, Options{Version: "test"}); return err })
	if err != nil {
		return err
	}
	o.times = quick()
	o.times.slowRetry = []time.Duration{5 * time.Millisecond}
	o.Configure(server.settings(guard, desk), config.Secrets{}, time.UTC)
	step := func(what string, do func() error) error {
		return again(errno, func() error {
			err := do()
			well.Store(true)
			defer well.Store(false)
			if bad := o.agrees(spool, filepath.Join(dir, "copy"), err == nil); bad != nil {
				return fmt.Errorf("%s (%v): %v", what, err, bad)
			}
			return wrap(what, err)
		})
	}
	mail := func(id string) (m event.Mail) {
		for _, m = range o.Mails() {
			if m.ID == id {
				return m
			}
		}
		return event.Mail{}
	}
	run := func(ok func() bool) func() error {
		return func() error {
			if !runUntil(o, ok) {
				return fmt.Errorf("not in time: %+v", o.Mails())
			}
			return nil
		}
	}
	for _, s := range []struct {
		what string
		do   func() error
	}{
		{"submit the first", func() error { return o.Submit(context.Background(), alarm("alarm-1", time.Now())) }},
		{"submit the second", func() error { return o.Submit(context.Background(), alarm("alarm-2", time.Now())) }},
		{"send to one recipient", run(func() bool { return mail("alarm-1").Attempts > 0 && mail("alarm-2").Attempts > 0 })},
		{"drop", func() error { return o.Drop("alarm-2") }},
		{"settle the dropped", func() error { return o.Settle("alarm-2") }},
		{"retry", func() error { server.set(func(l *ledger) { clear(l.refuse) }); return o.Retry("alarm-1") }},
		{"send to the other", run(func() bool { return mail("alarm-1").QueueState() == "delivered" })},
		{"settle the delivered", func() error { return o.Settle("alarm-1") }},
	} {
		if err := step(s.what, s.do); err != nil {
			return err
		}
	}
	// A start afterwards.
	err = again(errno, func() (err error) { o, err = Open(spool, Options{Version: "test"}); return err })
	if err != nil {
		return err
	}
	one, two := mail("alarm-1"), mail("alarm-2")
	if one.Count(event.Delivered) != 2 || two.Count(event.Delivered) != 1 || two.Count(event.RcptDrop) != 1 || len(o.mails) != 0 {
		return fmt.Errorf("at the end: %+v", o.Mails())
	}
	for d, want := range map[delivery]int{{one.MessageID, guard}: 1, {one.MessageID, desk}: 1, {two.MessageID, guard}: 1, {two.MessageID, desk}: 0} {
		if n := server.total(d.messageID, d.to); n != want {
			return fmt.Errorf("%s was sent %d times to %s", d.messageID, n, d.to)
		}
	}
	return again(errno, func() error { return tidy(spool) })
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// agrees compares the outbox with what a start would find on the disk now. The
// states are the same where what was done last was done for good; where it was
// refused nobody can know.
func (o *Outbox) agrees(spool, to string, done bool) error {
	if err := os.CopyFS(to, os.DirFS(spool)); err != nil {
		return err
	}
	defer os.RemoveAll(to)
	found, err := Open(to, Options{Version: "test"})
	if err != nil {
		return err
	}
	if p := found.Problems(); len(p) > 0 {
		return fmt.Errorf("a start finds damage: %v", p)
	}
	disk := map[string]event.Mail{}
	for _, m := range found.Mails() {
		disk[m.ID] = m
	}
	for _, m := range o.Mails() {
		if o.mails[m.ID] != nil && len(o.mails[m.ID].unsaved) > 0 {
			continue // which Problems tells
		}
		d, ok := disk[m.ID]
		if !ok {
			return fmt.Errorf("mail %s is not on the disk", m.ID)
		}
		for i, r := range m.Recipients {
			if done && d.Recipients[i].State != r.State {
				return fmt.Errorf("mail %s to %s is %s, and %s on the disk", m.ID, r.Address, r.State, d.Recipients[i].State)
			}
		}
	}
	return nil
}

// A mail that is made smaller on a disk that refuses any of the calls is one of
// the two versions, and the state on the disk and in memory is that one's.
func TestFailingDiskWhileMadeSmaller(t *testing.T) {
	image := picture(t, 640, 480)
	for n := 1; !t.Failed(); n++ {
		dir := powercut.Scratch(t)
		o := idle(t, filepath.Join(dir, "mail"))
		big := firing(1, time.Now(), image)
		if err := o.Submit(context.Background(), big); err != nil {
			t.Fatal(err)
		}
		seen := 0
		undo := durable.Observe(durable.Observer{Before: func(durable.Call) error {
			if seen++; seen == n {
				return syscall.EIO
			}
			return nil
		}})
		o.fit(big.ID, 20_000)
		undo()
		if seen < n {
			if n < 15 {
				t.Errorf("only %d calls were seen", n-1)
			}
			return
		}
		eml, err := os.ReadFile(o.spool.queue(big.ID + ".eml"))
		if err != nil || hashOf(eml) != o.mails[big.ID].SHA256 {
			t.Errorf("call %d refused: memory and mail are not the same version, %v", n, err)
		}
		if err := o.agrees(filepath.Join(dir, "mail"), filepath.Join(dir, "copy"), true); err != nil {
			t.Errorf("call %d refused: %v", n, err)
		}
		if err := o.Drop(big.ID); err != nil { // which writes the state
			t.Error(err)
		}
		if err := o.agrees(filepath.Join(dir, "mail"), filepath.Join(dir, "copy"), true); err != nil {
			t.Errorf("call %d refused, state written again: %v", n, err)
		}
	}
}

// On a full disk the room for a mail's state may be made of that mail's own images.
func TestRoomForAStateIsMadeOfItsOwnImages(t *testing.T) {
	dir := powercut.Scratch(t)
	o := idle(t, filepath.Join(dir, "mail"))
	n := firing(1, time.Now(), picture(t, 640, 480))
	if err := o.Submit(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	refused := false
	undo := durable.Observe(durable.Observer{Before: func(durable.Call) error {
		if !refused {
			refused = true
			return syscall.ENOSPC
		}
		return nil
	}})
	err := o.Drop(n.ID)
	undo()
	if err != nil {
		t.Fatal(err)
	}
	if len(o.mails[n.ID].Captions) != 0 {
		t.Error("its images were not left out")
	}
	if err := o.agrees(filepath.Join(dir, "mail"), filepath.Join(dir, "copy"), true); err != nil {
		t.Error(err)
	}
}
