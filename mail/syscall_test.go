package mail

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"watchpost/engine/config"
	"watchpost/engine/durable/powercut"
	"watchpost/engine/event"
)

const (
	spoolEnv = "WATCHPOST_TEST_SPOOL"
	portEnv  = "WATCHPOST_TEST_PORT" // of the server; unset: the child enqueues
	killedID = "alarm-1"
)

var killedAt = time.Date(2026, 11, 23, 20, 51, 7, 0, time.UTC)

// TestChild is the process that the tests below kill. It enqueues a mail, or sends
// the one that waits, and says so.
func TestChild(t *testing.T) {
	dir := os.Getenv(spoolEnv)
	if dir == "" {
		return // it is no test by itself
	}
	runtime.LockOSThread()
	pipe := os.NewFile(3, "pipe")
	mark()
	if err := work(dir, pipe); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	mark()
	os.Exit(0)
}

func work(dir string, pipe io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	o, err := Open(dir, Options{Version: "test", Listener: untilDelivered{cancel}})
	if err != nil {
		return err
	}
	port, sends := os.LookupEnv(portEnv)
	c := testConfig()
	c.SMTP = config.SMTP{Server: "127.0.0.1", Port: 25, Security: "none"}
	if c.SMTP.Port, err = strconv.Atoi(port); sends && err != nil {
		return err
	}
	o.Configure(c, config.Secrets{}, time.UTC)
	if sends {
		o.Run(ctx)
		err = o.Settle(killedID)
	} else {
		err = o.Submit(ctx, alarm(killedID, killedAt))
	}
	if err == nil {
		_, err = io.WriteString(pipe, "ack\n")
	}
	return err
}

// untilDelivered is a Listener that ends the sending.
type untilDelivered struct{ cancel func() }

func (u untilDelivered) MailChanged(m event.Mail) {
	if m.QueueState() == "delivered" {
		u.cancel()
	}
}
func (untilDelivered) MailStep(string, event.Step) {}
func (untilDelivered) MailSent(event.MailSent)     {}

// killed is what is known of a child that was killed.
type killed struct {
	dir       string
	finished  bool   // it was not: it came to its end
	after     string // the system call
	said      string
	dot       bool // its final dot was written
	committed bool // and then the outcome renamed into its place
}

// killAfter runs a child and kills it after its n-th system call.
func killAfter(n int, dir string, env ...string) (k killed, err error) {
	k.dir = dir
	r, w, err := os.Pipe()
	if err != nil {
		return k, err
	}
	defer r.Close()
	count := 0
	k.finished, err = traced(child("TestChild", w, append(env, spoolEnv+"="+dir)...), func(c call) bool {
		count++
		k.after = fmt.Sprintf("%d: number %d", count, c.nr)
		switch c.nr {
		case unix.SYS_WRITE:
			if tail := c.bytes(c.args[1]+uint64(max(0, c.result-5)), int(min(5, max(0, c.result)))); string(tail) == "\r\n.\r\n" || string(tail) == ".\r\n" {
				k.dot = true
			}
		case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
			to, _, _ := bytes.Cut(c.bytes(c.args[3], 400), []byte{0})
			k.committed = k.committed || k.dot && strings.HasSuffix(string(to), "/queue/"+killedID+".json")
		}
		return count == n
	})
	w.Close()
	said, rerr := io.ReadAll(r)
	k.said = string(said)
	if err == nil {
		err = rerr
	}
	return k, err
}

// everyCall kills a child after its first system call, another one after its
// second, and so on until one comes to its end, and has check look at each.
func everyCall(t *testing.T, check func(n int) (finished bool, err error)) (points int) {
	t.Helper()
	var next atomic.Int64
	var ended atomic.Bool
	var mu sync.Mutex
	var wg sync.WaitGroup
	failures := 0
	for range max(2, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for !ended.Load() {
				n := int(next.Add(1))
				finished, err := check(n)
				mu.Lock()
				if err != nil {
					failures++
					t.Errorf("killed after system call %d: %v", n, err)
				}
				if finished || failures == 5 {
					ended.Store(true)
				} else {
					points = max(points, n)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return points
}

// A process that is killed after any system call of an enqueue leaves a spool in
// which the mail is, whole, once, or is not; it is where that was said.
func TestKilledWhileEnqueuing(t *testing.T) {
	root := powercut.Scratch(t)
	points := everyCall(t, func(n int) (bool, error) {
		k, err := killAfter(n, filepath.Join(root, strconv.Itoa(n), "mail"))
		if err == nil {
			err = checkEnqueued(k)
		}
		if err != nil {
			err = fmt.Errorf("(%s) %w", k.after, err)
		}
		return k.finished, err
	})
	if points < 30 {
		t.Errorf("only %d system calls were seen", points)
	}
	t.Logf("killed after each of %d system calls of an enqueue", points)
}

func checkEnqueued(k killed) error {
	o, err := Open(k.dir, Options{Version: "test"})
	if err != nil {
		return err
	}
	o.times = quick()
	mails, acked := o.Mails(), strings.Contains(k.said, "ack")
	switch {
	case len(o.Problems()) > 0:
		return fmt.Errorf("a start finds damage: %v", o.Problems())
	case k.finished && !acked:
		return fmt.Errorf("it said %q at its end", k.said)
	case acked && len(mails) == 0:
		return fmt.Errorf("an acknowledged mail is lost")
	case len(mails) > 1:
		return fmt.Errorf("%d mails", len(mails))
	}
	if err := tidy(k.dir); err != nil {
		return err
	}
	server, stop, err := serveLedger()
	if err != nil {
		return err
	}
	defer stop()
	// The engine submits again what it does not know to be accepted.
	o.Configure(server.settings(), config.Secrets{}, time.UTC)
	if err := o.Submit(context.Background(), alarm(killedID, killedAt)); err != nil {
		return fmt.Errorf("submitted again: %w", err)
	}
	again := o.Mails()
	if len(again) != 1 || len(mails) == 1 && again[0].MessageID != mails[0].MessageID {
		return fmt.Errorf("submitted again, there are %+v", again)
	}
	if !runUntil(o, func() bool { return o.Mails()[0].QueueState() == "delivered" }) {
		return fmt.Errorf("not delivered: %+v", o.Mails())
	}
	if n := server.total(again[0].MessageID, guard); n != 1 || len(server.data) != 1 {
		return fmt.Errorf("delivered %d times, in %d mails", n, len(server.data))
	}
	return nil
}

// A process that is killed after any system call of a delivery leaves a spool
// from which the mail is delivered, once; a second time only where the kill fell between
// the final dot and the commit, and then byte for byte the same.
func TestKilledWhileSending(t *testing.T) {
	root := powercut.Scratch(t)
	var duplicates, window atomic.Int64
	points := everyCall(t, func(n int) (bool, error) {
		k, copies, err := killSending(n, filepath.Join(root, strconv.Itoa(n), "mail"))
		if copies > 1 {
			duplicates.Add(1)
		}
		if k.dot && !k.committed {
			window.Add(1)
		}
		if err != nil {
			err = fmt.Errorf("(%s) %w", k.after, err)
		}
		return k.finished, err
	})
	if points < 50 || window.Load() == 0 {
		t.Errorf("only %d system calls were seen, %d of them between the final dot and the commit", points, window.Load())
	}
	t.Logf("killed after each of %d system calls of a delivery, %d of them between the final dot and the commit: %d duplicates", points, window.Load(), duplicates.Load())
}

func killSending(n int, dir string) (k killed, copies int, err error) {
	o, err := Open(dir, Options{Version: "test"})
	if err != nil {
		return k, 0, err
	}
	server, stop, err := serveLedger()
	if err != nil {
		return k, 0, err
	}
	defer stop()
	o.Configure(server.settings(), config.Secrets{}, time.UTC)
	if err := o.Submit(context.Background(), alarm(killedID, killedAt)); err != nil {
		return k, 0, err
	}
	eml, err := os.ReadFile(filepath.Join(dir, "queue", killedID+".eml"))
	if err != nil {
		return k, 0, err
	}
	m := o.Mails()[0]
	if k, err = killAfter(n, dir, portEnv+"="+strconv.Itoa(server.addr.Port)); err != nil {
		return k, 0, err
	}
	had := func() int { return server.total(m.MessageID, guard) }
	for end := time.Now().Add(patience); k.dot && had() == 0; time.Sleep(time.Millisecond) { // it is on its way
		if time.Now().After(end) {
			return k, 0, fmt.Errorf("the final dot never arrived")
		}
	}
	first := had()
	if o, err = Open(dir, Options{Version: "test"}); err != nil {
		return k, first, err
	}
	o.times = quick()
	if p := o.Problems(); len(p) > 0 {
		return k, first, fmt.Errorf("a start finds damage: %v", p)
	}
	o.Configure(server.settings(), config.Secrets{}, time.UTC)
	if !runUntil(o, func() bool { ms := o.Mails(); return len(ms) == 1 && ms[0].QueueState() == "delivered" }) {
		return k, first, fmt.Errorf("not delivered: %+v", o.Mails())
	}
	copies = had()
	switch {
	case copies == 0:
		return k, copies, fmt.Errorf("the server does not have it")
	case k.committed && copies > 1, copies > 1 && !k.dot, copies > 2:
		return k, copies, fmt.Errorf("delivered %d times; final dot sent: %v, committed: %v", copies, k.dot, k.committed)
	case len(server.data) != 1 || len(server.differ) > 0 || !bytes.Equal(server.data[m.MessageID], eml):
		return k, copies, fmt.Errorf("%d mails at the server, %d with other bytes", len(server.data), len(server.differ))
	case k.finished && !strings.Contains(k.said, "ack"):
		return k, copies, fmt.Errorf("it said %q at its end", k.said)
	}
	if strings.Contains(k.said, "ack") {
		if _, err := os.Stat(filepath.Join(dir, "queue", killedID+".json")); err == nil {
			return k, copies, fmt.Errorf("it was settled, and is in the queue")
		}
	}
	if err := o.Settle(killedID); err != nil {
		return k, copies, err
	}
	return k, copies, tidy(dir)
}
