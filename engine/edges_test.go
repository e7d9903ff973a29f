package engine

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/frame"
)

type bigPictures struct{ fakePictures }

func (bigPictures) JPEG(*frame.Frame, int) ([]byte, error) { return make([]byte, 1<<20), nil }

// Memory of images while the disk stands still.
func TestStalledDiskMemory(t *testing.T) {
	y := door()
	y.Interval, y.Post = 100*time.Millisecond, config.Extent{Time: 2 * time.Minute}
	inBox(t, conf(y), func(t *testing.T, b *box) {
		b.detector.pictures = bigPictures{}
		time.Sleep(2 * time.Second)
		var stall atomic.Bool
		stall.Store(true)
		defer durable.Observe(durable.Observer{Before: func(c durable.Call) error {
			if strings.Contains(c.Path, "/events/") && stall.Swap(false) {
				time.Sleep(time.Minute)
			}
			return nil
		}})()
		go b.wires.at(doorLine).pulse()
		time.Sleep(40 * time.Second)
		_, ring := b.ring.Size()
		if held := len(b.keeper); held > 40 {
			t.Errorf("the ring has %d MiB (bound %d), and %d more images of 1 MiB wait for the disk", ring>>20, conf(y).Camera.Buffer>>20, held)
		}
		time.Sleep(2 * time.Minute)
		_ = context.Background
	})
}
