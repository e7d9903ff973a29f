package engine

import (
	"context"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// A trigger that gets another name keeps its account, its hold-off and the event
// that goes on, over a restart too; a later one with the old name begins at nothing.
func TestRenamedTrigger(t *testing.T) {
	yard, door := quick(), quick()
	yard.HoldOff, yard.Post = new(time.Duration), config.Extent{Time: 30 * time.Second}
	*yard.HoldOff = 10 * time.Minute
	door.Name = "door"
	inBox(t, conf(yard, door), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		b.fire("yard") // mailed at once
		time.Sleep(time.Minute)
		f := b.fire("yard") // held off, its event goes on
		time.Sleep(5 * time.Second)
		gate := yard
		gate.Name, gate.Threshold = "gate", 7 // and something else with it
		b.use(conf(gate, door))
		time.Sleep(2 * time.Second)
		if a := b.account("gate"); a.Fired != 2 || a.Mailed != 1 || a.Queued != 1 {
			t.Errorf("under the new name %+v", a)
		}
		again := b.fire("gate")
		if again.Disposition != event.Extended || again.EventID != f.EventID {
			t.Errorf("the event does not go on: %+v", again)
		}
		b.stop() // before the summary
		b.start(conf(gate, door))
		list, err := b.Events(context.Background(), event.Filter{})
		if err != nil || len(list) != 2 || list[0].Firings != 2 {
			t.Fatalf("%v %+v", err, list)
		}
		time.Sleep(15 * time.Minute)
		if a := b.account("gate"); a.Fired != 3 || a.Mailed != 1 || a.Summarised != 1 || a.Extended != 1 {
			t.Errorf("after the hold-off %+v", a)
		}
		b.use(conf(door, gate, yard))
		time.Sleep(time.Second)
		if a := b.account("yard"); a.Fired != 0 {
			t.Errorf("a new one with the old name has %+v", a)
		}
		b.use(conf(door, yard)) // gate is removed, not renamed
		time.Sleep(time.Second)
		if a := b.account("yard"); a.Fired != 0 {
			t.Errorf("it has the account of a removed one: %+v", a)
		}
		time.Sleep(time.Second)
		f = b.fire("yard")
		if f.HeldOff || f.Disposition != event.Queued {
			t.Errorf("%+v", f)
		}
	})
}

// A motion trigger that is renamed while something moves: its event ends.
func TestRenamedInMotion(t *testing.T) {
	yard := quick()
	gate := yard
	gate.Name = "gate"
	inBox(t, conf(yard), func(t *testing.T, b *box) {
		time.Sleep(10 * time.Second)
		b.cam.show(true)
		time.Sleep(3 * time.Second)
		b.use(conf(gate))
		time.Sleep(20 * time.Second)
		b.cam.show(false)
		time.Sleep(30 * time.Second)
		list, err := b.Events(context.Background(), event.Filter{})
		if err != nil || len(list) == 0 {
			t.Fatalf("%v %+v", err, list)
		}
		for _, e := range list {
			if e.End.IsZero() {
				t.Errorf("%+v does not end", e)
			}
		}
		if a := b.account("gate"); a.Fired == 0 || !a.Balanced() {
			t.Errorf("%+v", a)
		}
	})
}
