package transfer

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/foreign"
	"watchpost/engine/uptime"
)

// times are the waits; tests shorten them.
type times struct {
	network, account, slow []time.Duration
	idle                   time.Duration // an open connection is kept without work
}

var defaultTimes = times{
	network: []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute,
		2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute},
	account: []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute},
	slow:    []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute},
	idle:    15 * time.Second,
}

// maxAfter bounds the wait that a server may ask for.
const maxAfter = 30 * time.Minute

// retry is the waits after faults of the kind k.
func (t times) retry(k kind) []time.Duration {
	switch k {
	case network:
		return t.network
	case account:
		return t.account
	}
	return t.slow
}

// longest is the longest wait there is.
func (t times) longest() time.Duration {
	return max(maxAfter, slices.Max(slices.Concat(t.network, t.account, t.slow)))
}

// backOff is the n-th wait of the table, the last one for ever, give or take a fifth.
func backOff(table []time.Duration, n int) time.Duration {
	d := table[min(n, len(table)-1)]
	return d*4/5 + mathrand.N(d*2/5+1)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wall turns a monotonic moment into what the clock will show then; zero for what
// is not to come.
func wall(t time.Time) time.Time {
	if left := time.Until(t); left > 0 {
		return time.Now().Add(left).Round(0)
	}
	return time.Time{}
}

// pause is a back-off that concerns every job of a place.
type pause struct {
	kind    kind
	count   int       // failures of that kind in a row; 0: no hold
	until   time.Time // monotonic
	problem string
	job     string // that failed once the place was connected; "": the connection did
}

// busyAfter is how many jobs in a row a place refuses for now before all wait: it
// would be asked ten thousand times else.
const busyAfter = 3

// holdFor makes everything for a place wait where the fault concerns everything.
// id is the job with which it happened, "" if the connection did not come about.
// Called with mu held.
func (q *Queue) holdFor(p *place, f *fault, id string) {
	switch f.kind {
	case permanent:
		return
	case temporary:
		if p.refusals++; p.refusals < busyAfter && f.after == 0 {
			return
		}
	}
	if f.kind != p.hold.kind {
		p.hold = pause{}
	}
	if p.hold.count == 0 || id == "" || id != p.hold.job { // the same job again: its own wait grows, not that of the others
		p.hold.count++
	}
	wait := max(backOff(q.times.retry(f.kind), p.hold.count-1), min(f.after, maxAfter))
	p.hold = pause{f.kind, p.hold.count, time.Now().Add(wait), f.Error(), id}
}

// placeFile is what outlives the program of a place: for which settings its jobs
// were tried, so that others are tried at once, and until when it waits, since a
// program that is started again and again must not ask a server again and again
// for what that has refused, or the account is locked.
type placeFile struct {
	// Derived from all settings, the secret too, slowly and with salt, so that it
	// gives none away.
	Salt  []byte `json:"salt"`
	Check []byte `json:"check"`

	Count   int            `json:"count,omitempty"` // of refusals of the account in a row
	Until   *uptime.Moment `json:"until,omitempty"`
	Problem string         `json:"problem,omitempty"`
}

func (d folder) place(name string) string { return filepath.Join(d.dir, "places", name+".json") }

// tidyPlaces forgets the places that are not configured: should one come back, its
// jobs are tried at once.
func (d folder) tidyPlaces(places map[string]*place) {
	files, _ := os.ReadDir(filepath.Join(d.dir, "places"))
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".json"); ok && places[name] == nil {
			durable.Remove(d.place(name))
		}
	}
}

// check is what a placeFile keeps of a place's settings.
func (p *place) check(salt []byte) []byte {
	const rounds = 100_000
	key, err := pbkdf2.Key(sha256.New, p.basis(), salt, rounds, 32)
	if err != nil {
		return nil
	}
	return key
}

// was reads what the last run left of a place, which then was called name; ok is
// whether it had the same settings.
func (d folder) was(p *place, name string) (f placeFile, ok bool) {
	before := *p
	before.config.Name = name
	data, err := readBounded(d.place(name))
	ok = err == nil && json.Unmarshal(data, &f) == nil && len(f.Salt) > 0 && subtle.ConstantTimeCompare(before.check(f.Salt), f.Check) == 1
	return f, ok
}

// renamedAway is what has become of the names of places that got another one while
// the program did not run, or just before its end: the same settings tell, where only
// one place that is new has them.
func (q *Queue) renamedAway(places map[string]*place) map[string]string {
	waiting := map[string]bool{}
	q.mu.Lock()
	for _, e := range q.jobs {
		if name := e.to().Address; places[name] == nil && !e.Mail.Settled() {
			waiting[name] = true
		}
	}
	q.mu.Unlock()
	var fresh []*place
	for name, p := range places {
		if _, err := os.Stat(q.folder.place(name)); errors.Is(err, os.ErrNotExist) {
			fresh = append(fresh, p)
		}
	}
	renames := map[string]string{}
	for name := range waiting {
		var same []string
		for _, p := range fresh {
			if _, ok := q.folder.was(p, name); ok {
				same = append(same, p.config.Name)
			}
		}
		if len(same) == 1 {
			renames[name] = same[0]
		}
	}
	return renames
}

// resume takes up what the last run left of a place: same is whether it had the
// same settings. Called before the place is at work.
func (q *Queue) resume(p *place) (same bool) {
	if f, ok := q.folder.was(p, p.config.Name); ok {
		p.file, same = f, true
		if left := q.uptime.Left(f.Until); left > 0 && f.Count > 0 {
			q.mu.Lock()
			p.hold = pause{account, min(f.Count, 100), time.Now().Add(min(left, 2*q.times.longest())), foreign.Sanitise(f.Problem), ""}
			p.kept = p.hold.until
			q.mu.Unlock()
		}
		return same
	}
	p.file = placeFile{Salt: make([]byte, 16)}
	rand.Read(p.file.Salt)
	p.file.Check = p.check(p.file.Salt)
	q.savePlace(p)
	return false
}

// keepHold writes a pause of the account where it is to outlive the program. It is
// the place's own goroutine's; a failure costs an attempt too early.
func (q *Queue) keepHold(p *place) {
	q.mu.Lock()
	h, kept := p.hold, p.kept
	q.mu.Unlock()
	lasting := h.count > 0 && h.kind == account
	switch {
	case lasting && !kept.Equal(h.until):
		p.file.Count, p.file.Until, p.file.Problem = h.count, q.uptime.Keep(h.until), h.problem
	case !lasting && !kept.IsZero():
		p.file.Count, p.file.Until, p.file.Problem = 0, nil, ""
		h.until = time.Time{}
	default:
		return
	}
	q.savePlace(p)
	q.mu.Lock()
	p.kept = h.until
	q.mu.Unlock()
}

func (q *Queue) savePlace(p *place) {
	data, err := json.MarshalIndent(p.file, "", "  ")
	if err == nil {
		err = durable.WriteFile(q.folder.place(p.config.Name), 0o600, append(data, '\n'))
	}
	if err != nil {
		q.options.Log.Warn("transfer queue", "problem", "the state of the place "+p.config.Name+" could not be saved: "+err.Error())
	}
}
