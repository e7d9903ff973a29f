package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/frame"
	"watchpost/engine/journal"
)

// taken remembers when each frame came to the detector.
type taken struct {
	fakePictures
	mu sync.Mutex
	at map[uint64]time.Time
}

func (p *taken) Luma(dst *frame.Plane, f *frame.Frame) error {
	p.mu.Lock()
	p.at[f.Seq] = time.Now()
	p.mu.Unlock()
	return p.fakePictures.Luma(dst, f)
}

// From a signal to the image that is kept of it at most one frame passes by, also
// where the disk takes its time for the record, and where the triggers signal at once.
func TestImageIsFrozenWithinAFrame(t *testing.T) {
	sources := []struct {
		trigger string
		fire    func(b *box)
	}{
		{"yard", func(b *box) { b.cam.show(true) }},
		{"door", func(b *box) { b.wires.set(doorLine, true) }},
		{"pir", func(b *box) { b.wires.set("builtin pir", true) }},
		{"noise", func(b *box) { b.wires.set("sound", true) }},
		{"hand", func(b *box) { b.fire("hand") }},
		{"all", func(b *box) {
			for _, key := range []string{doorLine, "builtin pir", "sound"} {
				b.wires.at(key).readings <- Reading{Active: true, At: time.Now()}
			}
		}},
	}
	for _, disk := range []time.Duration{0, 30 * time.Millisecond, 450 * time.Millisecond} {
		for _, src := range sources {
			t.Run(fmt.Sprintf("%s, fsync %v", src.trigger, disk), func(t *testing.T) {
				yard, pir, noise, hand := trig("yard"), door(), door(), trig("hand")
				pir.Name, pir.Source, pir.Line = "pir", event.BuiltIn, "pir"
				noise.Name, noise.Source, noise.Line = "noise", event.Sound, ""
				hand.Source = event.Manual
				all := []config.Trigger{yard, door(), pir, noise, hand}
				for i := range all {
					all[i].Interval, all[i].Pre, all[i].Post = 2*time.Second, config.Extent{}, config.Extent{Time: 5 * time.Second}
				}
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					pictures := &taken{at: map[uint64]time.Time{}}
					b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox()}
					b.startWith(conf(all...), pictures)
					time.Sleep(warmUp + time.Second + 30*time.Millisecond)
					defer durable.Observe(durable.Observer{Before: func(c durable.Call) error {
						if c.Op == durable.OpSync && strings.Contains(c.Path, "/journal/") {
							time.Sleep(disk)
						}
						return nil
					}})()
					signal := time.Now()
					src.fire(b)
					time.Sleep(10 * time.Second)
					list, err := b.store.List(event.Filter{})
					if err != nil || len(list) == 0 {
						t.Fatalf("%d events, %v", len(list), err)
					}
					for _, e := range list {
						if src.trigger == "yard" { // its signal is what the detector said
							signal = e.Start
						}
						data, err := os.ReadFile(filepath.Join(b.store.Dir(e.ID), e.Images[0].File))
						var frozen uint64
						if _, serr := fmt.Sscanf(string(data), "frame %d", &frozen); err != nil || serr != nil {
							t.Fatal(err, serr)
						}
						first := frozen // after the signal
						for n, at := range pictures.at {
							if !at.Before(signal) {
								first = min(first, n)
							}
						}
						if pictures.at[frozen].Before(signal) || frozen-first > 1 {
							t.Errorf("%s: the first frame after the signal is %d, the first that is kept %d", e.Trigger, first, frozen)
						}
					}
					b.stop()
				})
			})
		}
	}
}

// BenchmarkTriggerToRecord is what it takes from a trigger to its durable record,
// beside what the same disk takes at the same time for the same bytes alone.
func BenchmarkTriggerToRecord(b *testing.B) {
	dir := b.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal"))
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	path := filepath.Join(dir, "journal", "journal.jsonl")
	bare, err := os.Create(filepath.Join(dir, "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer bare.Close()
	at := time.Date(2026, 11, 23, 20, 51, 7, 512e6, time.UTC)
	size := func() int64 {
		st, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		return st.Size()
	}
	var records, plain []time.Duration
	var end int64
	for b.Loop() {
		f := event.Firing{Seq: j.Next(), Trigger: "yard", Source: event.Motion, At: at, EventID: "00000001-20261123T205107", Disposition: event.Extended, Level: 1.25}
		before := size()
		begun := time.Now()
		if err := j.Fire(f); err != nil {
			b.Fatal(err)
		}
		records = append(records, time.Since(begun))
		line := make([]byte, max(0, size()-before))
		begun = time.Now()
		if _, err := bare.WriteAt(line, end); err != nil {
			b.Fatal(err)
		}
		if err := bare.Sync(); err != nil {
			b.Fatal(err)
		}
		plain = append(plain, time.Since(begun))
		end += int64(len(line))
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2].Microseconds())
	}
	b.ReportMetric(median(records), "µs/record")
	b.ReportMetric(median(plain), "µs/bare-fsync")
	b.ReportMetric(median(records)/median(plain), "ratio")
	b.ReportMetric(0, "ns/op")
}

// startWith is start with other pictures.
func (b *box) startWith(cfg config.Config, p Pictures) {
	b.t.Helper()
	path := filepath.Join(b.dir, "watchpost.yaml")
	b.out.feed = NewMailFeed()
	e, err := New(Options{
		OpenCamera: func(config.Camera) (Camera, error) { return b.cam, nil }, FindCamera: b.cam.find, OpenInput: b.wires.open,
		Pictures: p, Outbox: b.out, Mail: b.out.feed, Clock: &b.clock, BootID: func() string { return b.boot },
		File: config.Open(path), Stamp: config.Open(path).Stamp(), Loaded: config.Loaded{Config: cfg, Revision: "r"}, Directory: b.dir, Version: "test", Mode: "service",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.Engine, b.cancel, b.ran = e, cancel, make(chan error, 1)
	go func() { b.ran <- e.Run(ctx) }()
}
