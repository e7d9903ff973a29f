package journal

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/durable/powercut"
	"watchpost/engine/event"
)

// told is all that a journal knows, as text.
func told(t testing.TB, j *Journal) string {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	b, err := json.Marshal([]any{j.next, j.accounts, j.delivered, j.lastAlarm, j.recent, j.sortedOpen(), j.pending, j.damaged})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// life is what happens to a journal in dir: firings of every disposition, mails
// and their outcomes, rotations, starts. say hears what it knows after each step.
func life(t *testing.T, dir string, say func(told string)) {
	t.Helper()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var j *Journal
	start := func() {
		t.Helper()
		var err error
		j, err = Open(dir)
		ok(err)
		say(told(t, j))
	}
	start()
	for round := range 3 {
		at := time.Unix(int64(1_800_000_000+1000*round), 0).UTC()
		shoot := func(d event.Disposition, heldOff bool) uint64 {
			t.Helper()
			f := event.Firing{Seq: j.Next(), Trigger: "yard", Source: event.Motion, At: at, Disposition: d, HeldOff: heldOff}
			if d == event.Silent {
				f.Reason = event.NotifyOff
			}
			ok(j.Fire(f))
			say(told(t, j))
			return f.Seq
		}
		settle := func(mail string, d event.Disposition) {
			t.Helper()
			_, err := j.Settle(mail, d)
			ok(err)
			say(told(t, j))
		}
		alarm := event.AlarmID(shoot(event.Queued, false))
		shoot(event.Queued, true)
		j.rotateAt = 0 // with the next record
		shoot(event.Queued, true)
		shoot(event.Outside, false)
		shoot(event.Silent, false)
		summary, _, err := j.Gather("yard")
		ok(err)
		say(told(t, j))
		settle(alarm, event.Mailed)
		other := event.AlarmID(shoot(event.Queued, false))
		digest := fmt.Sprint("digest-", round)
		ok(j.Fold(digest, []string{summary, other}))
		say(told(t, j))
		j.rotateAt = 0
		if round < 2 {
			settle(digest, event.Summarised)
		} else {
			settle(digest, event.Dropped)
		}
		j.Close()
		start()
	}
	// The program, not the box, ends between the write of a record and its fsync.
	j.Close()
	line, err := encode(record{Firing: &event.Firing{Seq: j.next, Trigger: "door", Disposition: event.Outside}})
	ok(err)
	f, err := durable.Open(filepath.Join(dir, fileName), 0o600)
	ok(err)
	_, err = f.WriteAt(line, j.size)
	ok(err)
	f.Close()
	start()
	j.Close()
}

// A power cut at any moment leaves a journal that knows what was acknowledged and
// nothing else but, perhaps, the whole of what was being written; and each fsync
// is needed for that.
func TestPowerCut(t *testing.T) {
	var states []string
	life(t, filepath.Join(t.TempDir(), "var", "journal"), func(s string) { states = append(states, s) })
	root := t.TempDir()
	rec, err := powercut.Record(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rec.Stop)
	life(t, filepath.Join(root, "var", "journal"), func(s string) { rec.Say(s) })
	rec.Verify(t, func(root string, said []any) error {
		dir := filepath.Join(root, "var", "journal")
		j, err := Open(dir)
		if err != nil {
			return err
		}
		defer func() { j.Close() }()
		empty := `[1,{},0,{},null,[],{},0]`
		now, next := empty, states[min(len(said), len(states)-1)]
		if len(said) > 0 {
			now = said[len(said)-1].(string)
		}
		found := told(t, j)
		if found != now && found != next {
			return fmt.Errorf("after %d steps the journal knows\n%s, not\n%s, nor\n%s", len(said), found, now, next)
		}
		// And it goes on from here.
		f := event.Firing{Seq: j.Next(), Trigger: "yard", Disposition: event.Queued, At: time.Unix(1_900_000_000, 0).UTC()}
		if err := j.Fire(f); err != nil {
			return fmt.Errorf("firing after the cut: %w", err)
		}
		after := told(t, j)
		j.Close()
		if j, err = Open(dir); err != nil {
			return err
		}
		if again := told(t, j); again != after || !strings.Contains(again, event.AlarmID(f.Seq)) {
			return fmt.Errorf("after another firing and a start the journal knows\n%s, not\n%s", again, after)
		}
		return nil
	})
}
