package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Two triggers, an AND and privacy mode on one line: the kernel gives it to one only.
func TestOneLineIsOpenedOnce(t *testing.T) {
	two := door()
	two.Name, two.Edge = "two", "falling"
	cfg := conf(door(), two)
	cfg.Privacy.Line = "gpiochip0:4"
	and := trig("and")
	and.Source, and.And = event.Manual, &config.And{Source: event.External, Line: "gpiochip0:4", Within: 5 * time.Second}
	cfg.Triggers = append(cfg.Triggers, and)
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		if n := b.wires.times(doorLine); n != 1 {
			t.Errorf("opened %d times", n)
		}
	})
}

// Each hears the line by his own edge and debounce; who comes later, as it is.
func TestListenersOfOneLine(t *testing.T) {
	two, both := door(), door()
	two.Name, two.Edge = "falls", "falling"
	both.Name, both.Edge, both.Debounce = "both", "both", time.Second
	and := trig("and")
	and.Source, and.Line, and.And = event.External, "other", &config.And{Source: event.External, Line: "gpiochip0:4", Within: 5 * time.Second}
	cfg := conf(door(), two, both)
	inBox(t, cfg, func(t *testing.T, b *box) {
		fired := func(name string, want uint64) {
			t.Helper()
			if a := b.account(name); a.Fired != want {
				t.Errorf("%s %+v, want %d", name, a, want)
			}
		}
		time.Sleep(time.Second)
		b.wires.set(doorLine, true)
		time.Sleep(500 * time.Millisecond)
		fired("door", 1)
		fired("falls", 0)
		b.wires.set(doorLine, false)
		time.Sleep(20 * time.Second)
		fired("falls", 1)
		fired("both", 0) // shorter than its debounce
		b.wires.set(doorLine, true)
		time.Sleep(20 * time.Second)
		fired("door", 2)
		fired("both", 1)
		cfg.Triggers = append(cfg.Triggers, and)
		b.use(cfg)
		time.Sleep(time.Second)
		if n := b.wires.times(doorLine); n != 1 {
			t.Errorf("opened %d times", n)
		}
		b.wires.pulse("external other") // the door is open
		time.Sleep(10 * time.Second)
		if a := b.account("and"); a.Mailed != 1 {
			t.Errorf("and %+v", a)
		}
		cfg.Privacy.Line = "gpiochip0:4"
		b.use(cfg)
		time.Sleep(time.Second)
		if s, _ := b.Status(context.Background()); !s.Privacy.On {
			t.Error("its line is active")
		}
		b.wires.set(doorLine, false)
		time.Sleep(time.Second)
		if s, _ := b.Status(context.Background()); s.Privacy.On {
			t.Error("its line is at rest")
		}
		fired("door", 2)
	})
}

// A start of the program makes no built-in sensor blind; power that came later does.
func TestSensorIsPoweredWithTheBox(t *testing.T) {
	pir := door()
	pir.Name, pir.Source, pir.Line = "pir", event.BuiltIn, "pir"
	inBoxes(t, func(t *testing.T, b *box) {
		b.up = time.Hour
		b.start(conf(pir))
		time.Sleep(10 * time.Second)
		b.wires.pulse("builtin pir")
		b.wires.at("builtin pir").fail <- errors.New("unplugged")
		time.Sleep(10 * time.Second)
		b.wires.pulse("builtin pir")
		next := pir
		next.Name, next.Line = "next", "next"
		b.use(conf(pir, next))
		time.Sleep(10 * time.Second)
		b.wires.pulse("builtin next")
		time.Sleep(10 * time.Second)
		if a := b.account("pir"); a.Mailed != 1 || a.SilentReasons[event.WarmingUp] != 1 {
			t.Errorf("account %+v", a)
		}
		if n := b.silent("next", event.WarmingUp); n != 1 {
			t.Errorf("%d silent", n)
		}
		b.stop()
	})
}
