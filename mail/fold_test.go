package mail

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/uptime"
)

// picture is a JPEG of noise, which compresses badly.
func picture(t testing.TB, width, height int) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(width)))
	im := image.NewGray(image.Rect(0, 0, width, height))
	for i := range im.Pix {
		im.Pix[i] = byte(r.Uint32())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// firing is an alarm of its own for the firing seq.
func firing(seq uint64, at time.Time, jpeg []byte) event.Notice {
	n := event.Notice{ID: event.AlarmID(seq), Kind: event.Alarm, At: at, Event: fmt.Sprint("event-", seq),
		Gathered: event.Gather(event.Firing{Seq: seq, Trigger: []string{"yard", "door"}[seq%2], Source: event.Motion, At: at})}
	if jpeg != nil {
		n.Images = []event.Image{{At: at, JPEG: jpeg}}
	}
	return n
}

// The backlog of an outage comes as one digest and the newest mails, the newest
// first; every firing is told exactly once.
func TestDigestAfterAnOutage(t *testing.T) {
	const all, single = 60, 5
	f := newFaulty(t, map[string]string{"GREETING": "421 not yet"})
	var bodies []string
	f.onDot = func(body string) (string, bool) { bodies = append(bodies, body); return "", false }
	c := f.settings()
	c.Mail.DigestAfter = single
	b := start(t, t.TempDir(), c, config.Secrets{})
	jpeg := picture(t, 640, 480)
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	for seq := range uint64(all) {
		b.submit(firing(seq+1, at.Add(time.Duration(seq)*time.Minute), jpeg))
	}
	b.submit(event.Notice{ID: "state-1", Kind: event.State, At: at, Title: "camera lost"}) // is no part of a digest
	f.unset("GREETING")
	b.until("state-1", "delivered", func(m event.Mail) bool { return m.QueueState() == "delivered" })
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[string]int{}
	var digest parsed
	for i, body := range bodies {
		p := parse(t, []byte(body))
		for seq := range strings.SplitSeq(p.header.Get("X-Watchpost-Firings"), ",") {
			seen[strings.TrimSpace(seq)]++
		}
		if strings.Contains(p.header.Get("Message-Id"), "digest") {
			digest = p
		}
		if i < single {
			if want := fmt.Sprint(all - i); p.header.Get("X-Watchpost-Firings") != want {
				t.Errorf("mail %d tells of %s, not %s", i+1, p.header.Get("X-Watchpost-Firings"), want)
			}
		}
	}
	if len(bodies) != single+2 {
		t.Errorf("%d mails", len(bodies))
	}
	for seq := range all {
		if n := seen[fmt.Sprint(seq+1)]; n != 1 {
			t.Errorf("firing %d is told %d times", seq+1, n)
		}
	}
	for _, want := range []string{"fired 55 times", "yard, 27 times", "door, 28 times", "55 mails could not be sent", "2026-11-24 03:00:00"} {
		if !strings.Contains(digest.text, want) {
			t.Errorf("the digest lacks %q:\n%s", want, digest.text)
		}
	}
	if len(digest.images) != summaryImages {
		t.Errorf("%d thumbnails", len(digest.images))
	}
	for _, im := range digest.images {
		if c, err := jpegConfig(im); err != nil || c.Width != thumbWidth {
			t.Errorf("a thumbnail of %+v: %v", c, err)
		}
	}
	m := b.Mails()
	i := slices.IndexFunc(m, func(m event.Mail) bool { return m.Kind == event.Digest })
	if i < 0 || len(m[i].Replaces) != all-single || m[i].FiringCount != all-single || m[i].Disposition() != event.Summarised {
		t.Errorf("%+v", m)
	}
}

func jpegConfig(b []byte) (image.Config, error) { return jpeg.DecodeConfig(bytes.NewReader(b)) }

// A start that finds a digest and what it stands for removes the latter; one that
// finds no digest has lost nothing.
func TestDigestSurvivesACrash(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	for seq := range uint64(10) {
		if err := o.Submit(context.Background(), firing(seq+1, time.Now(), nil)); err != nil {
			t.Fatal(err)
		}
	}
	kept := t.TempDir()
	if err := os.CopyFS(kept, os.DirFS(filepath.Join(dir, "queue"))); err != nil {
		t.Fatal(err)
	}
	if n, err := o.fold(0); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	files, _ := os.ReadDir(kept)
	for _, f := range files { // a crash before they were removed, or a power cut that brings them back
		b, _ := os.ReadFile(filepath.Join(kept, f.Name()))
		os.WriteFile(filepath.Join(dir, "queue", f.Name()), b, 0o600)
	}
	o = idle(t, dir)
	m := o.Mails()
	if len(m) != 1 || m[0].Kind != event.Digest || m[0].FiringCount != 10 || len(o.Problems()) > 0 {
		t.Errorf("%+v %q", m, o.Problems())
	}
	if n, err := o.fold(0); n != 0 || err != nil {
		t.Errorf("one digest became another: %d %v", n, err)
	}
	if err := o.Submit(context.Background(), firing(11, time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	if n, _ := o.fold(0); n != 2 {
		t.Errorf("a digest and a mail: %d became one", n)
	}
	if m = o.Mails(); len(m) != 1 || m[0].FiringCount != 11 || len(m[0].Replaces) != 12 {
		t.Errorf("%+v", m)
	}
}

// What different people are to get does not get into one digest, nor what
// somebody has, or may have, already.
func TestWhatIsNotFolded(t *testing.T) {
	o := idle(t, t.TempDir())
	add := func(seq uint64) *entry {
		t.Helper()
		if err := o.Submit(context.Background(), firing(seq, time.Now(), nil)); err != nil {
			t.Fatal(err)
		}
		return o.mails[event.AlarmID(seq)]
	}
	add(1)
	add(2)
	add(3).Handed = true
	add(4).Mail.Recipients[0].State = event.RcptHeld
	c := testConfig()
	c.Mail.Destinations = []string{"other@example.test"}
	o.Configure(c, config.Secrets{}, time.UTC)
	add(5)
	add(6)
	if n, err := o.fold(0); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	var got []string
	for _, m := range o.Mails() {
		got = append(got, fmt.Sprint(m.Kind, m.Firings, m.Recipients[0].Address))
	}
	slices.Sort(got)
	want := []string{"alarm3guard@example.test", "alarm4guard@example.test", "digest1-2guard@example.test", "digest5-6other@example.test"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A full queue makes a digest of itself, line or not; a queue of held mails refuses.
func TestFullQueueFolds(t *testing.T) {
	o := idle(t, t.TempDir())
	for seq := range uint64(150) {
		if err := o.Submit(context.Background(), firing(seq+1, time.Now(), nil)); err != nil {
			t.Fatal(err)
		}
	}
	o.bytes = spoolMax + 1
	if err := o.Submit(context.Background(), firing(151, time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	if m := o.Mails(); len(m) != 100+1+1 {
		t.Errorf("%d mails", len(m))
	}
}

// The budget waits, whatever the clock does, and says so; a test mail does not wait.
func TestDailyBudget(t *testing.T) {
	f := newFaulty(t, map[string]string{})
	c := f.settings()
	c.Mail.DailyBudget = 4
	c.Mail.Destinations = []string{"a@example.test", "b@example.test"}
	dir := t.TempDir()
	b := start(t, dir, c, config.Secrets{})
	for seq := range uint64(2) {
		b.submit(firing(seq+1, time.Now(), nil))
		b.untilState(event.AlarmID(seq+1), "delivered")
	}
	b.submit(firing(3, time.Now(), nil))
	b.submit(event.Notice{ID: "test-1", Kind: event.Test, At: time.Now()})
	b.untilState("test-1", "delivered")
	check := func(m event.Mail) {
		t.Helper()
		if left := time.Until(m.NextTry); m.QueueState() != "queued" || !strings.Contains(m.Problem, "budget of 4 recipients") || left < 22*time.Hour || left > 25*time.Hour {
			t.Errorf("%+v", m)
		}
	}
	check(b.mail(event.AlarmID(3)))
	b.stop()
	b = start(t, dir, c, config.Secrets{}) // a restart gives nothing back
	check(b.mail(event.AlarmID(3)))
	c.Mail.DailyBudget = 0
	b.Configure(c, config.Secrets{}, time.UTC)
	b.untilState(event.AlarmID(3), "delivered")
}

func TestBudgetRolls(t *testing.T) {
	wall := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	hour := func(boot string, h float64) uptime.Moment {
		return uptime.Moment{Boot: boot, At: time.Duration(h * float64(time.Hour))}
	}
	var b budget
	b.advance(hour("a", 0.5), wall)
	b.Spent[0] = 6
	b.advance(hour("a", 3), wall.Add(2*time.Hour))
	b.Spent[0] += 4
	for _, c := range []struct {
		name  string
		now   uptime.Moment
		wall  time.Time
		n     int
		hours float64 // until n are within 10
	}{
		{"at once", hour("a", 3), wall, 0, 0},
		{"the first six leave after 24 h", hour("a", 3), wall, 6, 21.5},
		{"the rest later", hour("a", 3), wall, 7, 23.5},
		{"a clock that jumps changes nothing", hour("a", 3), wall.Add(1000 * time.Hour), 6, 21.5},
		{"more than the budget waits for all of it", hour("a", 3), wall, 99, 23.5},
		{"time passes", hour("a", 24.6), wall, 6, 0},
		{"over a restart by the clock", hour("b", 0.1), wall.Add(24 * time.Hour), 6, 0},
		{"and not by a clock that is not set", hour("b", 0.1), time.Unix(0, 0), 6, 22},
		{"that was set back", hour("b", 0.1), wall.Add(-time.Hour), 6, 22},
	} {
		b := b
		b.advance(c.now, c.wall)
		if got := b.wait(c.n, 10, c.now).Hours(); got < c.hours-0.01 || got > c.hours+1.01 {
			t.Errorf("%s: %.2f h, want %.2f", c.name, got, c.hours)
		}
	}
}
