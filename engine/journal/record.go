package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"time"

	"watchpost/engine/event"
)

// record is one line of the journal; exactly one pointer is set.
type record struct {
	Checkpoint *checkpoint        `json:"checkpoint,omitempty"`
	Firing     *event.Firing      `json:"firing,omitempty"`
	Begins     bool               `json:"begins,omitempty"` // with firing: an event
	Stored     *stored            `json:"stored,omitempty"`
	Gather     *gather            `json:"gather,omitempty"`
	Fold       *fold              `json:"fold,omitempty"`
	Outcome    *outcome           `json:"outcome,omitempty"`
	Privacy    *event.PrivacyMode `json:"privacy,omitempty"`
	Rename     *rename            `json:"rename,omitempty"`
}

// rename gives a trigger another name, and its account with it.
type rename struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// stored says of which firings the events are looked after; see Journal.Stored.
type stored struct {
	Seqs []uint64 `json:"seqs"`
}

// gather gives the pending firings of a trigger to a mail. First is the Seq of
// the first of them: read twice, the record does not take later ones.
type gather struct {
	Trigger string `json:"trigger"`
	Mail    string `json:"mail"`
	First   uint64 `json:"first"`
}

// fold has one mail tell what others were to tell.
type fold struct {
	Into string   `json:"into"`
	Of   []string `json:"of"`
}

// outcome is what became of a mail that nothing more will happen to.
type outcome struct {
	Mail        string            `json:"mail"`
	Disposition event.Disposition `json:"disposition"` // mailed, summarised or dropped
}

// checkpoint is the state that stands for everything before it.
type checkpoint struct {
	Next      uint64                    `json:"next"`
	Accounts  map[string]event.Account  `json:"accounts"`
	Pending   map[string]event.Gathered `json:"pending,omitempty"`
	Open      []OpenMail                `json:"open"`
	Delivered uint64                    `json:"delivered"`
	LastAlarm map[string]time.Time      `json:"last_alarm"`
	Recent    []string                  `json:"recent"`
	Privacy   event.PrivacyMode         `json:"privacy"`
	Begun     []event.Firing            `json:"begun,omitempty"`
}

// A line is the CRC-32 (IEEE) of the JSON in eight hexadecimal digits, a space,
// and the JSON: a person can read it and a torn write shows.
func encode(r record) ([]byte, error) {
	js, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(js), js), nil
}

var errDamaged = errors.New("damaged record")

// decode reads a line; one that this program would not have written is damaged.
func decode(line []byte) (record, error) {
	var r record
	if len(line) < 10 || line[8] != ' ' {
		return r, errDamaged
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.ChecksumIEEE(line[9:]) {
		return r, errDamaged
	}
	if err := json.Unmarshal(line[9:], &r); err != nil || !r.known() {
		return record{}, errDamaged
	}
	return r, nil
}

func (r record) known() bool {
	switch {
	case r.Checkpoint != nil:
		nameless := func(m OpenMail) bool { return m.Mail == "" || len(m.Seqs) == 0 }
		return r.Checkpoint.Next > 0 && !slices.ContainsFunc(r.Checkpoint.Open, nameless)
	case r.Firing != nil:
		return r.Firing.Seq > 0 && r.Firing.Seq < 1<<63
	case r.Gather != nil:
		return r.Gather.Mail != ""
	case r.Fold != nil:
		return r.Fold.Into != "" && !slices.Contains(r.Fold.Of, r.Fold.Into)
	}
	return r.Outcome != nil || r.Privacy != nil || r.Stored != nil || r.Rename != nil
}
