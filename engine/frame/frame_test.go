package frame

import (
	"context"
	"testing"
	"time"
)

// The reader gets the newest frame; what it did not take is counted as dropped.
func TestMailboxNewest(t *testing.T) {
	m := NewMailbox()
	for i := range 5 {
		m.Put(&Frame{Seq: uint64(i), Data: []byte{byte(i)}})
	}
	f, err := m.Take(context.Background())
	if err != nil || f.Seq != 4 || f.Data[0] != 4 {
		t.Fatalf("%+v, %v", f, err)
	}
	if frames, dropped := m.Counts(); frames != 5 || dropped != 4 {
		t.Errorf("%d frames, %d dropped", frames, dropped)
	}
	m.Put(&Frame{Seq: 5, Data: []byte{5}})
	if f.Data[0] != 4 {
		t.Error("the reader's frame was changed under it")
	}
	if f, _ = m.Take(context.Background()); f.Seq != 5 {
		t.Errorf("seq %d", f.Seq)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := m.Take(ctx); err == nil {
		t.Error("a frame came from nowhere")
	}
}

func TestMailboxDoesNotAllocate(t *testing.T) {
	m := NewMailbox()
	f := &Frame{Data: make([]byte, 1<<16)}
	ctx := context.Background()
	step := func() {
		m.Put(f)
		m.Put(f)
		m.Take(ctx)
	}
	for range 8 {
		step()
	}
	if n := testing.AllocsPerRun(100, step); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// A writer and a reader at once: under the race detector, and every frame whole.
func TestMailboxConcurrent(t *testing.T) {
	m := NewMailbox()
	ctx, cancel := context.WithCancel(context.Background())
	const n = 5000
	done := make(chan struct{})
	go func() {
		defer close(done)
		data := make([]byte, 512)
		for i := range n {
			for j := range data {
				data[j] = byte(i)
			}
			m.Put(&Frame{Seq: uint64(i), Data: data})
		}
	}()
	last := -1
	for last < n-1 {
		f, err := m.Take(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if int(f.Seq) <= last {
			t.Fatalf("frame %d after %d", f.Seq, last)
		}
		last = int(f.Seq)
		for _, b := range f.Data {
			if b != byte(f.Seq) {
				t.Fatalf("frame %d is torn", f.Seq)
			}
		}
	}
	<-done
	cancel()
}

func TestPlaneResize(t *testing.T) {
	var p Plane
	p.Resize(641, 480, 8)
	if p.Width != 81 || p.Height != 60 || len(p.Pix) != 81*60 {
		t.Errorf("%d x %d, %d", p.Width, p.Height, len(p.Pix))
	}
	was := &p.Pix[0]
	p.Resize(320, 240, 8)
	if len(p.Pix) != 40*30 || &p.Pix[0] != was {
		t.Error("the memory was not reused")
	}
}
