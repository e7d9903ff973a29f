// Package journal is the record of every firing and of what became of it: the
// source of the account of firings, which survives any crash. It goes by mail:
// a firing belongs to the mail that tells of it, so that what is held in memory
// grows with the mails that wait and not with the firings.
//
// It is not a log for people (that is slog's) and not the mails (that is the
// spool's). A firing counts when Fire has returned. It starts no goroutine; the
// engine's loop is its one writer.
package journal

import (
	"bufio"
	"cmp"
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
	begunMax  = 512     // events that Begun gives
	wholeMax  = 128     // open mails whose firings are kept in full; of older ones some are, and their counts
	lineMax   = 64 << 20
)

// Journal is an open journal.
//
// Invariant, under mu: accounts holds the final dispositions, Fired included;
// pending holds by trigger the firings that no mail has got yet, open those of
// each mail that is not settled, never changed once they are there; what is in
// memory is what the fsynced file says.
type Journal struct {
	mu        sync.Mutex
	dir       string
	file      *durable.File
	size      int64
	rotateAt  int64
	next      uint64
	accounts  map[string]event.Account
	pending   map[string]*event.Gathered
	open      map[string]event.Gathered
	delivered uint64
	lastAlarm map[string]time.Time
	recent    []string
	tail      []event.Firing
	begun     []event.Firing // those whose events are to be looked after
	privacy   event.PrivacyMode
	damaged   int
	unsynced  bool // the directory's entry of file is not on the disk yet
}

// Open reads the journal in dir, or begins one. What a crash tore off at the
// end was never accepted and is cut off; a damaged line before it is passed
// over, kept in the old file, and counted.
func Open(dir string) (*Journal, error) {
	j := &Journal{dir: dir, rotateAt: rotateAt}
	j.reset()
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := durable.Sweep(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fileName)
	f, err := durable.Open(path, 0o600)
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
	good, checkpointed, err := j.read(j.file.File)
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
			good, _, err = j.read(j.file.File)
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
	j.next, j.delivered, j.damaged, j.recent, j.tail, j.begun = 1, 0, 0, nil, nil, nil
	j.accounts, j.lastAlarm = map[string]event.Account{}, map[string]time.Time{}
	j.privacy = event.PrivacyMode{}
	j.pending, j.open = map[string]*event.Gathered{}, map[string]event.Gathered{}
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
	return j.append(record{Firing: &f, Begins: f.EventID != "" && f.Disposition != event.Extended})
}

// Begun returns the firings that began an event of which Stored has not been told,
// oldest first; of very many the newest.
func (j *Journal) Begun() []event.Firing {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.begun)
}

// Stored records that the events which firings began need no care any more: they are
// in the event store with their end, and their transfers are queued; or they were
// removed.
func (j *Journal) Stored(seqs ...uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	seqs = slices.DeleteFunc(seqs, func(seq uint64) bool {
		return !slices.ContainsFunc(j.begun, func(f event.Firing) bool { return f.Seq == seq })
	})
	if len(seqs) == 0 {
		return nil
	}
	return j.append(record{Stored: &stored{seqs}})
}

// Gather gives the pending firings of a trigger to a mail and returns both; mail
// is empty where there are none. With an error they go on waiting.
func (j *Journal) Gather(trigger string) (mail string, g event.Gathered, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.pending[trigger]
	if p == nil {
		return "", g, nil
	}
	// By the newest: where a damaged line has firings wait again, those that came
	// since make another mail of it.
	mail = event.SummaryID(p.Seqs.Last())
	if slices.Contains(j.recent, mail) {
		mail = event.SummaryID(first(*p))
	}
	if err := j.append(record{Gather: &gather{Trigger: trigger, Mail: mail, First: first(*p)}}); err != nil {
		return "", g, err
	}
	return mail, *p, nil
}

// Fold has the mail into tell what the mails of were to tell, which are no more.
// Those that are not open are passed over, so a second call changes nothing.
func (j *Journal) Fold(into string, of []string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var open []string
	for _, mail := range of {
		if _, ok := j.open[mail]; ok && mail != into {
			open = append(open, mail)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return j.append(record{Fold: &fold{Into: into, Of: open}})
}

// Settle records what became of a mail: mailed, summarised or dropped. A second
// call for the same mail changes nothing, and fresh is false.
func (j *Journal) Settle(mail string, d event.Disposition) (fresh bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, open := j.open[mail]; !open && slices.Contains(j.recent, mail) {
		return false, nil
	}
	return true, j.append(record{Outcome: &outcome{Mail: mail, Disposition: d}})
}

// Rename gives what is known of a trigger to another name: its account, its hold-off
// and the firings that wait for its end.
func (j *Journal) Rename(from, to string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(record{Rename: &rename{from, to}})
}

// SetPrivacy records that privacy mode was switched.
func (j *Journal) SetPrivacy(p event.PrivacyMode) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(record{Privacy: &p})
}

// Privacy returns privacy mode as it was recorded last.
func (j *Journal) Privacy() event.PrivacyMode {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.privacy
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
	open := j.sortedOpen()
	for i := range max(0, len(open)-wholeMax) {
		open[i].Gathered = open[i].Thin()
		j.open[open[i].Mail] = open[i].Gathered
	}
	c := checkpoint{Next: j.next, Accounts: j.accounts, Delivered: j.delivered,
		LastAlarm: j.lastAlarm, Recent: j.recent, Privacy: j.privacy, Begun: j.begun, Open: open, Pending: map[string]event.Gathered{}}
	for trigger, g := range j.pending {
		c.Pending[trigger] = *g
	}
	line, err := encode(record{Checkpoint: &c})
	if err != nil {
		return err
	}
	path, old := filepath.Join(j.dir, fileName), filepath.Join(j.dir, oldName)
	f, err := durable.CreateTemp(j.dir)
	if err != nil {
		return err
	}
	if _, err = f.Write(line); err == nil {
		err = f.Sync()
	}
	if err == nil {
		durable.Remove(old)
		durable.Link(path, old) // some file systems cannot: then there is no second copy
		err = durable.Move(f.Name(), path)
	}
	if err != nil {
		f.Close()
		durable.Remove(f.Name())
		durable.Remove(old) // a second name of the present file, if anything
		return err
	}
	f.Moved(path)
	j.file.Close() // from here on f is the journal, whatever comes
	j.file, j.size, j.rotateAt, j.unsynced = f, int64(len(line)), rotateAt+int64(len(line)), true
	return nil
}

// OpenMail is a mail that is not settled, made or still to be made, and what it tells.
type OpenMail struct {
	Mail string `json:"mail"`
	event.Gathered
}

func (j *Journal) sortedOpen() []OpenMail {
	open := make([]OpenMail, 0, len(j.open))
	for mail, g := range j.open {
		open = append(open, OpenMail{mail, g})
	}
	slices.SortFunc(open, func(a, b OpenMail) int { return cmp.Compare(first(a.Gathered), first(b.Gathered)) })
	return open
}

// Open returns the mails that are not settled, oldest first. What they tell is
// shared and not to be changed.
func (j *Journal) Open() []OpenMail {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.sortedOpen()
}

// Tells returns what a mail that is not settled tells, not to be changed; false
// where the journal knows of none.
func (j *Journal) Tells(mail string) (event.Gathered, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	g, ok := j.open[mail]
	return g, ok
}

// Pending returns the triggers that have firings no mail has got yet, by name.
func (j *Journal) Pending() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(maps.Keys(j.pending))
}

// Accounts returns the account of each trigger that ever fired. now says what a
// mail that is not settled has come to; nil counts all of them as queued.
func (j *Journal) Accounts(now func(mail string) event.Disposition) map[string]event.Account {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := maps.Clone(j.accounts)
	add := func(g event.Gathered, d event.Disposition) {
		for trigger, n := range g.Counts {
			a := out[trigger]
			count(&a, d, n)
			out[trigger] = a
		}
	}
	for _, g := range j.pending {
		add(*g, event.Queued)
	}
	for mail, g := range j.open {
		d := event.Queued
		if now != nil {
			d = now(mail)
		}
		add(g, d)
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
