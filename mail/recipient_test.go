package mail

import (
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// A server that says 421, or hangs up, at one recipient keeps the mail from the others.
func TestFatalAtOneRecipient(t *testing.T) {
	for _, reply := range []string{"421 4.7.28 too much mail for this user", ""} {
		dots := 0
		a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
			if strings.HasPrefix(cmd, "RCPT TO:<busy@") {
				return reply
			}
			if cmd == "." {
				dots++
			}
			return o
		})
		b := start(t, t.TempDir(), oddSettings(a, "guard@example.test", "busy@example.test", "ops@example.test"), config.Secrets{})
		b.submit(alarm("alarm-1", time.Now()))
		time.Sleep(3 * time.Second)
		m := b.mail("alarm-1")
		if m.Count(event.Delivered) != 2 {
			t.Errorf("%q: %d attempts, %d have it: %+v", reply, m.Attempts, m.Count(event.Delivered), m.Recipients)
		}
		b.stop()
	}
}
