package transfer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/durable/powercut"
	"watchpost/engine/event"
)

// The facts of a power cut test, in the order in which they came about.
type (
	accepted struct{ event.Mail } // Add has returned
	told     struct{ event.Mail } // what the listener was told, which is on the disk
	taken    string               // the place has a file, and is about to say so
	settling string               // Settle was called for a job, and has returned
	settled  string
	spoilt   string // another program damaged a job's file; a start set it aside
	setAside string
	shut     struct{} // all waits, since the place lets nobody in
)

func (a accepted) String() string { return "accepted " + a.ID }
func (t told) String() string {
	return "the listener: " + t.ID + " is " + t.QueueState() + ", " + t.Subject
}

// telling is a Listener that says what it is told.
type telling struct{ *powercut.Recording }

func (t telling) MailChanged(m event.Mail)    { t.Say(told{m}) }
func (t telling) MailStep(string, event.Step) {}
func (t telling) MailSent(event.MailSent)     {}

// powered is the queue of the test.
type powered struct {
	*Queue
	*testing.T
	rec   *powercut.Recording
	dir   string
	album *album
	nas   *shelf
}

func (p *powered) do(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func openAt(dir string, a *album, nas *shelf, l Listener) (*Queue, error) {
	q, err := Open(dir, Options{Listener: l, Images: a})
	if err != nil {
		return nil, err
	}
	q.times = quick
	q.make["ftp"] = func(config.Transfer, string) target { return nas }
	return q, nil
}

func (p *powered) open() {
	p.Helper()
	q, err := openAt(p.dir, p.album, p.nas, telling{p.rec})
	p.do(err)
	p.Queue = q
	q.Configure(places("nas"), config.Secrets{}, time.UTC)
}

// add adds the job of the n-th firing.
func (p *powered) add(n int) (id string) {
	p.Helper()
	id = event.TransferID(uint64(n))
	p.do(p.Add(event.Job{ID: id, Event: eventID(n), Trigger: "yard", Transfer: "nas", At: noon.Add(time.Duration(n) * time.Minute)}))
	for _, m := range p.Mails() {
		if m.ID == id {
			p.rec.Say(accepted{m})
		}
	}
	p.Changed(eventID(n))
	return id
}

func (p *powered) settle(id string) {
	p.Helper()
	p.rec.Say(settling(id))
	p.do(p.Settle(id))
	p.rec.Say(settled(id))
}

func stateOf(q *Queue, id string) event.Mail {
	for _, m := range q.Mails() {
		if m.ID == id {
			return m
		}
	}
	return event.Mail{}
}

func (p *powered) runUntil(ok func() bool) {
	p.Helper()
	if !runUntil(p.Queue, ok) {
		p.Fatalf("not in time: %+v", p.Mails())
	}
}

func runUntil(q *Queue, ok func() bool) bool {
	return powercut.RunUntil(q.Run, longest, ok)
}

const crashImages = 3

// crashAlbum has the events of the tests.
func crashAlbum(n int) *album {
	a := newAlbum()
	for i := 1; i <= n; i++ {
		a.begin(eventID(i), noon.Add(time.Duration(i)*time.Minute))
		a.take(eventID(i), crashImages, 300)
		a.end(eventID(i))
	}
	return a
}

// A power cut at any moment of the queue's life loses no job that was accepted,
// takes back nothing that was told and sends nothing twice beyond the file that was
// on its way; and each fsync is needed for that.
func TestPowerCut(t *testing.T) {
	root := t.TempDir()
	rec, err := powercut.Record(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rec.Stop)
	p := &powered{T: t, rec: rec, dir: filepath.Join(root, "var", "transfer"), album: crashAlbum(5), nas: &shelf{}}
	p.nas.told = func(name string) { rec.Say(taken(name)) }
	p.open()

	// One that is handed over, and one that is refused for now and given up.
	id := p.add(1)
	p.runUntil(func() bool { return stateOf(p.Queue, id).QueueState() == "delivered" })
	p.settle(id)
	p.nas.fails(notNow)
	id = p.add(2)
	p.runUntil(func() bool { return stateOf(p.Queue, id).Attempts > 0 })
	p.do(p.Drop(id))
	p.settle(id)

	// One that another program damaged, set aside by a start and added anew.
	id = p.add(3)
	p.do(rec.Place(p.folder.queue(id), []byte(`{"version": 1, "mail`), spoilt(id)))
	p.open()
	rec.Say(setAside(id))
	p.add(3)

	// One that is dropped by a program that is killed before the folder's fsync.
	id = p.add(4)
	r := p.jobs[id].record.clone()
	r.drop("")
	powercut.SaveAndDie(p, p.folder.queue(id), r)
	p.open()
	rec.Say(told{stateOf(p.Queue, id)})

	// The place lets nobody in: all waits, also after a start.
	p.nas.mu.Lock()
	p.nas.onOpen = func() error { return shutOut }
	p.nas.mu.Unlock()
	id = p.add(5)
	p.runUntil(func() bool { return stateOf(p.Queue, id).Attempts > 0 })
	rec.Say(shut{})

	rec.Verify(t, checkQueue)
}

// story is what had come about before a cut.
type story struct {
	accepted map[string]bool
	told     map[string]event.Mail
	taken    map[string]int
	settling map[string]bool
	settled  map[string]bool
	setAside []string
	shut     bool
}

func storyOf(said []any) story {
	s := story{map[string]bool{}, map[string]event.Mail{}, map[string]int{}, map[string]bool{}, map[string]bool{}, nil, false}
	for _, fact := range said {
		switch f := fact.(type) {
		case accepted:
			s.accepted[f.ID] = true
		case told:
			s.told[f.ID] = f.Mail
		case taken:
			s.taken[string(f)]++
		case settling:
			s.settling[string(f)] = true
		case settled:
			s.settled[string(f)] = true
		case spoilt:
			delete(s.accepted, string(f))
			delete(s.told, string(f))
		case setAside:
			s.setAside = append(s.setAside, string(f))
		case shut:
			s.shut = true
		}
	}
	return s
}

// checkQueue starts from what a cut left.
func checkQueue(root string, said []any) error {
	s := storyOf(said)
	dir, nas := filepath.Join(root, "var", "transfer"), &shelf{}
	q, err := openAt(dir, crashAlbum(5), nas, nil)
	if err != nil {
		return err
	}
	if p := q.Problems(); len(p) > 0 && !(len(p) == 1 && strings.Contains(p[0], event.TransferID(3)) && len(s.setAside) == 0) {
		return fmt.Errorf("a start finds damage: %s", strings.Join(p, "\n"))
	}
	for _, id := range s.setAside {
		if _, err := os.Stat(filepath.Join(dir, "quarantine", id+".json")); err != nil {
			return fmt.Errorf("what was set aside is lost: %w", err)
		}
	}
	for id := range s.settled {
		if _, err := os.Stat(q.folder.queue(id)); err == nil {
			return fmt.Errorf("job %s is in the queue again", id)
		}
	}
	if s.shut {
		q.Configure(places("nas"), config.Secrets{}, time.UTC)
		if p := q.places["nas"]; !q.resume(p) || p.hold.count == 0 {
			return errors.New("the place's pause is forgotten")
		}
	}
	before := map[string]event.Mail{}
	for _, m := range q.Mails() {
		if _, twice := before[m.ID]; twice {
			return fmt.Errorf("job %s is listed twice", m.ID)
		}
		before[m.ID] = m
	}
	for id := range s.accepted {
		if _, ok := before[id]; !ok {
			return fmt.Errorf("job %s is lost", id)
		}
	}
	for id, was := range s.told {
		m, ok := before[id]
		if !ok {
			return fmt.Errorf("job %s, which the listener knows, is lost", id)
		}
		if was.Settled() && m.QueueState() != was.QueueState() || m.Bytes < was.Bytes {
			return fmt.Errorf("job %s was %s with %d bytes, and is %s with %d", id, was.QueueState(), was.Bytes, m.QueueState(), m.Bytes)
		}
	}
	q.Configure(places("nas"), config.Secrets{Transfers: map[string]string{"nas": "another"}}, time.UTC)
	if !runUntil(q, func() bool {
		return !slices.ContainsFunc(q.Mails(), func(m event.Mail) bool { return !m.Settled() })
	}) {
		return fmt.Errorf("not handed over after the cut: %+v", q.Mails())
	}
	for _, m := range q.Mails() {
		if m.QueueState() != "delivered" {
			continue
		}
		window := 0 // a file that the place took, of which nothing was told
		for n := 1; n <= 5; n++ {
			if event.TransferID(uint64(n)) != m.ID {
				continue
			}
			for i, name := range expected(n, crashImages) {
				copies := s.taken[name] + nas.count(name)
				switch {
				case copies == 0:
					return fmt.Errorf("%s never arrived", name)
				case copies > 1:
					window++
				}
				if was := s.told[m.ID]; i < crashImages && was.Bytes >= int64(300*(i+1)) && copies > 1 {
					return fmt.Errorf("%s was told and went again", name)
				}
			}
		}
		if window > 1 {
			return fmt.Errorf("%d files of %s went twice", window, m.ID)
		}
	}
	return tidy(dir)
}

func (s *shelf) count(name string) (n int) {
	for _, got := range s.names() {
		if got == name {
			n++
		}
	}
	return n
}

// tidy says which files a start leaves that it should not.
func tidy(dir string) error {
	for _, sub := range []string{"queue", "delivered", "places", "quarantine"} {
		files, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			return err
		}
		for _, f := range files {
			if !strings.HasSuffix(f.Name(), ".json") || strings.HasPrefix(f.Name(), durable.TempPrefix) {
				return fmt.Errorf("%s/%s is left after a start", sub, f.Name())
			}
		}
	}
	return nil
}
