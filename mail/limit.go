package mail

import (
	"encoding/json"
	"math"
	"net"
	"path/filepath"
	"strconv"

	"watchpost/engine/config"
	"watchpost/engine/durable"
)

// limitFile is what a server takes at most, as it outlives the program: images are
// parted by it before anything is sent.
type limitFile struct {
	Server string `json:"server"`
	Bytes  int64  `json:"bytes"` // math.MaxInt64: it announces no limit
}

func (s spool) limitName() string { return filepath.Join(s.dir, "limit.json") }

func serverOf(m config.SMTP) string { return net.JoinHostPort(m.Server, strconv.Itoa(m.Port)) }

// Limit is the largest mail that the server takes, in bytes, as it said last;
// math.MaxInt64 where it announces no limit, and 0 where it was not asked yet.
func (o *Outbox) Limit() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.limit.Server != serverOf(o.setup.config.SMTP) {
		return 0
	}
	return o.limit.Bytes
}

// learnt keeps what the server announced. It is the sender's; a failure costs a
// start that does not know it.
func (o *Outbox) learnt(set setup, bytes int64) {
	if bytes == 0 {
		bytes = math.MaxInt64
	}
	now := limitFile{serverOf(set.config.SMTP), bytes}
	o.mu.Lock()
	same := o.limit == now
	o.limit = now
	o.mu.Unlock()
	if same {
		return
	}
	data, err := json.Marshal(now)
	if err == nil {
		err = durable.WriteFile(o.spool.limitName(), 0o600, append(data, '\n'))
	}
	if err != nil {
		o.options.Log.Warn("mail spool", "problem", "what the server takes at most could not be saved: "+err.Error())
	}
}

// loadLimit reads what learnt kept.
func (s spool) loadLimit() (f limitFile) {
	data, err := readBounded(s.limitName())
	if err != nil || json.Unmarshal(data, &f) != nil || f.Bytes < 0 {
		return limitFile{}
	}
	return f
}
