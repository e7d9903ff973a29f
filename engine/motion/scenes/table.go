package scenes

// maker builds a scene.
type maker struct {
	name, about string
	build       func(*Scene)
	idle        bool // there is a variant without visitors
	reported    bool
}

// all is in the order of the table.
var all = []maker{
	{"still", "a yard by day, three visitors", still, true, false},
	{"walker-1", "four people of 1 % of the picture", walkers(0.01), false, false},
	{"walker-0.5", "of 0.5 %", walkers(0.005), false, false},
	{"walker-0.2", "of 0.2 %", walkers(0.002), false, false},
	{"walker-0.1", "of 0.1 %: below the threshold", walkers(0.001), false, true},
	{"stops", "a person stands for 30 s and leaves", stops, false, false},
	{"parked", "a car parks for 90 s; a passer-by", parked, false, false},
	{"bottle", "a hand moves a bottle, later takes it", bottle, false, false},
	{"visits-2.5", "two pairs of visits, 2.5 s apart", twice(2.5), false, false},
	{"visits-2", "the same, 2 s apart", twice(2), false, true},
	{"lamp", "a room lamp, switched every 20 s", lampOn, true, false},
	{"porch", "a porch lamp goes on over a visitor", porch, true, false},
	{"ramps", "daylight fades and comes, slow and quick", ramps, true, false},
	{"swings", "auto-exposure; two white vans, a dark one", swings, true, false},
	{"clouds", "shadows of clouds", clouds, true, false},
	{"headlights", "headlights sweep over a yard at night", headlights, true, false},
	{"nightfall", "infrared cut filter, dusk and dawn", nightfall, true, false},
	{"night", "heavy noise in the dark", night, true, false},
	{"leaves", "a tree in gusts", leaves, true, false},
	{"rain", "rain of 10 mm an hour by day", rainDay, true, false},
	{"rain-lamp", "the same at night, in the camera's lamp", rainLamp, true, false},
	{"insects", "insects near the lens", insects, true, false},
	{"web", "a spider's thread before the lens", web, true, false},
	{"shake", "a camera that shakes by a pixel", shake, true, false},
	{"corrupt", "6 % of the JPEG pictures damaged", corrupt, true, false},
}
