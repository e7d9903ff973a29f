package mail

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os/exec"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/need"
)

// tiny stands for a JPEG where only its bytes matter.
var tiny = append([]byte{0xff, 0xd8, 0xff, 0xe0}, bytes.Repeat([]byte("picture"), 500)...)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func testConfig() config.Config {
	return config.Config{
		Site: config.Site{Name: "Gate 3"},
		SMTP: config.SMTP{Server: "localhost", Port: 25},
		Mail: config.Mail{ReplyAddress: "camera@example.test", Destinations: []string{"guard@example.test"}, Subject: "CameraNotification"},
	}
}

func alarm(id string, at time.Time) event.Notice {
	return event.Notice{ID: id, Kind: event.Alarm, At: at, Event: "20261123-205107-1",
		Gathered: event.Gather(event.Firing{Seq: 7, Trigger: "yard", Source: event.Motion, At: at, Level: 4.25}),
		Images:   []event.Image{{At: at.Add(400 * time.Millisecond), JPEG: tiny}, {At: at, JPEG: tiny}},
		Notes:    []string{"The second image was not kept."}}
}

// parsed is a mail taken apart by the standard library.
type parsed struct {
	header     mail.Header
	text, html string
	images     map[string][]byte // by Content-ID
	fileNames  []string
}

func parse(t testing.TB, eml []byte) parsed {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(eml))
	if err != nil {
		t.Fatalf("not a mail: %v\n%s", err, eml)
	}
	p := parsed{header: m.Header, images: map[string][]byte{}}
	var walk func(contentType, encoding, id, disposition string, r io.Reader)
	walk = func(contentType, encoding, id, disposition string, r io.Reader) {
		kind, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatalf("Content-Type %q: %v", contentType, err)
		}
		if strings.HasPrefix(kind, "multipart/") {
			for mr := multipart.NewReader(r, params["boundary"]); ; {
				part, err := mr.NextRawPart()
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				walk(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"),
					part.Header.Get("Content-ID"), part.Header.Get("Content-Disposition"), part)
			}
		}
		switch encoding {
		case "quoted-printable":
			r = quotedprintable.NewReader(r)
		case "base64":
			r = base64.NewDecoder(base64.StdEncoding, r)
		default:
			t.Fatalf("encoding %q", encoding)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case "text/plain":
			p.text = string(b)
		case "text/html":
			p.html = string(b)
		case "image/jpeg":
			p.images[id] = b
			_, d, _ := mime.ParseMediaType(disposition)
			p.fileNames = append(p.fileNames, d["filename"])
		default:
			t.Fatalf("a part of type %s", kind)
		}
	}
	walk(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), "", "", m.Body)
	return p
}

// checkWire holds what RFC 5321 demands of the bytes.
func checkWire(t testing.TB, l letter) {
	t.Helper()
	if !bytes.HasSuffix(l.bytes, []byte("\r\n")) {
		t.Error("does not end with CRLF")
	}
	for line := range bytes.SplitSeq(bytes.TrimSuffix(l.bytes, []byte("\r\n")), []byte("\r\n")) {
		if bytes.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("a bare CR, LF or NUL in %q", line)
		}
		if len(line) > 998 {
			t.Fatalf("a line of %d octets", len(line))
		}
		if i := bytes.IndexFunc(line, func(r rune) bool { return r > '~' }); i >= 0 && !l.utf8 {
			t.Fatalf("8-bit octets in %q", line)
		}
	}
}

func subjectOf(t testing.TB, p parsed) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(p.header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestComposeAlarm(t *testing.T) {
	zone := berlin(t)
	at := time.Date(2026, 11, 23, 19, 51, 7, 512_900_000, time.UTC)
	c := testConfig()
	c.Mail.Destinations = []string{"guard@example.test", "ops@exämple.de", "x@[IPv6:2001:db8::1]"}
	l, err := compose(alarm("alarm-7", at), form{letterhead: letterheadOf(c, zone), version: "1.2", date: at})
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, l)
	p := parse(t, l.bytes)
	for name, want := range map[string]string{
		"Subject":             "CameraNotification:20261123205107512",
		"From":                "<camera@example.test>",
		"To":                  "<guard@example.test>, <ops@xn--exmple-cua.de>, <x@[IPv6:2001:db8::1]>",
		"Date":                "Mon, 23 Nov 2026 20:51:07 +0100",
		"Auto-Submitted":      "auto-generated",
		"User-Agent":          "Watchpost/1.2",
		"X-Watchpost-Event":   "20261123-205107-1",
		"X-Watchpost-Firings": "7",
		"Mime-Version":        "1.0",
		"Message-Id":          l.messageID,
	} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(l.messageID, "<alarm-7.") || !strings.HasSuffix(l.messageID, "@example.test>") {
		t.Errorf("Message-ID %s", l.messageID)
	}
	for _, want := range []string{"Gate 3", "yard", "motion detection", "4.25 %", "Monday, 23 November 2026, 20:51:07.512 CET (UTC+01:00)",
		"20261123-205107-1", "taken 20:51:07.912, 0.400 s after the trigger", "The second image was not kept."} {
		if !strings.Contains(p.text, want) {
			t.Errorf("the text lacks %q:\n%s", want, p.text)
		}
		if !strings.Contains(p.html, want) {
			t.Errorf("the HTML lacks %q", want)
		}
	}
	if len(p.images) != 1 || p.fileNames[0] != "20261123205107912.jpg" {
		t.Fatalf("%d images, file names %q", len(p.images), p.fileNames)
	}
	for id, b := range p.images {
		if !bytes.Equal(b, tiny) {
			t.Error("the image's bytes have changed")
		}
		if !strings.Contains(p.html, `"cid:`+strings.Trim(id, "<>")+`"`) {
			t.Errorf("the HTML does not show %s", id)
		}
	}
}

func TestComposeSummary(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	n := event.Notice{ID: "summary-1", Kind: event.Summary, At: at}
	for i := range 3000 {
		n.Add(event.Firing{Seq: uint64(i + 1), Trigger: "yard", Source: event.Motion, At: at.Add(time.Duration(i) * time.Second)})
	}
	for range 9 {
		n.Images = append(n.Images, event.Image{At: at, JPEG: tiny})
	}
	l, err := compose(n, form{letterhead: letterheadOf(testConfig(), time.UTC), date: at})
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, l)
	p := parse(t, l.bytes)
	if len(p.images) != summaryImages {
		t.Errorf("%d images", len(p.images))
	}
	for _, want := range []string{"3000 times", "2026-07-01 12:00:00.000", "2026-07-01 12:00:31.000", "2026-07-01 12:49:59.000", "and 2936 more"} {
		if !strings.Contains(p.text, want) {
			t.Errorf("the text lacks %q:\n%.2000s", want, p.text)
		}
	}
	if n := strings.Count(p.text, "yard\n"); n > 70 {
		t.Errorf("the text lists %d times", n)
	}
	if got := p.header.Get("X-Watchpost-Firings"); got != "1-3000" {
		t.Errorf("firings in the header: %q", got)
	}
}

func TestSubject(t *testing.T) {
	zone := berlin(t)
	summer := time.Date(2009, 6, 18, 17, 30, 20, 500_000_000, zone)
	winter := time.Date(2009, 12, 18, 17, 30, 20, 7_000_000, zone)
	long := strings.Repeat("x", 44)
	for _, c := range []struct {
		subject string
		mark    bool
		at      time.Time
		want    string
		oneLine bool // in the header, at most 72 columns
	}{
		{"CameraNotification", false, summer, "CameraNotification:20090618173020500", true}, // the manual's own example
		{"CameraNotification", true, summer, "CameraNotification:20090618s173020500", true},
		{"CameraNotification", true, winter, "CameraNotification:20091218173020007", true},
		{long, true, summer, long + ":20090618s173020500", true},
		{"a b c d e f g h i j k l m n o p q r s t u v ", true, summer, "a b c d e f g h i j k l m n o p q r s t u v :20090618s173020500", true},
		{"two  spaces", false, summer, "two  spaces:20090618173020500", true},
		{strings.Repeat("ä", 44), false, summer, strings.Repeat("ä", 44) + ":20090618173020500", false},
		{"=?utf-8?q?x?=", false, summer, "=?utf-8?q?x?=:20090618173020500", false},
		{"👩\u200d👩\u200d👧 Tür", false, summer, "👩\u200d👩\u200d👧 Tür:20090618173020500", false},
		{"a\r\nBcc: x@example.test", false, summer, "a  Bcc: x@example.test:20090618173020500", true},
	} {
		cfg := testConfig()
		cfg.Mail.Subject, cfg.Mail.DSTMark = c.subject, c.mark
		l, err := compose(alarm("a-1", c.at), form{letterhead: letterheadOf(cfg, zone), date: c.at})
		if err != nil {
			t.Fatal(err)
		}
		if l.subject != c.want {
			t.Errorf("%q: subject %q, want %q", c.subject, l.subject, c.want)
		}
		if got := subjectOf(t, parse(t, l.bytes)); got != c.want {
			t.Errorf("%q: decoded %q, want %q", c.subject, got, c.want)
		}
		raw, _, _ := strings.Cut(string(l.bytes[bytes.Index(l.bytes, []byte("Subject: ")):]), "\r\n")
		if c.oneLine && raw != "Subject: "+c.want || len(raw) > 76 {
			t.Errorf("%q: the header line is %q", c.subject, raw)
		}
	}
}

// A firing read back from the journal has a zone without a name and without
// rules; the stamp still knows summer time.
func TestSubjectOfATimeFromJSON(t *testing.T) {
	zone := berlin(t)
	b, err := json.Marshal(time.Date(2026, 7, 1, 12, 0, 0, 0, zone))
	if err != nil {
		t.Fatal(err)
	}
	var at time.Time
	if err := json.Unmarshal(b, &at); err != nil {
		t.Fatal(err)
	}
	c := testConfig()
	c.Mail.DSTMark = true
	l, err := compose(alarm("a-1", at), form{letterhead: letterheadOf(c, zone), date: at})
	if err != nil {
		t.Fatal(err)
	}
	if want := "CameraNotification:20260701s120000000"; l.subject != want {
		t.Errorf("%q, want %q", l.subject, want)
	}
}

func TestComposeNeedsAConfiguration(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"no reply":        func(c *config.Config) { c.Mail.ReplyAddress = "" },
		"no destination":  func(c *config.Config) { c.Mail.Destinations = nil },
		"bad reply":       func(c *config.Config) { c.Mail.ReplyAddress = "nobody" },
		"bad destination": func(c *config.Config) { c.Mail.Destinations = []string{"a@example.test\r\nX: y"} },
	} {
		c := testConfig()
		change(&c)
		if _, err := compose(alarm("a-1", time.Now()), form{letterhead: letterheadOf(c, nil)}); err == nil {
			t.Errorf("%s: composed", name)
		}
	}
}

func TestUTF8LocalParts(t *testing.T) {
	c := testConfig()
	c.Mail.Destinations = []string{"wächter@example.test", "guard@example.test"}
	l, err := compose(alarm("a-1", time.Now()), form{letterhead: letterheadOf(c, nil)})
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, l)
	if l.utf8 || parse(t, l.bytes).header.Get("To") != "<guard@example.test>" || len(l.envelope) != 2 {
		t.Errorf("utf8 %v, envelope %q", l.utf8, l.envelope)
	}
	c.Mail.Destinations = c.Mail.Destinations[:1]
	if l, err = compose(alarm("a-1", time.Now()), form{letterhead: letterheadOf(c, nil)}); err != nil || !l.utf8 {
		t.Errorf("alone: utf8 %v, %v", l.utf8, err)
	}
}

// TestPythonReadsIt has an independent reader take a mail apart.
func TestPythonReadsIt(t *testing.T) {
	python := need.Program(t, "python3", "python3")
	c := testConfig()
	c.Mail.Subject = "Tür " + strings.Repeat("ü", 30)
	c.Site.Name = "Tor „3“"
	l, err := compose(alarm("a-1", time.Date(2026, 11, 23, 20, 51, 7, 0, time.UTC)), form{letterhead: letterheadOf(c, time.UTC), date: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", `
import sys, json, email, email.policy
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
parts = list(m.walk())
print(json.dumps({"subject": m["Subject"], "types": [p.get_content_type() for p in parts],
  "defects": [str(d) for p in parts for d in p.defects], "text": parts[2].get_content(),
  "image": len(parts[4].get_content()), "id": parts[4]["Content-ID"]}))`)
	cmd.Stdin = bytes.NewReader(l.bytes)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got struct {
		Subject, Text, ID string
		Types, Defects    []string
		Image             int
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got.Subject != l.subject || len(got.Defects) > 0 || got.Image != len(tiny) || !strings.Contains(got.Text, "Tor „3“: yard fired.") {
		t.Errorf("%+v", got)
	}
	if want := "[multipart/related multipart/alternative text/plain text/html image/jpeg]"; fmt.Sprint(got.Types) != want {
		t.Errorf("parts %v, want %v", got.Types, want)
	}
}

// FuzzCompose: whatever the words are, the mail parses back with one subject
// and no header that is not ours.
func FuzzCompose(f *testing.F) {
	f.Add("CameraNotification", "Gate 3", "note", "yard", "camera@example.test", int64(0))
	f.Add("ä\r\nBcc: x@y\r\n\r\nbody", "<script>\x00", "\r\n.\r\n", "=?utf-8?q?=0d?=", "\"a b\"@[192.0.2.1]", int64(1e15))
	f.Add("\xff\xfe \t", "\u202e", "--\r\n--", "\u2028", "ü@exämple.de", int64(-1))
	f.Add(strings.Repeat("s", 3000), strings.Repeat("v", 3000), strings.Repeat("n ", 3000), strings.Repeat("t", 3000), "a@b.example", int64(2))
	f.Fuzz(func(t *testing.T, subject, site, note, trigger, from string, ns int64) {
		c := testConfig()
		c.Mail.Subject, c.Site.Name, c.Mail.ReplyAddress, c.Mail.DSTMark = subject, site, from, ns%2 == 0
		n := alarm("a-1", time.Unix(0, ns).UTC())
		n.Notes, n.Firings[0].Trigger, n.Event = []string{note}, trigger, note
		l, err := compose(n, form{letterhead: letterheadOf(c, nil), version: site, date: n.At})
		if err != nil {
			return // the address
		}
		checkWire(t, l)
		p := parse(t, l.bytes)
		if got := subjectOf(t, p); strings.TrimSpace(got) != strings.TrimSpace(l.subject) {
			t.Errorf("subject %q, want %q", got, l.subject)
		}
		if !strings.HasSuffix(l.subject, ":"+config.Stamp(n.At, c.Mail.DSTMark)) {
			t.Errorf("subject %q", l.subject)
		}
		for name, values := range p.header {
			switch name {
			case "Subject", "From", "To", "Date", "Message-Id", "Mime-Version", "Auto-Submitted", "User-Agent",
				"X-Watchpost-Event", "X-Watchpost-Firings", "Content-Type":
				if len(values) != 1 {
					t.Errorf("%d headers %s", len(values), name)
				}
			default:
				t.Errorf("a header %s: %q", name, values)
			}
		}
		if len(p.images) != 1 || p.text == "" || p.html == "" {
			t.Error("a part is missing")
		}
	})
}

// A mail of an event's images has all of them, in their order, says which event and
// which part it is, goes to its own destinations, and counts as no firing's mail.
func TestComposeImages(t *testing.T) {
	at := time.Date(2026, 11, 23, 19, 51, 7, 512_000_000, time.UTC)
	n := event.Notice{ID: "00000007-images-1", Kind: event.Images, At: at, Event: "00000007-20261123T205107", Title: "yard",
		Notes: []string{"Part 1 of 3 of the event's 60 images."}, Destinations: []string{"ops@example.test"}}
	for i := range 20 {
		n.Images = append(n.Images, event.Image{At: at.Add(time.Duration(i-2) * time.Second), JPEG: append(bytes.Clone(tiny), byte(i))})
	}
	l, err := compose(n, form{letterhead: letterheadOf(testConfig(), berlin(t)).of(n), version: "1.2", date: at})
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, l)
	p := parse(t, l.bytes)
	if got := subjectOf(t, p); got != "CameraNotification:20261123205107512" {
		t.Error(got)
	}
	if len(p.images) != 20 || len(l.images) != 20 || p.fileNames[0] != "20261123205105512.jpg" || p.fileNames[19] != "20261123205124512.jpg" {
		t.Errorf("%d images: %v", len(p.images), p.fileNames)
	}
	for _, want := range []string{"Gate 3: images of trigger yard.", "00000007-20261123T205107", "Part 1 of 3 of the event's 60 images.", "Monday, 23 November 2026, 20:51:07.512 CET"} {
		if !strings.Contains(p.text, want) {
			t.Errorf("%q is not in\n%s", want, p.text)
		}
	}
	if p.header.Get("To") != "<ops@example.test>" || p.header.Get("X-Watchpost-Firings") != "" || p.header.Get("X-Watchpost-Event") != n.Event {
		t.Errorf("%v", p.header)
	}
	if images, err := imagesOf(bytes.NewReader(l.bytes), nil, mostImages(n.Kind)); err != nil || len(images) != 20 || !bytes.Equal(images[19].JPEG, n.Images[19].JPEG) {
		t.Errorf("%d images read back: %v", len(images), err)
	}
}
