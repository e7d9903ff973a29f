// Package journal is the record of every firing and of what became of it: the
// source of the account of firings, which survives any crash.
//
// It is not a log for people (that is slog's) and not the mails (that is the
// spool's). A firing counts when Fire has returned. It starts no goroutine; the
// engine's loop is its one writer.
package journal

import (
	"bufio"
	"bytes"
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
	r := bufio.NewReaderSize(j.file, 64<<10)
	var good int64
	var offset int64
	for {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			break // what has no line end was torn off
		}
		if err != nil {
			return err
		}
		offset += int64(len(line)) + 1
		rec, err := decode(line)
		if err != nil {
			if len(bytes.Trim(line, "\x00")) > 0 {
				j.damaged++
			}
			continue
		}
		j.apply(rec)
		good = offset
	}
	// Everything behind the last good record is what a crash left of a write
	// that was never acknowledged.
	st, err := j.file.Stat()
	if err != nil {
		return err
	}
	if st.Size() > good {
		if good < offset {
			j.damaged-- // the damage was the torn end
		}
		if err := j.file.Truncate(good); err != nil {
			return err
		}
		if err := j.file.Sync(); err != nil {
			return err
		}
	}
	j.damaged = max(j.damaged, 0)
	j.size = good
	_, err = j.file.Seek(good, io.SeekStart)
	return err
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
			add(&a, f.Disposition, 1)
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
			add(&a, o.Disposition, 1)
			j.accounts[f.Trigger] = a
		}
	}
}

func add(a *event.Account, d event.Disposition, n uint64) {
	switch d {
	case event.Mailed:
		a.Mailed += n
	case event.Summarised:
		a.Summarised += n
	case event.Queued:
		a.Queued += n
	case event.Held:
		a.Held += n
	case event.Dropped:
		a.Dropped += n
	case event.Outside:
		a.Outside += n
	case event.Extended:
		a.Extended += n
	case event.Silent:
		a.Silent += n
	}
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

// Settle records what became of a mail. A second call for the same mail changes nothing.
func (j *Journal) Settle(o Outcome) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.Contains(j.recent, o.Mail) {
		return nil
	}
	return j.append(record{Outcome: &o})
}

func (j *Journal) append(rec record) error {
	line, err := encode(rec)
	if err != nil {
		return err
	}
	if _, err = j.file.Write(line); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		// Half a record must not stay before the next one.
		if terr := j.file.Truncate(j.size); terr == nil {
			_, terr = j.file.Seek(j.size, io.SeekStart)
			err = errors.Join(err, terr)
		}
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
	os.Remove(old)
	if err := os.Link(path, old); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := durable.WriteFile(path, 0o600, line); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		f.Close()
		return err
	}
	j.file.Close()
	j.file, j.size, j.rotateAt = f, int64(len(line)), rotateAt+int64(len(line))
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
		add(&a, d, 1)
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
