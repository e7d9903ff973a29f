// Package uptime tells points in time that no change of the clock moves and that
// mean the same after a restart of the program: how long the box had been up, and
// since which start of it.
//
// It is not a clock for people. It starts no goroutine.
package uptime

import (
	"crypto/rand"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Moment is a point in time that means the same after a restart of the program,
// and that no change of the clock moves: the time since the box was started, and
// which start that was.
type Moment struct {
	Boot string        `json:"boot"`
	At   time.Duration `json:"at"` // nanoseconds
}

// Clock tells the present moment.
type Clock func() Moment

// Boot is the box's own clock (CLOCK_BOOTTIME, and the kernel's boot_id).
func Boot() Clock {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id := strings.TrimSpace(string(boot))
	if err != nil || id == "" {
		id = rand.Text() // every start of the program counts as one of the box
	}
	return func() Moment {
		var ts unix.Timespec
		if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
			return Moment{}
		}
		return Moment{id, time.Duration(ts.Nano())}
	}
}

// Keep turns a monotonic moment of this run into one that outlives it; nil for none.
func (c Clock) Keep(t time.Time) *Moment {
	now := c()
	if t.IsZero() || now.Boot == "" {
		return nil
	}
	now.At += time.Until(t)
	return &now
}

// Left is how long it is until m. Of another start of the box nothing is left:
// much may have changed, and it is well to look.
func (c Clock) Left(m *Moment) time.Duration {
	now := c()
	if m == nil || m.Boot != now.Boot || now.Boot == "" {
		return 0
	}
	return max(0, m.At-now.At)
}
