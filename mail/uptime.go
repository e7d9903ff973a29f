package mail

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// moment is a point in time that means the same after a restart of the program,
// and that no change of the clock moves: the time since the box was started, and
// which start that was.
type moment struct {
	Boot string        `json:"boot"`
	At   time.Duration `json:"at"` // nanoseconds
}

// uptime tells the present moment.
type uptime func() moment

func bootClock() uptime {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id := strings.TrimSpace(string(boot))
	return func() moment {
		var ts unix.Timespec
		if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
			return moment{}
		}
		return moment{id, time.Duration(ts.Nano())}
	}
}

// keep turns a monotonic moment of this run into one that outlives it; nil for none.
func (u uptime) keep(t time.Time) *moment {
	now := u()
	if t.IsZero() || now.Boot == "" {
		return nil
	}
	now.At += time.Until(t)
	return &now
}

// left is how long it is until m. Of another start of the box nothing is left:
// much may have changed, and it is well to look.
func (u uptime) left(m *moment) time.Duration {
	now := u()
	if m == nil || m.Boot != now.Boot || now.Boot == "" {
		return 0
	}
	return max(0, m.At-now.At)
}
