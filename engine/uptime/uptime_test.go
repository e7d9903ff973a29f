package uptime

import (
	"testing"
	"time"
)

// What is kept is as far away later, of another start of the box nothing is left,
// and where there is no clock there is no wait.
func TestKeepLeft(t *testing.T) {
	now := Moment{"this", time.Minute}
	c := Clock(func() Moment { return now })
	m := c.Keep(time.Now().Add(time.Hour))
	if m == nil || m.Boot != "this" || (m.At-61*time.Minute).Abs() > time.Minute {
		t.Fatalf("%+v", m)
	}
	now.At += 30 * time.Minute // the program was started again
	if left := c.Left(m); (left - 30*time.Minute).Abs() > time.Minute {
		t.Errorf("%v left", left)
	}
	now.At += 40 * time.Minute
	if left := c.Left(m); left != 0 {
		t.Errorf("%v left of what is over", left)
	}
	now = Moment{"other", 0}
	if left := c.Left(m); left != 0 {
		t.Errorf("%v left after a start of the box", left)
	}
	now = Moment{}
	if c.Keep(time.Now().Add(time.Hour)) != nil || c.Left(m) != 0 || c.Left(nil) != 0 || c.Keep(time.Time{}) != nil {
		t.Error("a moment without a clock")
	}
}

// The box's own clock goes on, and stays the same start of the box.
func TestBoot(t *testing.T) {
	a := Boot()()
	b := Boot()()
	if a.Boot == "" || a.Boot != b.Boot || a.At <= 0 || b.At < a.At {
		t.Errorf("%+v, then %+v", a, b)
	}
}
