package mail

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
)

// A server that takes only so much gets a mail that fits: the image smaller, or
// none; the text and Message-ID stay. SIZE may be announced or be found out.
func TestMailFitsTheServer(t *testing.T) {
	jpeg := picture(t, 1280, 960)
	for name, c := range map[string]struct {
		ehlo   string
		limit  int
		images int
	}{
		"announced":             {"250-faulty\r\n250 SIZE 200000", 200_000, 1},
		"announced, small":      {"250-faulty\r\n250 SIZE 40000", 40_000, 1},
		"announced, text only":  {"250-faulty\r\n250 SIZE 4000", 4000, 0},
		"not announced":         {"250 faulty", 200_000, 1},
		"not announced, little": {"250 faulty", 4000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaulty(t, map[string]string{"EHLO": c.ehlo})
			f.onDot = func(body string) (string, bool) {
				return "552 5.3.4 Message size exceeds fixed limit", len(body) > c.limit
			}
			b := start(t, t.TempDir(), f.settings(), config.Secrets{})
			n := firing(1, time.Now(), jpeg)
			b.submit(n)
			was := b.mail(n.ID).MessageID
			m := b.untilState(n.ID, "delivered")
			f.mu.Lock()
			defer f.mu.Unlock()
			if m.Attempts != 1 || len(f.last) > c.limit || int64(len(f.last)) != m.Bytes || f.last != string(b.eml(n.ID)) || m.MessageID != was {
				t.Errorf("%d bytes for %d, %+v", len(f.last), c.limit, m)
			}
			p := parse(t, []byte(f.last))
			if len(p.images) != c.images || !strings.Contains(p.text, "takes no larger mail") || !strings.Contains(p.text, "fired") {
				t.Errorf("%d images:\n%s", len(p.images), p.text)
			}
			if p.header.Get("Message-Id") != was {
				t.Errorf("Message-ID %s, before %s", p.header.Get("Message-Id"), was)
			}
		})
	}
}

// A text that is too large in itself, and a mailbox that is full, are not shrunk for ever.
func TestTooLargeEnds(t *testing.T) {
	f := newFaulty(t, map[string]string{"DOT": "552 5.3.4 Message too big for system"})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{})
	b.submit(firing(1, time.Now(), picture(t, 320, 240)))
	m := b.untilState(event.AlarmID(1), "held")
	if !strings.Contains(m.Recipients[0].Reply, "552") {
		t.Errorf("%+v", m)
	}
	if tooLarge(&fault{step: "data", code: 552, text: "5.2.2 mailbox full"}) || tooLarge(&fault{step: "rcpt", code: 552}) || !tooLarge(&fault{step: "mail", code: 552}) {
		t.Error("taken for one another")
	}
}

// A crash between the two versions of a mail that is made smaller leaves one that
// is whole and goes out.
func TestCrashWhileMadeSmaller(t *testing.T) {
	for stop := 1; ; stop++ {
		dir := t.TempDir()
		o := idle(t, dir)
		n := firing(1, time.Now(), picture(t, 640, 480))
		if err := o.Submit(context.Background(), n); err != nil {
			t.Fatal(err)
		}
		calls := 0
		undo := durable.Observe(durable.Observer{Before: func(durable.Call) error {
			if calls++; calls >= stop {
				return syscall.EIO // from here on nothing reaches the disk
			}
			return nil
		}})
		o.disk.Lock()
		_, err := o.smaller(o.mails[n.ID], 5000, "why")
		o.disk.Unlock()
		undo()
		f := newFaulty(t, map[string]string{})
		b := start(t, dir, f.settings(), config.Secrets{})
		b.untilState(n.ID, "delivered")
		if len(b.Problems()) > 0 {
			t.Errorf("stopped at call %d: %q", stop, b.Problems())
		}
		b.stop()
		if err == nil {
			if stop < 10 {
				t.Errorf("only %d calls", stop)
			}
			return
		}
	}
}

// full is a disk that has room for so many more bytes in files.
func full(t *testing.T, room int) {
	t.Cleanup(durable.Observe(durable.Observer{Before: func(c durable.Call) error {
		if c.Op == durable.OpWrite {
			if room -= len(c.Data); room < 0 {
				room += len(c.Data)
				return syscall.ENOSPC
			}
		}
		return nil
	}}))
}

// On a full disk the images go first, those of other mails too, the text never;
// and the screen says so until there is room again.
func TestFullDiskKeepsTheText(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	jpeg := picture(t, 640, 480)
	for seq := range uint64(3) {
		if err := o.Submit(context.Background(), firing(seq+1, time.Now(), jpeg)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("room for a text", func(t *testing.T) {
		full(t, 30_000)
		if err := o.Submit(context.Background(), firing(4, time.Now(), jpeg)); err != nil {
			t.Fatal(err)
		}
		eml, _ := os.ReadFile(filepath.Join(dir, "queue", event.AlarmID(4)+".eml"))
		if p := parse(t, eml); !strings.Contains(p.text, "the disk of the camera is full") || len(eml) > 30_000 {
			t.Errorf("%d bytes:\n%s", len(eml), p.text)
		}
		if p := o.Problems(); len(p) != 1 || !strings.Contains(p[0], "images are left out") {
			t.Errorf("%q", p)
		}
	})
	t.Run("no room at all", func(t *testing.T) {
		full(t, 100)
		if err := o.Submit(context.Background(), firing(5, time.Now(), nil)); err == nil {
			t.Fatal("accepted")
		}
		if p := o.Problems(); len(p) == 0 || !strings.Contains(p[len(p)-1], "could not be kept") {
			t.Errorf("%q", p)
		}
		if _, err := os.Stat(filepath.Join(dir, "reserve")); err == nil {
			t.Error("the reserve was not given up")
		}
	})
	if err := o.Submit(context.Background(), firing(5, time.Now(), jpeg)); err != nil {
		t.Fatal(err)
	}
	if o.lacksRoom(); len(o.Problems()) != 0 {
		t.Errorf("%q", o.Problems())
	}
	if m := idle(t, dir).Mails(); len(m) != 5 {
		t.Errorf("%d mails", len(m))
	}
}

// A quota of a real file system: notifications are kept to the last, and all of
// them are there.
func TestRealFullDisk(t *testing.T) {
	dir := smallDisk(t, 4<<20)
	o := idle(t, dir)
	jpeg := picture(t, 640, 480)
	accepted := 0
	for seq := range uint64(400) {
		if err := o.Submit(context.Background(), firing(seq+1, time.Now(), jpeg)); err != nil {
			t.Logf("after %d mails: %v", accepted, err)
			break
		}
		accepted++
	}
	if accepted < 100 { // 40 of them with their images fill it
		t.Errorf("only %d mails were accepted", accepted)
	}
	m := idle(t, dir).Mails()
	if len(m) != accepted {
		t.Errorf("%d of %d mails are there", len(m), accepted)
	}
	for _, m := range m {
		eml, err := os.ReadFile(filepath.Join(dir, "queue", m.ID+".eml"))
		if err != nil || !strings.Contains(parse(t, eml).text, "fired") {
			t.Fatalf("%s: %v", m.ID, err)
		}
	}
}

func TestImages(t *testing.T) {
	jpeg := picture(t, 1280, 960)
	images := []event.Image{{JPEG: jpeg}, {JPEG: []byte("no image")}, {JPEG: bytes.Repeat([]byte("x"), smallImage+1)}, {JPEG: jpeg}}
	for _, limit := range []int{0, 100, 5000, 50_000, 500_000, 5_000_000} {
		got := fitImages(images, limit)
		if total(got) > limit {
			t.Errorf("%d bytes for %d", total(got), limit)
		}
		if limit >= 50_000 && len(got) < 3 {
			t.Errorf("%d images in %d bytes", len(got), limit)
		}
	}
	small := picture(t, 100, 80)
	if got, err := shrunk(small, 320, 95); err != nil || !bytes.Equal(got, small) {
		t.Errorf("a small image became one of %d bytes, from %d: %v", len(got), len(small), err)
	}
	l, err := compose(firing(1, time.Now(), jpeg), form{letterhead: letterheadOf(testConfig(), nil), date: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	back, err := imagesOf(bytes.NewReader(l.bytes), []event.Image{{At: at}}, 9)
	if err != nil || len(back) != 1 || !bytes.Equal(back[0].JPEG, jpeg) || !back[0].At.Equal(at) {
		t.Errorf("%d images: %v", len(back), err)
	}
}

func FuzzImagesOf(f *testing.F) {
	l, err := compose(firing(1, time.Now(), tiny), form{letterhead: letterheadOf(testConfig(), nil), date: time.Now()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(l.bytes)
	f.Add([]byte("Content-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: image/jpeg\r\n\r\n!!\r\n--x--"))
	f.Fuzz(func(t *testing.T, b []byte) {
		images, _ := imagesOf(bytes.NewReader(b), nil, 3)
		if len(images) > 3 || total(images) > len(b) {
			t.Error(fmt.Sprint(len(images), " images"))
		}
		for _, im := range images {
			shrunk(im.JPEG, 100, 50)
		}
	})
}
