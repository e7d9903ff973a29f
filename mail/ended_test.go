package mail

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Bad recipients of every number and place, a greylisted one beside: the good ones
// have it soon, and when the bad ones are well again they have it too, each once.
func TestEndedMatrix(t *testing.T) {
	for _, c := range []struct{ bad, grey int }{{1, 0}, {2, 0}, {3, 0}, {1, 1}, {2, 1}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			var well atomic.Bool
			var greys atomic.Int32
			a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
				if strings.HasPrefix(cmd, "RCPT TO:<bad") && !well.Load() {
					return ""
				}
				if strings.HasPrefix(cmd, "RCPT TO:<grey") && greys.Add(1) < 5 {
					return "450 4.2.0 later"
				}
				return o
			})
			var to []string
			for i := range c.bad {
				to = append(to, fmt.Sprintf("bad%d@example.test", i))
			}
			for i := range c.grey {
				to = append(to, fmt.Sprintf("grey%d@example.test", i))
			}
			to = append(to, "good1@example.test", "good2@example.test")
			b := start(t, t.TempDir(), oddSettings(a, to...), config.Secrets{})
			b.submit(alarm("alarm-1", time.Now()))
			began := time.Now()
			m := b.until("alarm-1", "with the good and the grey", func(m event.Mail) bool { return m.Count(event.Delivered) == 2+c.grey })
			t.Logf("after %v, %d attempts", time.Since(began), m.Attempts)
			time.Sleep(time.Second)
			well.Store(true)
			m = b.untilState("alarm-1", "delivered")
			if m.Count(event.Delivered) != len(to) {
				t.Errorf("%+v", m)
			}
		})
	}
	_ = context.Background
}
