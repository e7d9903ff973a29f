package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

func held(t *testing.T, j *Journal, trigger string) uint64 {
	t.Helper()
	f := event.Firing{Seq: j.Next(), Trigger: trigger, At: time.Unix(int64(j.Next()), 0), Disposition: event.Queued, HeldOff: true}
	if err := j.Fire(f); err != nil {
		t.Fatal(err)
	}
	return f.Seq
}

func gathered(t *testing.T, j *Journal, trigger string) (string, event.Gathered) {
	t.Helper()
	mail, g, err := j.Gather(trigger)
	if err != nil {
		t.Fatal(err)
	}
	return mail, g
}

func line(js string) []byte {
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE([]byte(js)), js)
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shape is what a journal holds, as text.
func shape(j *Journal) string {
	var b strings.Builder
	for _, m := range j.Open() {
		fmt.Fprintf(&b, "%s:%s%v ", m.Mail, m.Seqs, m.Counts)
	}
	fmt.Fprint(&b, j.Pending(), j.Accounts(nil), j.Delivered(), j.Next())
	for _, trigger := range []string{"yard", "door"} {
		fmt.Fprint(&b, j.LastAlarm(trigger).UnixNano())
	}
	return b.String()
}

// Firings go from a trigger's hold-off to a summary, from there into a digest,
// and with it to their end; a journal that is read again is the same at each step.
func TestByMail(t *testing.T) {
	j := opened(t, t.TempDir())
	again := func(want string) {
		t.Helper()
		before := shape(j)
		j = reopen(t, j)
		if got := shape(j); got != before || !strings.HasPrefix(got, want) {
			t.Errorf("%s\nread again %s\nwant %s", before, got, want)
		}
	}
	fire(t, j, "yard", event.Queued)
	held(t, j, "yard")
	held(t, j, "door")
	held(t, j, "yard")
	again("00000001-alarm:1map[yard:1] [door yard]")
	mail, g := gathered(t, j, "yard")
	if mail != "00000004-summary" || g.Count() != 2 || g.Seqs.String() != "2,4" || len(g.Firings) != 2 {
		t.Errorf("%s %+v", mail, g)
	}
	if mail, _ := gathered(t, j, "yard"); mail != "" {
		t.Errorf("gathered again: %s", mail)
	}
	held(t, j, "yard")
	again("00000001-alarm:1map[yard:1] 00000004-summary:2,4map[yard:2] [door yard]")
	for range 2 { // idempotent, whatever is unknown
		do(t, j.Fold("digest-1", []string{"00000001-alarm", "nobody", "00000004-summary"}))
		again("digest-1:1-2,4map[yard:3] [door yard]")
	}
	gathered(t, j, "door")
	do(t, j.Fold("digest-2", []string{"digest-1", "00000003-summary"}))
	again("digest-2:1-4map[door:1 yard:3] [yard]")
	for i := range 2 {
		if fresh, err := j.Settle("digest-2", event.Summarised); err != nil || fresh != (i == 0) {
			t.Errorf("settled: %v %v", fresh, err)
		}
		again("[yard]")
	}
	check(t, j, "yard", event.Account{Fired: 4, Summarised: 3, Queued: 1})
	check(t, j, "door", event.Account{Fired: 1, Summarised: 1})
	for _, now := range []event.Disposition{event.Held, event.Queued} {
		fire(t, j, "yard", event.Queued)
		a := j.Accounts(func(string) event.Disposition { return now })["yard"]
		if !a.Balanced() || now == event.Held && a.Held != 1 {
			t.Errorf("%s: %+v", now, a)
		}
	}
}

// A flood leaves a journal of bounded size, on the disk and in memory: without
// any outcome, and by trigger, by mail and through rotations.
func TestFloodIsBounded(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir)
	const n, mails = 9_000, 300
	for i := range n {
		if i%1000 == 999 {
			j.rotateAt = j.size // now
		}
		held(t, j, []string{"yard", "door"}[i%2])
		if i%(2*n/mails) == 2*n/mails-1 {
			gathered(t, j, "yard")
			gathered(t, j, "door")
		}
	}
	before := shape(j)
	for _, name := range []string{fileName, oldName} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Size() > 4<<20 {
			t.Errorf("%s: %v %v", name, st.Size(), err)
		}
	}
	whole, kept := 0, 0
	open := j.Open()
	for _, m := range open {
		kept += len(m.Firings)
		if len(m.Firings) > 4 {
			whole++
		}
	}
	if len(open) != mails || whole > wholeMax+2 || kept > 64*wholeMax+4*mails {
		t.Errorf("%d mails, %d in full, %d firings kept", len(open), whole, kept)
	}
	if j = reopen(t, j); shape(j) != before {
		t.Errorf("read again it differs")
	}
	check(t, j, "yard", event.Account{Fired: n / 2, Queued: n / 2})
}

// What could not be written has not happened, in memory or after a restart.
func TestUnwritable(t *testing.T) {
	j := opened(t, t.TempDir())
	j.rotateAt = 3000
	rng := rand.New(rand.NewPCG(3, 4))
	refused := errors.New("the disk is full")
	fail := false
	defer durable.Observe(durable.Observer{Before: func(c durable.Call) error {
		if fail && (c.Op == durable.OpWrite || c.Op == durable.OpSync || c.Op == durable.OpSyncDir) && rng.IntN(2) == 0 {
			return refused
		}
		return nil
	}})()
	failures := 0
	for i := range 2000 {
		trigger := []string{"yard", "door"}[rng.IntN(2)]
		before := shape(j)
		fail = rng.IntN(3) == 0
		var err error
		switch rng.IntN(5) {
		case 0:
			err = j.Fire(event.Firing{Seq: j.Next(), Trigger: trigger, At: time.Unix(int64(i), 0), Disposition: event.Queued})
		case 1:
			err = j.Fire(event.Firing{Seq: j.Next(), Trigger: trigger, At: time.Unix(int64(i), 0), Disposition: event.Queued, HeldOff: true})
		case 2:
			_, _, err = j.Gather(trigger)
		case 3:
			if open := j.Open(); len(open) > 1 {
				err = j.Fold(fmt.Sprint("digest-", i), []string{open[0].Mail, open[1].Mail})
			}
		case 4:
			if open := j.Open(); len(open) > 0 {
				_, err = j.Settle(open[0].Mail, event.Summarised)
			}
		}
		fail = false
		if err != nil {
			failures++
			if !errors.Is(err, refused) || shape(j) != before {
				t.Fatalf("step %d: %v\nbefore %s\nafter  %s", i, err, before, shape(j))
			}
		}
		for trigger, a := range j.Accounts(nil) {
			if !a.Balanced() {
				t.Fatalf("step %d: %s does not add up: %+v", i, trigger, a)
			}
		}
		if rng.IntN(20) == 0 {
			before := shape(j)
			if j = reopen(t, j); shape(j) != before {
				t.Fatalf("step %d: it was\n%s\nread again it is\n%s", i, before, shape(j))
			}
			j.rotateAt = 3000
		}
	}
	if failures < 50 {
		t.Errorf("%d failures only", failures)
	}
}

// Where a damaged line has firings wait again whose summary is delivered, they
// and those after them are told in a mail of another name.
func TestDamagedGather(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir)
	held(t, j, "yard")
	before := j.size
	mail, _ := gathered(t, j, "yard")
	if _, err := j.Settle(mail, event.Summarised); err != nil {
		t.Fatal(err)
	}
	j.Close()
	path := filepath.Join(dir, fileName)
	whole := contents(t, path)
	whole[before+20] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	j = opened(t, dir)
	held(t, j, "yard")
	if other, g := gathered(t, j, "yard"); other == mail || g.Count() != 2 || j.Damaged() != 1 {
		t.Errorf("mail %s again, %d firings, damaged %d", other, g.Count(), j.Damaged())
	}
}

// A line whose kind is not known, or that lacks what it must have, is damage.
func TestUnknownLines(t *testing.T) {
	for _, js := range []string{
		`{}`, `{"later":{"mail":"m"}}`, `[]`, `null`, `{"firing":{"seq":0}}`, `{"gather":{}}`, `{"fold":{"into":"a","of":["a"]}}`,
		`{"checkpoint":{"next":1,"open":[{"seq":1,"trigger":"yard"}]}}`, `{"checkpoint":{"next":0}}`,
	} {
		line := line(js)
		if _, err := decode(line[:len(line)-1]); err == nil {
			t.Errorf("%s was taken", js)
		}
		j := opened(t, t.TempDir())
		fire(t, j, "yard", event.Queued)
		if _, err := j.file.WriteAt(append(line, line...), j.size); err != nil {
			t.Fatal(err)
		}
		if j = reopen(t, j); j.Next() != 2 || len(j.Open()) != 1 || j.Damaged() != 1 { // the last may be a torn one
			t.Errorf("%s: next %d, open %v, damaged %d", js, j.Next(), j.Open(), j.Damaged())
		}
	}
}
