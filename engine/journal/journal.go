// Package journal is the record of every firing and of what became of it: the
// source of the account of firings, which survives any crash.
//
// It is not a log for people (that is slog's) and not the mails (that is the
// spool's). A firing counts when Fire has returned. It starts no goroutine; the
// engine's loop is its one writer.
package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

const (
	fileName  = "journal.jsonl"
	oldName   = "journal.1.jsonl"
	rotateAt  = 4 << 20 // bytes; then a checkpoint begins a new file
	recentMax = 256     // mails whose outcome is remembered, for idempotence
	tailMax   = 50      // newest firings that Tail gives
	lineMax   = 64 << 20
)

// Journal is an open journal.
//
// Invariant, under mu: accounts holds the final dispositions, Fired included;
// open holds the firings whose mail is not settled; what is in memory is what
// the fsynced file says.
type Journal struct {
	mu        sync.Mutex
	dir       string
	file      *os.File
	size      int64
	rotateAt  int64
	next      uint64
	accounts  map[string]event.Account
	open      map[uint64]event.Firing
	delivered uint64
	lastAlarm map[string]time.Time
	recent    []string
	tail      []event.Firing
	damaged   int
	unsynced  bool // the directory's entry of file is not on the disk yet
}

// Open reads the journal in dir, or begins one. What a crash tore off at the
// end was never accepted and is cut off; a damaged line before it is passed
// over, kept in the old file, and counted.
func Open(dir string) (*Journal, error) {
	j := &Journal{
		dir: dir, rotateAt: rotateAt, next: 1,
		accounts:  map[string]event.Account{},
		open:      map[uint64]event.Firing{},
		lastAlarm: map[string]time.Time{},
	}
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := durable.Sweep(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fileName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	j.file = f
	if err := j.replay(); err != nil {
		f.Close()
		return nil, fmt.Errorf("read the journal %s: %w", path, err)
	}
	if err := durable.SyncDir(dir); err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

func (j *Journal) replay() error {
	good, checkpointed, err := j.read(j.file)
	if err != nil {
		return err
	}
	if old := j.older(); old != nil && !checkpointed {
		// The checkpoint cannot be read. What it stood for is in the old file.
		j.reset()
		_, _, err = j.read(old)
		old.Close()
		if err == nil {
			_, err = j.file.Seek(0, io.SeekStart)
		}
		if err == nil {
			good, _, err = j.read(j.file)
		}
		if err != nil {
			return err
		}
	}
	j.size = good
	if err := j.file.Truncate(good); err != nil {
		return err
	}
	return j.file.Sync()
}

// older opens the file before this one; nil where there is none, or where a crash
// in the middle of a rotation left it as a second name of this one.
func (j *Journal) older() *os.File {
	old, err := os.Open(filepath.Join(j.dir, oldName))
	if err != nil {
		return nil
	}
	a, aerr := old.Stat()
	b, berr := j.file.Stat()
	if aerr != nil || berr != nil || os.SameFile(a, b) {
		old.Close()
		return nil
	}
	return old
}

func (j *Journal) reset() {
	j.next, j.delivered, j.damaged, j.recent, j.tail = 1, 0, 0, nil, nil
	j.accounts, j.open, j.lastAlarm = map[string]event.Account{}, map[uint64]event.Firing{}, map[string]time.Time{}
}

// read applies a file. good is where the next record goes: behind the last whole
// line, or before one bad line at the very end, which a crash tore.
func (j *Journal) read(f *os.File) (good int64, checkpointed bool, err error) {
	r := bufio.NewReaderSize(f, 64<<10)
	var bad bool // the last line
	var offset int64
	for {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			break // what has no line end was torn off
		}
		if err != nil {
			return 0, false, err
		}
		if bad {
			j.damaged++
			good = offset
		}
		offset += int64(len(line)) + 1
		rec, err := decode(line)
		if bad = err != nil; bad {
			continue
		}
		checkpointed = checkpointed || rec.Checkpoint != nil
		j.apply(rec)
		good = offset
	}
	return good, checkpointed, nil
}

func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) && len(line) < lineMax {
			continue
		}
		if err != nil {
			return nil, err
		}
		return line[:len(line)-1], nil
	}
}

func (j *Journal) apply(rec record) {
	switch {
	case rec.Checkpoint != nil:
		c := rec.Checkpoint
		j.next, j.delivered, j.recent = c.Next, c.Delivered, c.Recent
		j.accounts, j.lastAlarm = map[string]event.Account{}, map[string]time.Time{}
		maps.Copy(j.accounts, c.Accounts)
		maps.Copy(j.lastAlarm, c.LastAlarm)
		clear(j.open)
		for _, f := range c.Open {
			j.open[f.Seq] = f
		}
	case rec.Firing != nil:
		f := *rec.Firing
		if f.Seq < j.next { // the old file and this one share it
			return
		}
		j.next = max(j.next, f.Seq+1)
		if j.tail = append(j.tail, f); len(j.tail) > tailMax {
			j.tail = slices.Delete(j.tail, 0, len(j.tail)-tailMax)
		}
		a := j.accounts[f.Trigger]
		a.Fired++
		if f.Disposition == event.Queued {
			j.open[f.Seq] = f
			if !f.HeldOff {
				j.lastAlarm[f.Trigger] = f.At
			}
		} else {
			count(&a, f.Disposition)
			if f.Disposition == event.Silent {
				reasons := maps.Clone(a.SilentReasons)
				if reasons == nil {
					reasons = map[event.Reason]uint64{}
				}
				reasons[f.Reason]++
				a.SilentReasons = reasons
			}
		}
		j.accounts[f.Trigger] = a
	case rec.Outcome != nil:
		o := rec.Outcome
		if slices.Contains(j.recent, o.Mail) {
			return
		}
		j.recent = append(j.recent, o.Mail)
		if len(j.recent) > recentMax {
			j.recent = slices.Delete(j.recent, 0, len(j.recent)-recentMax)
		}
		if o.Disposition != event.Dropped {
			j.delivered++
		}
		for _, seq := range o.Firings {
			f, ok := j.open[seq]
			if !ok {
				continue
			}
			delete(j.open, seq)
			a := j.accounts[f.Trigger]
			count(&a, o.Disposition)
			j.accounts[f.Trigger] = a
		}
	}
}

// count counts one firing of a disposition.
func count(a *event.Account, d event.Disposition) {
	switch d {
	case event.Mailed:
		a.Mailed++
	case event.Summarised:
		a.Summarised++
	case event.Queued:
		a.Queued++
	case event.Held:
		a.Held++
	case event.Dropped:
		a.Dropped++
	case event.Outside:
		a.Outside++
	case event.Extended:
		a.Extended++
	case event.Silent:
		a.Silent++
	}
}

// AtLeast keeps numbers from being given again that are known from elsewhere.
func (j *Journal) AtLeast(next uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.next = max(j.next, next)
}

// Next returns the Seq that the next firing will have.
func (j *Journal) Next() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next
}

// Fire accepts a firing, whose Seq must be Next: when it returns without an
// error the record is on the disk. With an error the firing is not accepted.
func (j *Journal) Fire(f event.Firing) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if f.Seq != j.next {
		return fmt.Errorf("journal: firing %d, expected %d", f.Seq, j.next)
	}
	return j.append(record{Firing: &f})
}

// Settle records what became of a mail. A second call for the same mail changes
// nothing, and fresh is false.
func (j *Journal) Settle(o Outcome) (fresh bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.Contains(j.recent, o.Mail) {
		return false, nil
	}
	return true, j.append(record{Outcome: &o})
}

func (j *Journal) append(rec record) error {
	line, err := encode(rec)
	if err != nil {
		return err
	}
	if j.unsynced { // a rotation that is not on the disk yet: nothing is accepted before it is
		if err := durable.SyncDir(j.dir); err != nil {
			return fmt.Errorf("write the journal: %w", err)
		}
		j.unsynced = false
	}
	if _, err = j.file.WriteAt(line, j.size); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.file.Truncate(j.size) // where that fails too, the next record is written over it
		return fmt.Errorf("write the journal: %w", err)
	}
	j.size += int64(len(line))
	j.apply(rec)
	if j.size > j.rotateAt {
		if err := j.rotate(); err != nil {
			j.rotateAt = j.size + rotateAt // the record stands; try again later
			return nil
		}
	}
	return nil
}

// rotate begins a new file with a checkpoint; the old one stays beside it until the next time.
func (j *Journal) rotate() error {
	c := checkpoint{Next: j.next, Accounts: j.accounts, Delivered: j.delivered,
		LastAlarm: j.lastAlarm, Recent: j.recent, Open: j.sortedOpen()}
	line, err := encode(record{Checkpoint: &c})
	if err != nil {
		return err
	}
	path, old := filepath.Join(j.dir, fileName), filepath.Join(j.dir, oldName)
	f, err := os.CreateTemp(j.dir, durable.TempPrefix+"*")
	if err != nil {
		return err
	}
	if _, err = f.Write(line); err == nil {
		err = f.Sync()
	}
	if err == nil {
		os.Remove(old)
		os.Link(path, old) // some file systems cannot: then there is no second copy
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		os.Remove(old) // a second name of the present file, if anything
		return err
	}
	j.file.Close() // from here on f is the journal, whatever comes
	j.file, j.size, j.rotateAt, j.unsynced = f, int64(len(line)), rotateAt+int64(len(line)), true
	return nil
}

func (j *Journal) sortedOpen() []event.Firing {
	open := slices.Collect(maps.Values(j.open))
	slices.SortFunc(open, func(a, b event.Firing) int { return int(int64(a.Seq) - int64(b.Seq)) })
	return open
}

// Open returns the firings whose mail is not settled, oldest first.
func (j *Journal) Open() []event.Firing {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.sortedOpen()
}

// Accounts returns the account of each trigger that ever fired. now says what
// the mail of an open firing has come to; nil counts all of them as queued.
func (j *Journal) Accounts(now func(seq uint64) event.Disposition) map[string]event.Account {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := maps.Clone(j.accounts)
	for seq, f := range j.open {
		a, d := out[f.Trigger], event.Queued
		if now != nil {
			d = now(seq)
		}
		count(&a, d)
		out[f.Trigger] = a
	}
	return out
}

// Delivered returns how many mails have been delivered since the store was made.
func (j *Journal) Delivered() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.delivered
}

// LastAlarm returns the moment of the trigger's last firing that began a hold-off.
func (j *Journal) LastAlarm(trigger string) time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lastAlarm[trigger]
}

// Tail returns the newest firings of the file, oldest first.
func (j *Journal) Tail() []event.Firing {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.tail)
}

// Damaged returns how many lines could not be read at Open.
func (j *Journal) Damaged() int { return j.damaged }

// Close closes the file. Nothing is lost by not calling it.
func (j *Journal) Close() error { return j.file.Close() }
