package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/need"
	"watchpost/mail/mailtest"
)

// smtpTo is the smtp section for the server's submission port: STARTTLS and AUTH.
func smtpTo(pf *mailtest.Postfix) string {
	return fmt.Sprintf("smtp: {server: %s, port: %d, security: starttls, username: %q, ca_file: %q}\n",
		mailtest.Host, pf.Submission, pf.User, pf.CAFile)
}

// footage is the camera source for a recorded visit, or the generated scene.
func footage() string {
	if clips := need.Clips(); clips != "" {
		return "clip:" + filepath.Join(clips, "one-by-one-person-detection.mp4")
	}
	return "scene:"
}

// Real footage goes in and the manual's e-mail arrives at a real Postfix, byte
// for byte as it lies in the spool.
func TestFootageToMail(t *testing.T) {
	pf := mailtest.Start(t, mailtest.Options{})
	if need.Clips() != "" {
		need.Program(t, "ffmpeg", "ffmpeg")
	}
	r := newRig(t, "")
	r.write("version: 1\nsite: {name: Gate 3, time_zone: Asia/Kathmandu}\ncamera: {source: \"" + footage() + "\"}\n" + smtpTo(pf) +
		`mail: {reply_address: gate3@example.test, destinations: [guard@example.test, ops@example.test, "\"night shift\"@example.test"], subject: CameraNotification}
triggers: [{name: yard, source: motion, post: 2s}]`)
	r.secret(pf.Password)
	s := r.serve().ready()
	all := pf.WaitMails(1, patience)
	r.until("the account says mailed", func() bool { return r.status().Triggers[0].Mailed >= 1 })
	r.until("the mail is in delivered", func() bool {
		files, _ := filepath.Glob(filepath.Join(r.dir, "store/spool/delivered/*.eml"))
		return len(files) >= 1
	})
	st := r.status()
	s.stop(syscall.SIGTERM)

	sent := mailtest.Strip(all[0])
	files, _ := filepath.Glob(filepath.Join(r.dir, "store/spool/delivered/*-alarm.eml"))
	spooled, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sent, spooled) {
		t.Errorf("what arrived differs from the spool:\n%.2000s\n---\n%.2000s", sent, spooled)
	}
	m, err := mail.ReadMessage(bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	subject := m.Header.Get("Subject")
	stamp := regexp.MustCompile(`^CameraNotification:([0-9]{17})$`).FindStringSubmatch(subject)
	if stamp == nil {
		t.Fatalf("subject %q", subject)
	}
	zone, _ := time.LoadLocation("Asia/Kathmandu")
	at := st.Triggers[0].Last
	if want := at.In(zone).Format("20060102150405.000"); stamp[1] != strings.Replace(want, ".", "", 1) && st.Triggers[0].Fired == 1 {
		t.Errorf("stamp %s, the trigger was at %s", stamp[1], want)
	}
	if from := m.Header.Get("From"); !strings.Contains(from, "gate3@example.test") {
		t.Errorf("From %q", from)
	}
	to, err := m.Header.AddressList("To")
	if err != nil || len(to) != 3 || to[2].Address != "night shift@example.test" {
		t.Errorf("To %v, %v", to, err)
	}
	text, images := parts(t, m.Header.Get("Content-Type"), m.Body)
	for _, w := range []string{"Gate 3", "yard", "motion"} {
		if !strings.Contains(text, w) {
			t.Errorf("the text does not say %q:\n%s", w, text)
		}
	}
	if len(images) != 1 || !bytes.HasPrefix(images[0], []byte{0xff, 0xd8}) {
		t.Errorf("%d inline images", len(images))
	}
	events, _, code := r.run("", "events", "list")
	if code != exitOK || !strings.Contains(events, "yard") {
		t.Errorf("events list: %d %s", code, events)
	}
	shown, _, code := r.run("", "events", "show", m.Header.Get("X-Watchpost-Event"), "--json")
	if code != exitOK {
		t.Fatalf("events show: %d %s", code, shown)
	}
	before, after := 0, 0
	for _, im := range unmarshal[event.Stored](t, shown).Images {
		data, err := os.ReadFile(filepath.Join(r.dir, "store/events", m.Header.Get("X-Watchpost-Event"), im.File))
		if err != nil || len(data) != im.Bytes {
			t.Errorf("%s: %v", im.File, err)
		}
		if im.At.Before(unmarshal[event.Stored](t, shown).Start) {
			before++
		} else {
			after++
		}
	}
	if before != 5 || after < 2 {
		t.Errorf("the event keeps %d images from before and %d from after the trigger", before, after)
	}
	if dir := os.Getenv("WATCHPOST_KEEP"); dir != "" {
		os.WriteFile(filepath.Join(dir, "arrived.eml"), all[0], 0o644)
	}
}

// parts returns the plain text and the images of a mail.
func parts(t *testing.T, contentType string, body io.Reader) (text string, images [][]byte) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		return "", nil
	}
	r := multipart.NewReader(body, params["boundary"])
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return text, images
		}
		if err != nil {
			t.Fatal(err)
		}
		switch kind := p.Header.Get("Content-Type"); {
		case strings.HasPrefix(kind, "multipart/"):
			sub, more := parts(t, kind, p)
			text, images = text+sub, append(images, more...)
		case strings.HasPrefix(kind, "text/plain"):
			b, _ := io.ReadAll(p)
			text += string(b)
		case strings.HasPrefix(kind, "image/"):
			images = append(images, decodeBase64(t, p))
		}
	}
}

// The program is killed at random moments, 50 times, while triggers fire. Every
// firing that was acknowledged arrives; nothing arrives twice but byte for byte the same.
func TestSIGKILL(t *testing.T) {
	pf := mailtest.Start(t, mailtest.Options{})
	r := newRig(t, "")
	yaml := "version: 1\nsite: {name: Gate 3, time_zone: UTC}\ncamera: {source: \"scene:\"}\n" + smtpTo(pf) +
		"mail: {reply_address: gate3@example.test, destinations: [guard@example.test], subject: Kill, hold_off: 0s, picture_wait: 100ms}\ntriggers:\n"
	for i := range 5 {
		yaml += fmt.Sprintf("  - {name: t%d, source: manual, post: 0s, pre: 1 images}\n", i)
	}
	r.write(yaml)
	r.secret(pf.Password)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	const kills = 50
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	for kill := range kills {
		s := r.serve()
		if kill%2 == 0 { // half of them at any moment of a start, half of them once it runs
			s.ready()
		}
		time.AfterFunc(time.Duration(rng.IntN(900))*time.Millisecond, func() { s.cmd.Process.Kill() })
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				for alive := true; alive; {
					select {
					case <-s.done:
						alive = false
					default:
					}
					if out, _, code := r.run("", "trigger", fmt.Sprintf("t%d", i), "--json"); code == exitOK {
						mu.Lock()
						acknowledged[out] = true
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
	}
	r.serve().ready()
	r.until("nothing waits", func() bool {
		q := r.status().Queue
		return q.Queued+q.Deferred == 0
	})
	pf.Idle(patience)
	var fired, mailed uint64
	for _, tr := range r.status().Triggers {
		fired += tr.Fired
		mailed += tr.Mailed + tr.Summarised + tr.Extended
	}
	if fired != mailed {
		t.Errorf("fired %d, mailed, summarised and extended %d: %+v", fired, mailed, r.status().Triggers)
	}
	// Which firings the mails in the mailbox tell of.
	told := map[string]string{}   // firing to Message-ID
	bodies := map[string][]byte{} // Message-ID to the mail
	duplicates := 0
	all := pf.Mails()
	for _, raw := range all {
		sent := mailtest.Strip(raw)
		m, err := mail.ReadMessage(bytes.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		id := m.Header.Get("Message-ID")
		if before, ok := bodies[id]; ok {
			duplicates++
			if !bytes.Equal(before, sent) {
				t.Errorf("two mails of %s differ", id)
			}
		}
		bodies[id] = sent
		for _, seq := range strings.Split(m.Header.Get("X-Watchpost-Firings"), ",") {
			seq = strings.TrimSpace(seq)
			if other, ok := told[seq]; ok && other != id {
				t.Errorf("firing %s was mailed as %s and as %s", seq, other, id)
			}
			told[seq] = id
		}
	}
	missing, extended := 0, 0
	for ack := range acknowledged {
		f := unmarshal[event.Firing](t, ack)
		switch {
		case f.Disposition == event.Extended:
			extended++
		case told[fmt.Sprint(f.Seq)] == "":
			missing++
			t.Errorf("firing %d of %s was acknowledged and never arrived", f.Seq, f.Trigger)
		}
	}
	t.Logf("%d kills: %d firings acknowledged (%d of them extended an event), %d accepted, %d mails arrived, %d of them duplicates, %d missing",
		kills, len(acknowledged), extended, fired, len(all), duplicates, missing)
	if len(acknowledged) == 0 {
		t.Error("no firing was acknowledged in any life")
	}
	if uint64(len(told)) != mailed-countExtended(r) {
		t.Errorf("mails tell of %d firings, the account of %d", len(told), mailed-countExtended(r))
	}
}

func countExtended(r *rig) (n uint64) {
	for _, tr := range r.status().Triggers {
		n += tr.Extended
	}
	return n
}

// A mail server that is not there: the mail waits, the screen says why, and it
// goes when the server comes; test-mail says so in its exit code.
func TestServerComesLater(t *testing.T) {
	pf := mailtest.Start(t, mailtest.Options{})
	pf.Stop()
	r := newRig(t, "")
	r.write("version: 1\ncamera: {source: \"scene:\"}\n" + smtpTo(pf) +
		"mail: {reply_address: gate3@example.test, destinations: [guard@example.test]}\ntriggers: [{name: bell, source: manual}]")
	r.secret(pf.Password)
	r.serve().ready()
	if out, errOut, code := r.run("", "trigger", "bell"); code != exitOK || out == "" {
		t.Fatalf("trigger: %d %s%s", code, out, errOut)
	}
	out, _, code := r.run("", "test-mail", "--json", "--timeout", "3s")
	if code != exitTimeout || !strings.Contains(out, `"ok":false`) || !strings.Contains(out, `"step":"tcp"`) {
		t.Errorf("test-mail: %d %s", code, out)
	}
	r.until("the status says why the mail waits", func() bool {
		s := r.status()
		return s.Queue.Queued+s.Queue.Deferred == 2 && strings.Contains(strings.Join(s.Problems, "\n"), "mail:")
	})
	if out, _, code = r.run("", "doctor"); code != exitFailed {
		t.Errorf("doctor: %d %s", code, out)
	}
	pf.Start()
	pf.WaitMails(2, patience)
	r.until("nothing waits", func() bool { q := r.status().Queue; return q.Queued+q.Deferred == 0 && q.Delivered == 2 })
	if out, _, code = r.run("", "test-mail", "--json"); code != exitOK || !strings.Contains(out, `"queue_id":"test-`) {
		t.Errorf("test-mail: %d %s", code, out)
	}
	if out, _, code = r.run("", "doctor", "--json"); code != exitOK || !strings.HasSuffix(out, "{\"ok\":true}\n") || strings.Contains(out, pf.Password) {
		t.Errorf("doctor: %d %s", code, out)
	}
}

// What the server refuses for good is held and shown with its words, never
// deleted; the other recipients have theirs. Retry delivers it, drop gives it up.
func TestRefusedIsHeld(t *testing.T) {
	pf := mailtest.Start(t, mailtest.Options{})
	pf.Reject("ops@example.test", 550)
	r := newRig(t, "")
	r.write("version: 1\ncamera: {source: \"scene:\"}\n" + smtpTo(pf) +
		"mail: {reply_address: gate3@example.test, destinations: [ops@example.test], hold_off: 0s}\ntriggers: [{name: bell, source: manual, post: 0s}]")
	r.secret(pf.Password)
	s := r.serve().ready()
	held := func(n uint64) func() bool {
		return func() bool { st := r.status(); return st.Triggers[0].Held == n && st.Queue.Held == int(n) }
	}
	fire := func() {
		t.Helper()
		if out, errOut, code := r.run("", "trigger", "bell"); code != exitOK {
			t.Fatalf("trigger: %d %s%s", code, out, errOut)
		}
	}
	fire()
	r.until("one mail is held", held(1))
	fire()
	r.until("two mails are held", held(2))
	if st := r.status(); !strings.Contains(strings.Join(st.Problems, "\n"), "held") {
		t.Errorf("problems: %v", st.Problems)
	}
	s.stop(syscall.SIGKILL)
	out, errOut, code := r.run("", "queue", "list") // on the files, the service is down
	if code != exitOK || strings.Count(out, "held") != 2 {
		t.Fatalf("queue list: %d %s%s", code, out, errOut)
	}
	r.serve().ready()
	r.until("they are held after a crash too", held(2))
	if out, _, code = r.run("", "queue", "show", "00000001-alarm"); code != exitOK || !strings.Contains(out, "550") {
		t.Errorf("queue show: %d %s", code, out)
	}
	if out, errOut, code = r.run("", "queue", "drop", "00000002-alarm"); code != exitOK {
		t.Errorf("queue drop: %d %s%s", code, out, errOut)
	}
	pf.Reject("ops@example.test", 0)
	if out, errOut, code = r.run("", "queue", "retry"); code != exitOK {
		t.Errorf("queue retry: %d %s%s", code, out, errOut)
	}
	pf.WaitMails(1, patience)
	r.until("one is mailed, one dropped", func() bool {
		tr := r.status().Triggers[0]
		return tr.Mailed == 1 && tr.Dropped == 1 && tr.Held == 0 && tr.Fired == 2
	})
	if _, errOut, code = r.run("", "queue", "drop", "nothing"); code != exitFailed || !strings.Contains(errOut, "not found") {
		t.Errorf("queue drop of what is not there: %d %q", code, errOut)
	}
}
