package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"watchpost/engine/event"
)

// record is one line of the journal; exactly one member is set.
type record struct {
	Checkpoint *checkpoint   `json:"checkpoint,omitempty"`
	Firing     *event.Firing `json:"firing,omitempty"`
	Outcome    *Outcome      `json:"outcome,omitempty"`
}

// Outcome is what became of a mail that nothing more will happen to.
type Outcome struct {
	Mail        string            `json:"mail"`
	Disposition event.Disposition `json:"disposition"` // mailed, summarised or dropped
	Firings     []uint64          `json:"firings,omitempty"`
}

// checkpoint is the state that stands for everything before it.
type checkpoint struct {
	Next      uint64                   `json:"next"`
	Accounts  map[string]event.Account `json:"accounts"`
	Open      []event.Firing           `json:"open"`
	Delivered uint64                   `json:"delivered"`
	LastAlarm map[string]time.Time     `json:"last_alarm"`
	Recent    []string                 `json:"recent"`
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

func decode(line []byte) (record, error) {
	var r record
	if len(line) < 10 || line[8] != ' ' {
		return r, errDamaged
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.ChecksumIEEE(line[9:]) {
		return r, errDamaged
	}
	if err := json.Unmarshal(line[9:], &r); err != nil {
		return r, errDamaged
	}
	if r.Checkpoint == nil && r.Firing == nil && r.Outcome == nil {
		return r, errDamaged
	}
	return r, nil
}
