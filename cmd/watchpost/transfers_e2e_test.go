package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/event"
	"watchpost/mail/mailtest"
	"watchpost/mail/transfer/transfertest"
)

// places are the real servers that images go to, each by the trigger of its name.
type places struct {
	r      *rig
	ftp    *transfertest.Server
	sftp   *transfertest.Server
	web    transfertest.Nginx
	broker transfertest.Mosquitto
	post   *mailtest.Postfix
	heard  []*transfertest.Subscriber
}

// kinds are the triggers, and the transfers.
var kinds = []string{"ftp", "sftp", "web", "mqtt", "mail"}

func startPlaces(t *testing.T) *places {
	p := &places{ftp: transfertest.Vsftpd(t, ""), web: transfertest.StartNginx(t), broker: transfertest.StartMosquitto(t),
		post: mailtest.Start(t, mailtest.Options{})}
	var prints map[string]string
	p.sftp, prints = transfertest.SSHD(t, "", "ed25519")
	p.r = newRig(t, "")
	yaml := "version: 1\nsite: {name: Gate 3, time_zone: Asia/Kathmandu}\ncamera: {source: \"" + footage() + "\"}\n" + smtpTo(p.post) +
		"mail: {reply_address: gate3@example.test, destinations: [guard@example.test]}\ntransfers:\n" +
		fmt.Sprintf("  - {name: ftp, kind: ftp, server: 127.0.0.1, port: %d, username: %s, ca_file: %q}\n", p.ftp.Port, transfertest.User, p.ftp.CAFile) +
		fmt.Sprintf("  - {name: sftp, kind: sftp, server: 127.0.0.1, port: %d, username: %s, host_key: %q}\n", p.sftp.Port, transfertest.User, prints["ed25519"]) +
		fmt.Sprintf("  - {name: web, kind: http, url: \"https://127.0.0.1:%d/basic\", auth: basic, username: %s, ca_file: %q}\n", p.web.TLS, transfertest.User, p.web.CAFile) +
		fmt.Sprintf("  - {name: mqtt, kind: mqtt, server: 127.0.0.1, port: %d, security: tls, username: %s, ca_file: %q}\n", p.broker.TLS, transfertest.User, p.broker.CAFile) +
		"  - {name: mail, kind: email}\ntriggers:\n"
	secrets := fmt.Sprintf("smtp: {password: %q}\ntransfers:\n", p.post.Password)
	for _, kind := range kinds {
		yaml += fmt.Sprintf("  - {name: %s, source: manual, notify: false, pre: 3 images, post: 2s, interval: 200ms, transfer: %s}\n", kind, kind)
		if kind != "mail" {
			secrets += fmt.Sprintf("  %s: {password: %q}\n", kind, transfertest.Password)
		}
	}
	p.r.write(yaml)
	if err := os.WriteFile(filepath.Join(p.r.dir, "secrets.yaml"), []byte(secrets), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// fire fires every trigger, which has no notification, and returns the events' ids.
func (p *places) fire() (ids []string) {
	p.r.t.Helper()
	for _, kind := range kinds {
		out, errOut, _ := p.r.run("", "trigger", kind, "--json")
		id := ""
		if out != "" {
			id = unmarshal[event.Firing](p.r.t, out).EventID
		}
		if id == "" {
			p.r.t.Fatalf("trigger %s: %s%s", kind, out, errOut)
		}
		ids = append(ids, id)
	}
	return ids
}

// folder is where a trigger's images lie on its server.
func (p *places) folder(kind string) string {
	return map[string]string{"ftp": p.ftp.Home("ftp"), "sftp": p.sftp.Home("sftp"), "web": p.web.Path("www/basic/web")}[kind]
}

// transfers are the jobs as queue list tells them, by their event.
func (p *places) transfers() map[string]event.Mail {
	p.r.t.Helper()
	out, errOut, code := p.r.run("", "queue", "list", "--json")
	if code != exitOK {
		p.r.t.Fatalf("queue list: %d %s", code, errOut)
	}
	all := map[string]event.Mail{}
	for line := range strings.Lines(out) {
		if m := unmarshal[event.Mail](p.r.t, line); m.Kind == event.Transfer {
			all[m.Event] = m
		}
	}
	return all
}

func (p *places) untilDelivered(ids []string) {
	p.r.t.Helper()
	defer func() {
		for _, id := range ids {
			if m := p.transfers()[id]; p.r.t.Failed() {
				p.r.t.Logf("event %s: %s, %s %s", id, m.QueueState(), m.Subject, m.Problem)
			}
		}
	}()
	p.r.until("everything is handed over", func() bool {
		all := p.transfers()
		done := !slices.ContainsFunc(ids, func(id string) bool { m := all[id]; return m.QueueState() != "delivered" })
		q := p.r.status().Queue
		return done && q.Queued+q.Deferred == 0
	})
}

// The whole product: recorded footage goes in, and the images of five triggers
// arrive at a real vsftpd, OpenSSH, nginx, mosquitto and Postfix byte for byte as
// they lie in the store, what is known of the event last. The service is killed
// while they are on their way; then all the servers are down when it fires, and it
// is killed again before they come back.
func TestTransfers(t *testing.T) {
	p := startPlaces(t)
	p.heard = append(p.heard, p.broker.Subscribe())
	s := p.r.serve().ready()
	p.r.until("there are pictures", func() bool { return p.r.status().Camera.Frames > 20 })
	ids := p.fire()
	p.r.until("images are on their way", func() bool {
		stored := 0 // what is only in memory a kill takes along
		for _, e := range p.r.list() {
			stored += min(len(e.Images), 3) / 3
		}
		return stored == len(ids) && len(p.arrived("ftp")) > 0 && len(p.arrived("sftp")) > 0 && len(p.arrived("web")) > 0
	})
	s.stop(syscall.SIGKILL)
	s = p.r.serve().ready()
	p.untilDelivered(ids)
	p.check(ids)

	p.ftp.Kill()
	p.sftp.Kill()
	p.web.Kill()
	p.broker.Kill()
	p.post.Kill()
	p.r.until("there are pictures", func() bool { return p.r.status().Camera.Frames > 20 })
	later := p.fire()
	p.r.until("all of them wait", func() bool {
		all := p.transfers()
		return !slices.ContainsFunc(later, func(id string) bool {
			m := all[id]
			return m.QueueState() != "deferred" && !(m.Trigger == "mail" && m.QueueState() == "delivered") // the mails of that one wait instead
		}) && p.r.status().Queue.Deferred == 1
	})
	s.stop(syscall.SIGKILL)
	p.broker.Restart()
	p.heard = append(p.heard, p.broker.Subscribe()) // before what is published to it
	p.r.serve().ready()
	p.ftp.Restart()
	p.sftp.Restart()
	p.web.Restart()
	p.post.Start()
	p.untilDelivered(later)
	p.check(append(ids, later...))
	if st := p.r.status(); st.Transfers.Queued+st.Transfers.Deferred+st.Transfers.Held > 0 {
		t.Errorf("the status counts %+v", st.Transfers)
	}
}

// arrived is what lies on a trigger's server, by its path below the folder.
func (p *places) arrived(kind string) contents {
	if _, err := os.Stat(p.folder(kind)); err != nil {
		return nil
	}
	return filesIn(p.r.t, p.folder(kind))
}

// check compares what has arrived with the store.
func (p *places) check(ids []string) {
	p.r.t.Helper()
	zone, err := time.LoadLocation("Asia/Kathmandu")
	if err != nil {
		p.r.t.Fatal(err)
	}
	want := map[string]contents{} // by trigger
	mails := map[string][]string{}
	total := 0
	for _, id := range ids {
		out, errOut, code := p.r.run("", "events", "show", id, "--json")
		if code != exitOK {
			p.r.t.Fatalf("events show %s: %s", id, errOut)
		}
		e := unmarshal[event.Stored](p.r.t, out)
		stored := filesIn(p.r.t, filepath.Join(p.r.dir, "store/events", id))
		if len(e.Images) < 3 || len(stored) != len(e.Images)+1 {
			p.r.t.Errorf("event %s has %d images and %d files", id, len(e.Images), len(stored))
		}
		total += len(e.Images)
		files := want[e.Trigger]
		if files == nil {
			files = contents{}
			want[e.Trigger] = files
		}
		js := stored["event.json"]
		files[e.Start.In(zone).Format("20060102")+"/"+id+".json"] = js
		for _, im := range e.Images {
			at := im.At.In(zone)
			name := fmt.Sprintf("%s/%s-%s.jpg", at.Format("20060102"), e.Trigger, strings.Replace(at.Format("20060102150405.000"), ".", "", 1))
			files[name] = stored[im.File]
			if e.Trigger == "mail" {
				mails[id] = append(mails[id], stored[im.File])
			}
		}
		switch e.Trigger {
		case "mqtt":
			p.checkBroker(e, stored[e.Images[len(e.Images)-1].File])
		case "ftp", "sftp", "web":
			p.checkLast(e, filepath.Join(p.folder(e.Trigger), e.Start.In(zone).Format("20060102")))
		}
	}
	for _, kind := range []string{"ftp", "sftp", "web"} {
		if d := want[kind].differ(p.arrived(kind)); d != "" {
			p.r.t.Errorf("%s: %s", kind, d)
		}
	}
	p.checkMails(mails)
	p.r.t.Logf("%d events, %d images", len(ids), total)
}

// checkLast checks that an event's JSON came after its images: by when the files
// were given their names.
func (p *places) checkLast(e event.Stored, dir string) {
	p.r.t.Helper()
	named := func(path string) time.Time {
		st, err := os.Stat(path)
		if err != nil {
			p.r.t.Fatal(err)
		}
		c := st.Sys().(*syscall.Stat_t).Ctim
		return time.Unix(c.Unix())
	}
	last := named(filepath.Join(dir, e.ID+".json"))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		for _, im := range e.Images {
			stamp := strings.Replace(im.At.Format("20060102150405.000"), ".", "", 1)
			if err == nil && strings.HasSuffix(path, stamp+".jpg") && named(path).After(last) {
				p.r.t.Errorf("%s came after %s.json", path, e.ID)
			}
		}
		return err
	})
	if err != nil {
		p.r.t.Fatal(err)
	}
}

// checkBroker checks what was published of an event: its last image, and then what
// is known of it.
func (p *places) checkBroker(e event.Stored, newest string) {
	p.r.t.Helper()
	const topic = "watchpost/Gate_3/mqtt"
	image := ""
	for _, sub := range p.heard {
		for _, m := range sub.Heard() {
			if m.Topic == topic+"/image" {
				image = string(m.Payload)
			}
			if m.Topic != topic+"/event" {
				continue
			}
			if got := unmarshal[event.Stored](p.r.t, string(m.Payload)); got.ID == e.ID {
				if fmt.Sprint(got) != fmt.Sprint(e) {
					p.r.t.Errorf("published is %+v, stored %+v", got, e)
				}
				if image != newest {
					p.r.t.Errorf("the image before event %s is not its last one", e.ID)
				}
				return
			}
		}
	}
	p.r.t.Errorf("event %s was not published", e.ID)
}

// checkMails checks that each event came in a mail with all its images; one that
// came twice is the same.
func (p *places) checkMails(want map[string][]string) {
	p.r.t.Helper()
	texts, came := map[string][]byte{}, map[string][]string{}
	for _, raw := range p.post.WaitMails(len(want), patience) {
		sent := mailtest.Strip(raw)
		m, err := mail.ReadMessage(bytes.NewReader(sent))
		if err != nil {
			p.r.t.Fatal(err)
		}
		if m.Header.Get("X-Watchpost-Event") == "" {
			continue // the box tells of itself: the power, or the service, was gone
		}
		id := m.Header.Get("Message-ID")
		if before, ok := texts[id]; ok && !bytes.Equal(before, sent) {
			p.r.t.Errorf("two mails of %s differ", id)
		}
		if texts[id] != nil {
			continue
		}
		texts[id] = sent
		body, err := io.ReadAll(m.Body)
		if err != nil {
			p.r.t.Fatal(err)
		}
		_, images := parts(p.r.t, m.Header.Get("Content-Type"), bytes.NewReader(body))
		for _, im := range images {
			event := m.Header.Get("X-Watchpost-Event")
			came[event] = append(came[event], string(im))
		}
	}
	for id, images := range want {
		if !slices.Equal(came[id], images) {
			p.r.t.Errorf("event %s: %d images came by mail, not its %d", id, len(came[id]), len(images))
		}
	}
}
