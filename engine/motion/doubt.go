package motion

import "time"

// What moves may be no visitor. He walks in, from the border or from behind something, at
// a pace of his size, and his outline is new to the scene. An insect before the lens
// is there at once and off as quickly; a branch, a thread or a curtain has its
// outline in the scene as in the picture. No event starts with what is in doubt; one
// that goes on goes on with it.
const (
	growPart   = 2.0                    // a visitor comes into view by and by: his first sight grows by this,
	borderPart = 1.3                    // at the border by this;
	suddenTime = time.Second            // what came up whole is a visitor only after so long
	rushSpeed  = 7.0                    // of its sizes a second: faster than a runner
	swayTime   = 400 * time.Millisecond // what looked like a part of the scene so lately
	paceTime   = 100 * time.Millisecond // its pace is taken over so long
	ownPart    = 0.9                    // of its outline in the picture, in the scene: it is a part of that
)

// remember lets a new thing have grown since another was seen in its place.
func (v *view) remember(b *background, bl *blob, at time.Duration) {
	t := b.thing(bl.thing)
	for _, m := range v.members {
		if o := b.thing(v.part[m]); o != nil && at-v.held[m] <= suddenTime {
			t.first = min(t.first, o.first)
		}
	}
}

// pace notes whether the thing of a blob came into view by and by, and whether it
// moves faster than a visitor of its size does.
func (v *view) pace(b *background, bl *blob, at time.Duration) {
	t := b.thing(bl.thing)
	if at-t.born <= suddenTime && bl.width()*bl.height() >= t.growth*t.first || at-v.last > slowTime {
		t.grown = true
	}
	if t.at == at {
		t.now.join(bl.outline)
		return
	}
	if dt := t.at - t.then; dt >= paceTime {
		if t.then > 0 && t.now.way(t.before) > rushSpeed*t.now.size()*dt.Seconds() {
			t.rushed = at
		}
		t.before, t.then = t.now, t.at
	}
	t.now, t.at = bl.outline, at
}

// doubt decides whether the blob in hand may be what no event starts with: an insect, or
// a part of the scene that sways (a branch, a thread, a curtain), which has its
// outline in the scene as in the picture.
func (v *view) doubt(b *background, bl *blob, id uint16, at time.Duration) {
	t := b.thing(bl.thing)
	if scene, picture := v.contrast(b, id, b.now); scene > ownPart*picture {
		t.swayed = at
	}
	bl.doubt = !t.grown && at-max(t.born, t.rushed) < suddenTime || t.swayed > 0 && at-t.swayed < swayTime
}
