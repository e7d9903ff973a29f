package mail

import (
	"encoding/json"
	"path/filepath"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/uptime"
)

// budget counts the recipients of the last 24 hours, by the hour, as providers do
// whose limit rolls. Waiting and clocks cannot cheat it: time passes by the box's
// uptime, and over a restart of the box by its clock, where that is set.
type budget struct {
	Spent [24]int       `json:"spent"` // in the present hour, the one before …
	Hour  uptime.Moment `json:"hour"`  // when the present hour began
	Wall  time.Time     `json:"wall"`  // what the clock showed then
}

// advance lets time pass.
func (b *budget) advance(now uptime.Moment, wall time.Time) {
	passed := now.At - b.Hour.At
	if now.Boot != b.Hour.Boot {
		if passed = 0; b.Wall.After(event.ClockFloor) {
			passed = wall.Sub(b.Wall)
		}
		b.Hour = uptime.Moment{Boot: now.Boot, At: now.At - max(0, min(passed, 24*time.Hour)%time.Hour)}
	} else if passed >= time.Hour {
		b.Hour.At += passed.Truncate(time.Hour)
	}
	hours := int(min(24, max(0, passed/time.Hour)))
	if hours > 0 {
		copy(b.Spent[hours:], b.Spent[:24-hours])
		clear(b.Spent[:hours])
	}
	if hours > 0 || b.Wall.IsZero() || !b.Wall.After(event.ClockFloor) {
		b.Wall = wall.Add(-(now.At - b.Hour.At)).Round(0)
	}
}

func (b *budget) used() int {
	n := 0
	for _, s := range b.Spent {
		n += s
	}
	return n
}

// wait is how long it is until n more recipients are within limit; 0: they are
// now. What is more than the limit by itself waits until nothing else is spent.
func (b *budget) wait(n, limit int, now uptime.Moment) time.Duration {
	over := b.used() + min(n, limit) - limit
	if over <= 0 {
		return 0
	}
	for h := len(b.Spent) - 1; ; h-- { // the oldest hour leaves first
		if over -= b.Spent[h]; over <= 0 {
			return b.Hour.At + time.Duration(24-h)*time.Hour - now.At
		}
	}
}

func (s spool) loadBudget() (b budget) {
	data, err := readBounded(filepath.Join(s.dir, "budget.json"))
	if err != nil || json.Unmarshal(data, &b) != nil {
		return budget{}
	}
	for i := range b.Spent {
		b.Spent[i] = max(0, min(b.Spent[i], 1<<30))
	}
	return b
}

func (s spool) saveBudget(b budget) error {
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(s.dir, "budget.json"), 0o600, append(data, '\n'))
}

// spend counts recipients that took a mail. It is the sender's.
func (o *Outbox) spend(n int) {
	o.mu.Lock()
	o.budget.advance(o.uptime(), time.Now())
	o.budget.Spent[0] += n
	b, limited := o.budget, o.setup.config.Mail.DailyBudget > 0
	o.mu.Unlock()
	if !limited || n == 0 { // nobody pays for what nobody asked for
		return
	}
	if err := o.spool.saveBudget(b); err != nil {
		o.options.Log.Warn("mail spool", "problem", "the daily budget could not be saved: "+err.Error())
	}
}

// affordable is how long a mail to n recipients has to wait for the budget.
// Called with mu held.
func (o *Outbox) affordable(n int) time.Duration {
	limit := o.setup.config.Mail.DailyBudget
	if limit <= 0 {
		return 0
	}
	now := o.uptime()
	o.budget.advance(now, time.Now())
	return o.budget.wait(n, limit, now)
}

// mailsInBudget is how many mails to n recipients the budget has room for now, at
// most want. Called with mu held.
func (o *Outbox) mailsInBudget(want, n int) int {
	limit := o.setup.config.Mail.DailyBudget
	if limit <= 0 || n == 0 {
		return want
	}
	o.budget.advance(o.uptime(), time.Now())
	return min(want, max(0, limit-o.budget.used())/n)
}
