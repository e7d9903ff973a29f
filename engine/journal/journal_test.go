package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"watchpost/engine/event"
)

func opened(t *testing.T, dir string) *Journal {
	t.Helper()
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func fire(t *testing.T, j *Journal, trigger string, d event.Disposition) uint64 {
	t.Helper()
	f := event.Firing{Seq: j.Next(), Trigger: trigger, At: time.Unix(int64(j.Next()), 0), Disposition: d}
	if d == event.Silent {
		f.Reason = event.NotifyOff
	}
	if err := j.Fire(f); err != nil {
		t.Fatal(err)
	}
	return f.Seq
}

func reopen(t *testing.T, j *Journal) *Journal {
	t.Helper()
	j.Close()
	return opened(t, j.dir)
}

func check(t *testing.T, j *Journal, trigger string, want event.Account) {
	t.Helper()
	got := j.Accounts(nil)[trigger]
	if !got.Balanced() {
		t.Errorf("%s does not add up: %+v", trigger, got)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %+v, want %+v", trigger, got, want)
	}
}

func TestAccountSurvives(t *testing.T) {
	j := opened(t, t.TempDir())
	a, b := fire(t, j, "yard", event.Queued), fire(t, j, "yard", event.Queued)
	fire(t, j, "yard", event.Outside)
	fire(t, j, "yard", event.Silent)
	fire(t, j, "door", event.Extended)
	for range 2 { // idempotent
		if _, err := j.Settle(event.AlarmID(a), event.Mailed); err != nil {
			t.Fatal(err)
		}
	}
	want := event.Account{Fired: 4, Mailed: 1, Queued: 1, Outside: 1, Silent: 1,
		SilentReasons: map[event.Reason]uint64{event.NotifyOff: 1}}
	for range 3 {
		check(t, j, "yard", want)
		check(t, j, "door", event.Account{Fired: 1, Extended: 1})
		if open := j.Open(); len(open) != 1 || open[0].Mail != event.AlarmID(b) || j.Delivered() != 1 {
			t.Errorf("open: %v, delivered %d", open, j.Delivered())
		}
		j = reopen(t, j)
	}
}

// A crash can tear the last line at any byte; nothing acknowledged is lost and
// the journal goes on.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir)
	for range 3 {
		fire(t, j, "yard", event.Queued)
	}
	j.Close()
	path := filepath.Join(dir, fileName)
	whole := contents(t, path)
	start := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for cut := start; cut < len(whole); cut++ {
		for _, tail := range [][]byte{nil, {0, 0, 0, 0}, []byte("garbage\n"), {0, 0, '\n'}} {
			if err := os.WriteFile(path, append(bytes.Clone(whole[:cut]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			j := opened(t, dir)
			if j.Next() != 3 || len(j.Open()) != 2 || j.Damaged() != 0 {
				t.Fatalf("cut at %d + %q: next %d, open %d, damaged %d", cut-start, tail, j.Next(), len(j.Open()), j.Damaged())
			}
			fire(t, j, "yard", event.Queued)
			if j = reopen(t, j); j.Next() != 4 {
				t.Fatalf("cut at %d + %q: after another firing next is %d", cut-start, tail, j.Next())
			}
			j.Close()
		}
	}
}

func TestDamageInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir)
	for range 3 {
		fire(t, j, "yard", event.Queued)
	}
	j.Close()
	path := filepath.Join(dir, fileName)
	whole := contents(t, path)
	whole[bytes.IndexByte(whole, '\n')+20] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	j = opened(t, dir)
	if j.Damaged() != 1 || len(j.Open()) != 2 || j.Next() != 4 {
		t.Errorf("damaged %d, open %d, next %d", j.Damaged(), len(j.Open()), j.Next())
	}
}

func TestRotate(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir)
	j.rotateAt = 2000
	open := fire(t, j, "yard", event.Queued)
	for i := range 100 {
		seq := fire(t, j, "yard", event.Queued)
		if _, err := j.Settle(event.AlarmID(seq), event.Mailed); err != nil {
			t.Fatal(err)
		}
		if i == 50 {
			if _, err := os.Stat(filepath.Join(dir, oldName)); err != nil {
				t.Fatal("not rotated: ", err)
			}
		}
	}
	j = reopen(t, j)
	check(t, j, "yard", event.Account{Fired: 101, Mailed: 100, Queued: 1})
	if got := j.Open(); len(got) != 1 || got[0].Mail != event.AlarmID(open) {
		t.Errorf("open: %v", got)
	}
	if !j.LastAlarm("yard").Equal(time.Unix(101, 0)) {
		t.Errorf("last alarm %v", j.LastAlarm("yard"))
	}
}

// A checkpoint that cannot be read is made up from the file before it.
func TestDamagedCheckpoint(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir)
	for range 10 {
		fire(t, j, "yard", event.Queued)
	}
	j.rotateAt = 1
	fire(t, j, "yard", event.Queued)
	fire(t, j, "yard", event.Outside)
	j.Close()
	path := filepath.Join(dir, fileName)
	whole := contents(t, path)
	whole[20] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	j = opened(t, dir)
	if len(j.Open()) != 11 || j.Next() != 13 || j.Damaged() != 1 {
		t.Errorf("open %d, next %d, damaged %d", len(j.Open()), j.Next(), j.Damaged())
	}
	check(t, j, "yard", event.Account{Fired: 12, Queued: 11, Outside: 1})
}

// A crash between the link and the rename of a rotation leaves two names of one
// file, or two copies of one content: nothing counts twice.
func TestHalfRotation(t *testing.T) {
	for _, copied := range []bool{false, true} {
		dir := t.TempDir()
		j := opened(t, dir)
		a := fire(t, j, "yard", event.Queued)
		fire(t, j, "yard", event.Queued)
		if _, err := j.Settle(event.AlarmID(a), event.Mailed); err != nil {
			t.Fatal(err)
		}
		path, old := filepath.Join(dir, fileName), filepath.Join(dir, oldName)
		if copied {
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(old, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		} else if err := os.Link(path, old); err != nil {
			t.Fatal(err)
		}
		j = reopen(t, j)
		check(t, j, "yard", event.Account{Fired: 2, Mailed: 1, Queued: 1})
		if j.Next() != 3 || len(j.Open()) != 1 {
			t.Errorf("next %d, open %v", j.Next(), j.Open())
		}
	}
}

// Of damage at the end only the last line can be a torn write; the rest stays in the file.
func TestDamagedEnd(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, dir)
	for range 10 {
		fire(t, j, "yard", event.Queued)
	}
	j.Close()
	path := filepath.Join(dir, fileName)
	whole := contents(t, path)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for i := 5; i < 10; i++ {
		lines[i][20] ^= 1
	}
	if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	j = opened(t, dir)
	st, err := os.Stat(path)
	if err != nil || j.Damaged() != 4 || st.Size() != int64(len(bytes.Join(lines[:9], nil))) {
		t.Errorf("damaged %d, %d of %d bytes left", j.Damaged(), st.Size(), len(whole))
	}
}

// Half a record that could not be taken back is written over by the next one.
func TestHalfARecord(t *testing.T) {
	j := opened(t, t.TempDir())
	fire(t, j, "yard", event.Queued)
	if _, err := j.file.WriteAt([]byte("0123abcd {\"firing\":"), j.size); err != nil {
		t.Fatal(err)
	}
	fire(t, j, "yard", event.Queued)
	if j = reopen(t, j); j.Next() != 3 || j.Damaged() != 0 {
		t.Errorf("next %d, damaged %d", j.Next(), j.Damaged())
	}
}

func FuzzOpen(f *testing.F) {
	line, _ := encode(record{Firing: &event.Firing{Seq: 1, Trigger: "yard", Disposition: event.Queued}})
	f.Add(line)
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), data, 0o600); err != nil {
			t.Fatal(err)
		}
		j := opened(t, dir)
		next := j.Next()
		if err := j.Fire(event.Firing{Seq: next, Trigger: "t", Disposition: event.Queued}); err != nil {
			t.Fatal(err)
		}
		j.Close()
		if j = opened(t, dir); j.Next() != next+1 {
			t.Fatalf("next %d after %d", j.Next(), next)
		}
		j.Close()
	})
}

func BenchmarkFire(b *testing.B) {
	j, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	for b.Loop() {
		if err := j.Fire(event.Firing{Seq: j.Next(), Trigger: "yard", Disposition: event.Outside}); err != nil {
			b.Fatal(err)
		}
	}
}

// What began an event is known until that is looked after, over a rotation and an
// opening too, and of very many the newest are.
func TestBegun(t *testing.T) {
	dir := t.TempDir()
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	fire := func(f event.Firing) uint64 {
		f.Seq, f.Trigger = j.Next(), "yard"
		if err := j.Fire(f); err != nil {
			t.Fatal(err)
		}
		return f.Seq
	}
	begun := func(want ...uint64) {
		t.Helper()
		var got []uint64
		for _, f := range j.Begun() {
			got = append(got, f.Seq)
		}
		if !slices.Equal(got, want) {
			t.Errorf("begun %v, want %v", got, want)
		}
	}
	a := fire(event.Firing{EventID: "a", Disposition: event.Queued})
	fire(event.Firing{EventID: "a", Disposition: event.Extended})
	fire(event.Firing{Disposition: event.Outside})
	b := fire(event.Firing{EventID: "b", Disposition: event.Silent})
	c := fire(event.Firing{EventID: "c", Disposition: event.Silent})
	begun(a, b, c)
	if err := j.Stored(b, 77); err != nil {
		t.Fatal(err)
	}
	begun(a, c)
	for range 2 {
		j.Close()
		if j, err = Open(dir); err != nil {
			t.Fatal(err)
		}
		begun(a, c)
		if err := j.rotate(); err != nil {
			t.Fatal(err)
		}
	}
	size := j.size
	if err := j.Stored(b); err != nil || j.size != size {
		t.Errorf("told twice: %v, %d bytes", err, j.size-size)
	}
	for range begunMax {
		fire(event.Firing{EventID: "d", Disposition: event.Silent})
	}
	if n := len(j.Begun()); n != begunMax {
		t.Errorf("%d begun", n)
	}
	j.Close()
}
