package mail

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// A mail with destinations of its own needs none of the Mail page; one without has
// nowhere to go then. What a server refused is taken up again for another server.
func TestOwnDestinationsAlone(t *testing.T) {
	l := newLedger(t)
	c := l.settings()
	refusing := newFaulty(t, map[string]string{"RCPT": "550 5.7.1 relaying denied"})
	bad := refusing.settings()
	bad.Mail.Destinations = nil
	b := start(t, t.TempDir(), bad, config.Secrets{})
	n := firing(1, time.Now(), nil)
	if err := b.Submit(context.Background(), n); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("with none at all: %v", err)
	}
	n.Destinations = []string{desk}
	b.submit(n)
	b.untilState(n.ID, "held")
	b.Configure(c, config.Secrets{}, time.UTC)
	m := b.untilState(n.ID, "delivered")
	if !slices.Equal([]string{desk}, []string{m.Recipients[0].Address}) || m.Count(event.Delivered) != 1 {
		t.Errorf("%+v", m)
	}
}
