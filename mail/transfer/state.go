package transfer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/foreign"
	"watchpost/engine/uptime"
)

const (
	recordVersion = 1
	maxRecord     = 1 << 20 // bytes of a state file that are read at all
	keepSettled   = 100
	keepDamaged   = 20
)

// record is a job's state: the whole of ID.json.
type record struct {
	Version int        `json:"version"`
	Mail    event.Mail `json:"mail"` // as the queue shows it; its one recipient is the place
	// Seen: the event was in the store, so that it was removed where it is not now.
	Seen   bool    `json:"seen,omitempty"`
	Done   int     `json:"done,omitempty"`   // the number of the last image that is done with
	Sent   int     `json:"sent,omitempty"`   // images handed over
	Passed int     `json:"passed,omitempty"` // images that a newer one has taken the place of
	Lost   int     `json:"lost,omitempty"`   // images that the store had and could not read
	Last   *placed `json:"last,omitempty"`   // where each image takes the place of the one before it: the newest there
	// By e-mail: the number of the last image of each mail, and how many mails are
	// submitted. They are settled before the first, so that a start makes the same.
	Parts []int `json:"parts,omitempty"`
	Mails int   `json:"mails,omitempty"`

	Next   *uptime.Moment `json:"next,omitempty"`   // when it is tried again
	Failed int            `json:"failed,omitempty"` // attempts in a row that failed
}

// placed is an image at a place where it is replaced by the next.
type placed struct {
	Where string `json:"where"`
	N     int    `json:"n"` // of the image in the record's event
}

// order is an image's place among all: events' numbers grow, a clock may be set back.
type order struct {
	event string
	n     int
}

func (o order) compare(other order) int {
	return cmp.Or(strings.IndexByte(o.event, '-')-strings.IndexByte(other.event, '-'), strings.Compare(o.event, other.event), o.n-other.n)
}

// to is the one recipient.
func (r *record) to() *event.Recipient { return &r.Mail.Recipients[0] }

func (r record) clone() record {
	r.Mail = cloneMail(r.Mail)
	r.Parts = slices.Clone(r.Parts)
	return r
}

func cloneMail(m event.Mail) event.Mail {
	m.Recipients = slices.Clone(m.Recipients)
	return m
}

var errVersion = errors.New("it is of another version")

// parseRecord reads the state file of the job id and refuses what this program
// would not have written.
func parseRecord(id string, data []byte) (record, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, err
	}
	m := &r.Mail
	switch {
	case r.Version != recordVersion:
		return record{}, fmt.Errorf("%w: %d, this program knows %d", errVersion, r.Version, recordVersion)
	case m.ID != id || !validID(id):
		return record{}, fmt.Errorf("it is of the job %q", m.ID)
	case m.Kind != event.Transfer || m.Event == "" || len(m.Recipients) != 1 || m.Recipients[0].Address == "":
		return record{}, errors.New("its event or its place is missing")
	case r.Done < 0 || r.Sent < 0 || r.Passed < 0 || r.Lost < 0 || r.Failed < 0 || m.Attempts < 0 || r.Mails < 0 || r.Mails > len(r.Parts) || !slices.IsSorted(r.Parts):
		return record{}, errors.New("its counts make no sense")
	}
	switch r.to().State {
	case event.Pending, event.Delivered, event.RcptHeld, event.RcptDrop:
		return r, nil
	}
	return record{}, fmt.Errorf("unknown state %q", r.to().State)
}

// validID keeps an ID a file name: lower case letters, digits and '-'.
func validID(id string) bool {
	if id == "" || len(id) > 100 || id[0] == '-' {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
	})
}

// folder is where the queue is kept:
//
//	queue/ID.json      a job's state; that it is there makes the job accepted
//	delivered/ID.json  of the newest settled jobs
//	places/NAME.json   for which settings a place was tried, and until when it waits
//	quarantine/        what was found damaged, kept for a person to look at
//
// It keeps nothing in memory and is not safe for concurrent use.
type folder struct{ dir string }

func (d folder) queue(id string) string     { return filepath.Join(d.dir, "queue", id+".json") }
func (d folder) delivered(id string) string { return filepath.Join(d.dir, "delivered", id+".json") }

// save makes a job's state durable.
func (d folder) save(r record) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(d.queue(r.Mail.ID), 0o600, append(b, '\n'))
}

// remove forgets a job for good, without an fsync: a start that finds it again
// does it again.
func (d folder) remove(id string) { durable.Remove(d.queue(id)) }

// settle moves a job out of the queue.
func (d folder) settle(id string) error {
	err := durable.Rename(d.queue(id), d.delivered(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// bound forgets the oldest settled jobs.
func (d folder) bound(all []event.Mail) []event.Mail {
	for len(all) > keepSettled {
		durable.Remove(d.delivered(all[0].ID))
		all = all[1:]
	}
	return all
}

// load reads the folder, making it if need be, and tidies up what a crash left.
// Damage is set aside and told in problems, a sentence each.
func (d folder) load() (queued, settled []record, problems []string, err error) {
	for _, sub := range []string{"", "queue", "delivered", "places", "quarantine"} {
		dir := filepath.Join(d.dir, sub)
		if err := durable.MkdirAll(dir, 0o700); err != nil {
			return nil, nil, nil, fmt.Errorf("transfer queue: %w", err)
		}
		if err := durable.Sweep(dir); err != nil {
			return nil, nil, nil, fmt.Errorf("transfer queue: %w", err)
		}
	}
	// A program that was killed may have renamed a file and not fsynced the folder.
	// From here on what is in it is acted upon.
	if err := durable.SyncDir(filepath.Join(d.dir, "queue")); err != nil {
		return nil, nil, nil, fmt.Errorf("transfer queue: %w", err)
	}
	there, others := map[string]bool{}, 0
	err = d.each("queue", func(id, path string, data []byte, err error) error {
		var r record
		if err == nil {
			r, err = parseRecord(id, data)
		}
		if errors.Is(err, errVersion) {
			there[id] = true
			others++
			return nil
		}
		if err != nil {
			to := filepath.Join(d.dir, "quarantine", filepath.Base(path))
			if merr := durable.Rename(path, to); merr != nil {
				return fmt.Errorf("%s is damaged (%w) and cannot be set aside: %w", path, err, merr)
			}
			problems = append(problems, fmt.Sprintf("The state of the transfer %s was damaged: %s. It was set aside as %s; the images are still in the event store. Check the disk.",
				foreign.Sanitise(id), foreign.Sanitise(err.Error()), to))
			return nil
		}
		there[id] = true
		queued = append(queued, r)
		return nil
	})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("transfer queue: %w", err)
	}
	if others > 0 {
		problems = append(problems, fmt.Sprintf("%d %s of another version of this program and %s untouched: install that version to hand them over; the images are in the event store.",
			others, plural(others, "transfer is", "transfers are"), plural(others, "waits", "wait")))
	}
	err = d.each("delivered", func(id, path string, data []byte, err error) error {
		var r record
		if err == nil {
			r, err = parseRecord(id, data)
		}
		if err != nil || there[id] { // of no more use, or a power cut has half undone a Settle, which comes again
			durable.Remove(path)
			return nil
		}
		settled = append(settled, r)
		return nil
	})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("transfer queue: %w", err)
	}
	d.boundQuarantine()
	return queued, settled, problems, nil
}

// each calls do for every state file in a folder.
func (d folder) each(sub string, do func(id, path string, data []byte, err error) error) error {
	files, err := os.ReadDir(filepath.Join(d.dir, sub))
	if err != nil {
		return err
	}
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok {
			continue
		}
		path := filepath.Join(d.dir, sub, f.Name())
		data, err := readBounded(path)
		if err := do(id, path, data, err); err != nil {
			return err
		}
	}
	return nil
}

// boundQuarantine keeps the newest there.
func (d folder) boundQuarantine() {
	dir := filepath.Join(d.dir, "quarantine")
	files, _ := os.ReadDir(dir) // by name, which is by age
	for len(files) > keepDamaged {
		durable.Remove(filepath.Join(dir, files[0].Name()))
		files = files[1:]
	}
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err == nil && len(b) > maxRecord {
		err = fmt.Errorf("larger than %d bytes", maxRecord)
	}
	return b, err
}
