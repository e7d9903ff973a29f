package store

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/event"
)

// processor is the processor time that this process has used, in all its threads.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measured reports the processor time of each of the benchmark's rounds.
func measured(b *testing.B, round func()) {
	b.Helper()
	before := processor()
	for b.Loop() {
		round()
	}
	b.ReportMetric(float64((processor()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

// filled makes a store of 100,000 events past durable, whose fsyncs would take
// hours. STORE_IMAGES says how many images an event has (10: a million in all),
// STORE_DIR where it is and stays.
func filled(b *testing.B) (dir string) {
	b.Helper()
	const events = 100_000
	if dir = os.Getenv("STORE_DIR"); dir == "" {
		dir = b.TempDir()
	}
	images := 1
	if text := os.Getenv("STORE_IMAGES"); text != "" {
		var err error
		if images, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for seq := range events {
		at := t0.Add(time.Duration(seq-events) * time.Minute)
		e := event.Stored{ID: ID(uint64(seq+1), at), Trigger: fmt.Sprint("trigger ", seq%5), Source: event.Motion, Start: at, End: at.Add(10 * time.Second), Firings: 1}
		folder := filepath.Join(dir, e.ID)
		if err := os.Mkdir(folder, 0o750); err != nil {
			if os.IsExist(err) {
				return dir
			}
			b.Fatal(err)
		}
		for i := range images {
			im := event.StoredImage{File: fmt.Sprintf("%04d-%s.jpg", i+1, at.Format(imageStamp)), At: at, Bytes: 5}
			e.Images = append(e.Images, im)
			if err := os.WriteFile(filepath.Join(folder, im.File), []byte("image"), 0o640); err != nil {
				b.Fatal(err)
			}
		}
		js, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, metaName), js, 0o640); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func opened(b *testing.B, dir string) *Store {
	b.Helper()
	s, err := Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// A start: with its index, without one, and after a power cut that lost the last
// ten events' lines. Then what is asked of so large a store, and what is written
// into it while each new event makes the oldest go.
func Benchmark100k(b *testing.B) {
	dir := filled(b)
	index := filepath.Join(dir, indexName)
	opened(b, dir)
	b.Run("Open", func(b *testing.B) {
		measured(b, func() {
			if s := opened(b, dir); len(s.order) < 100_000 || s.read != 0 {
				b.Fatalf("%d events, %d read", len(s.order), s.read)
			}
		})
	})
	b.Run("OpenAfterPowerCut", func(b *testing.B) {
		data, err := os.ReadFile(index)
		if err != nil {
			b.Fatal(err)
		}
		measured(b, func() {
			if err := os.WriteFile(index, data[:len(data)-1000], 0o640); err != nil {
				b.Fatal(err)
			}
			if s := opened(b, dir); s.read == 0 {
				b.Fatal("nothing was read")
			}
		})
	})
	b.Run("OpenWithoutIndex", func(b *testing.B) {
		measured(b, func() {
			if err := os.Remove(index); err != nil {
				b.Fatal(err)
			}
			opened(b, dir)
		})
	})
	s := opened(b, dir)
	list := func(f event.Filter, n int) func(b *testing.B) {
		return func(b *testing.B) {
			measured(b, func() {
				if l, err := s.List(f); err != nil || len(l) != n {
					b.Fatal(len(l), err)
				}
			})
		}
	}
	b.Run("List100", list(event.Filter{N: 100}, 100))
	b.Run("List100OfATriggerLongAgo", list(event.Filter{N: 100, Trigger: "trigger 3", To: t0.Add(-90_000 * time.Minute)}, 100))
	b.Run("ListNone", list(event.Filter{N: 100, Trigger: "none"}, 0))
	b.Run("Count", func(b *testing.B) {
		measured(b, func() {
			if n := s.Count(event.Filter{Trigger: "trigger 3"}).Events; n != 20_000 {
				b.Fatal(n)
			}
		})
	})
	im := event.Image{At: t0, JPEG: make([]byte, 60_000)}
	for name, c := range map[string]struct {
		bound int64
		all   bool
	}{"": {}, "AtTheBound": {bound: s.total}, "AtTheBoundAllPending": {s.total, true}} {
		s.Limit(c.bound, 0)
		s.SetPending(func(string) bool { return c.all })
		b.Run("AddImage"+name, func(b *testing.B) {
			e := event.Stored{ID: ID(s.LastSeq()+1, t0), Trigger: "yard", Start: t0}
			if err := s.Put(e); err != nil {
				b.Fatal(err)
			}
			measured(b, func() {
				if err := s.AddImage(e.ID, im); err != nil {
					b.Fatal(err)
				}
			})
			e.End = t0
			if err := s.Put(e); err != nil {
				b.Fatal(err)
			}
		})
		b.Run("Event"+name, func(b *testing.B) { // Put, an image, Put
			measured(b, func() {
				e := event.Stored{ID: ID(s.LastSeq()+1, t0), Trigger: "yard", Start: t0}
				if err := s.Put(e); err != nil {
					b.Fatal(err)
				}
				if err := s.AddImage(e.ID, im); err != nil {
					b.Fatal(err)
				}
				e.End = t0
				if err := s.Put(e); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
