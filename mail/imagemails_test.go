package mail

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"watchpost/engine/event"
)

// After an outage the alarm goes before the mails with its images.
func TestAlarmBeforeImages(t *testing.T) {
	o := idle(t, t.TempDir())
	at := time.Now()
	if err := o.Submit(context.Background(), firing(1, at, nil)); err != nil {
		t.Fatal(err)
	}
	if err := o.Submit(context.Background(), event.Notice{ID: "00000001-images-1", Kind: event.Images, At: at, Event: "event-1", Title: "yard", Images: []event.Image{{At: at, JPEG: tiny}}}); err != nil {
		t.Fatal(err)
	}
	if id, _ := o.next(); id != event.AlarmID(1) {
		t.Errorf("%s goes first", id)
	}
}

// Image mails of an outage leave room for alarms: beyond their own bound the
// transfer waits.
func TestImagesDoNotFillTheQueue(t *testing.T) {
	o := idle(t, t.TempDir())
	images := func(i int) event.Notice {
		return event.Notice{ID: fmt.Sprintf("%08d-images-1", i), Kind: event.Images, At: time.Now(), Event: "event-1", Title: "yard"}
	}
	o.mu.Lock()
	for i := range maxImages {
		o.put(&entry{record: record{Version: recordVersion, From: "camera@example.test", Envelope: []string{"guard@example.test"},
			Mail: event.Mail{ID: images(i).ID, Kind: event.Images, At: time.Now(), Bytes: 1000, Recipients: []event.Recipient{{Address: "guard@example.test", State: event.Pending}}}}})
	}
	o.mu.Unlock()
	if err := o.Submit(context.Background(), images(maxImages)); !errors.Is(err, ErrFull) {
		t.Errorf("one more: %v", err)
	}
	if err := o.Submit(context.Background(), alarm("00099999-alarm", time.Now())); err != nil {
		t.Errorf("an alarm: %v", err)
	}
}
