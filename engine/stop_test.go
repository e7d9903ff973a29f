package engine

import (
	"context"
	"testing"
)

func TestSendAtStop(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	lost := 0
	for range 100 {
		d := &detector{signals: make(chan signal, 1)}
		ch := make(chan signal, 1)
		d.signals = ch
		d.send(ctx, signal{started: true})
		if len(ch) == 0 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of 100 triggers were lost though there was room", lost)
	}
}
