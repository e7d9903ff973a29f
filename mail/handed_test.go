package mail

import (
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// A refusal of the second attempt makes it forgotten that the first may have arrived.
func TestHandedForgotten(t *testing.T) {
	n := 0
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if cmd == "." {
			if n++; n == 1 {
				return "" // it may have it
			}
			return "451 4.3.0 later"
		}
		return o
	})
	dir := t.TempDir()
	b := start(t, dir, oddSettings(a), config.Secrets{}, func(t *timeouts) { t.slowRetry = []time.Duration{time.Hour} })
	b.submit(firing(1, time.Now(), nil))
	id := event.AlarmID(1)
	b.until(id, "tried twice", func(m event.Mail) bool { return m.Attempts > 1 })
	b.submit(firing(2, time.Now(), nil))
	b.until(event.AlarmID(2), "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	b.mu.Lock()
	n2 := 0
	for _, e := range b.backlog() {
		if e.Mail.ID == id {
			n2++
		}
	}
	b.mu.Unlock()
	if n2 > 0 {
		t.Errorf("%s, which the server may have, goes into the next digest too", id)
	}
}

// 421 and 4.7.x are to be the slowest.
func TestSlowest(t *testing.T) {
	d := defaultTimeouts
	if d.retry(busy)[0] <= d.retry(temporary)[0] {
		t.Errorf("421 waits %v at first, 4xx %v", d.retry(busy)[0], d.retry(temporary)[0])
	}
}
