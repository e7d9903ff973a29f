package mail

import (
	"math"
	"testing"
	"time"

	"watchpost/engine/config"
)

// What a server takes at most is known to the next start, so that images are parted
// by it before anything was sent; of another server nothing is known.
func TestLimitIsRemembered(t *testing.T) {
	for ehlo, want := range map[string]int64{"250-faulty\r\n250 SIZE 200000": 200_000, "250 faulty": math.MaxInt64} {
		f := newFaulty(t, map[string]string{"EHLO": ehlo})
		dir := t.TempDir()
		b := start(t, dir, f.settings(), config.Secrets{})
		if got := b.Limit(); got != 0 {
			t.Errorf("before the first connection: %d", got)
		}
		n := firing(1, time.Now(), nil)
		b.submit(n)
		b.untilState(n.ID, "delivered")
		if got := b.Limit(); got != want {
			t.Errorf("%q: %d, not %d", ehlo, got, want)
		}
		b.stop()
		b = start(t, dir, f.settings(), config.Secrets{})
		if got := b.Limit(); got != want {
			t.Errorf("%q after a start: %d, not %d", ehlo, got, want)
		}
		other := f.settings()
		other.SMTP.Server = "mail.example.test"
		b.Configure(other, config.Secrets{}, time.UTC)
		if got := b.Limit(); got != 0 {
			t.Errorf("of another server: %d", got)
		}
		b.stop()
		b = start(t, dir, other, config.Secrets{})
		if got := b.Limit(); got != 0 {
			t.Errorf("of another server after a start: %d", got)
		}
	}
}
