package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
	"watchpost/mail/mailtest"
)

// reading is a mail as a reader that shares no code with this program sees it.
type reading struct {
	Subject   string
	From, To  []string // as they stand in the header: A-labels, quotes
	Date      int64    // Unix seconds
	MessageID string
	Text      string
	HTML      string
	Images    []string // SHA-256 of each, in order
	Inline    []bool   // whether the HTML shows it by its Content-ID
	Defects   []string // of the structure and of every header line
}

// reader is that reader: Python's email package, its modern policy.
const reader = `
import email, email.policy, hashlib, json, sys
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
text, html = m.get_body(("plain",)), m.get_body(("html",))
html = html.get_content() if html else ""
images = [p for p in m.walk() if p.get_content_maintype() == "image"]
hashes = [hashlib.sha256(p.get_content()).hexdigest() for p in images]
date = m["date"].datetime
text = text.get_content() if text else ""
defects = []  # decoding has added its own by now
for part in m.walk():
    defects += [repr(d) for d in part.defects]
    for name, value in part.items():
        defects += [name + ": " + repr(d) for d in value.defects]
if m["subject"].count("\n"):
    defects.append("a subject of two lines")
json.dump({
    "Subject": str(m["subject"]),
    "From": [a.addr_spec for a in m["from"].addresses],
    "To": [a.addr_spec for a in m["to"].addresses],
    "Date": int(date.timestamp()) if date else 0,
    "MessageID": str(m["message-id"]),
    "Text": text,
    "HTML": html,
    "Images": hashes,
    "Inline": ["cid:" + str(p["content-id"]).strip("<>") in html for p in images],
    "Defects": defects,
}, sys.stdout)
`

// read has Python read a mail.
func read(t *testing.T, eml []byte) reading {
	t.Helper()
	cmd := exec.Command(mailtest.Python(t), "-I", "-c", reader)
	cmd.Stdin = bytes.NewReader(eml)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, complaint.Bytes())
	}
	var r reading
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// check compares what was read with what was to be said. to is the header's list.
func (r reading) check(t *testing.T, m event.Mail, n event.Notice, from string, to ...string) {
	t.Helper()
	if len(r.Defects) > 0 {
		t.Errorf("defects: %q", r.Defects)
	}
	if r.Subject != m.Subject || r.MessageID != m.MessageID {
		t.Errorf("subject %q, Message-ID %q, want %q, %q", r.Subject, r.MessageID, m.Subject, m.MessageID)
	}
	if !slices.Equal(r.From, []string{from}) || !slices.Equal(r.To, to) {
		t.Errorf("from %q to %q, want %q to %q", r.From, r.To, from, to)
	}
	if d := time.Unix(r.Date, 0).Sub(m.Queued); d < -time.Hour || d > time.Hour {
		t.Errorf("Date is %v from the moment it was queued", d)
	}
	for _, s := range n.Notes { // the text wraps nothing; HTML has its own escapes
		if !strings.Contains(r.Text, s) {
			t.Errorf("the text lacks %q:\n%s", s, r.Text)
		}
	}
	if !strings.Contains(r.HTML, "<html") || !strings.Contains(r.HTML, n.Triggers()[0]) {
		t.Errorf("HTML: %s", r.HTML)
	}
	sum := sha256.Sum256(n.Images[0].JPEG)
	if want := hex.EncodeToString(sum[:]); !slices.Equal(r.Images, []string{want}) || !slices.Equal(r.Inline, []bool{true}) {
		t.Errorf("images %v, inline %v, want %s", r.Images, r.Inline, want)
	}
}

// The reader finds what is wrong: without this, its silence says nothing.
func TestReaderFindsDefects(t *testing.T) {
	for name, eml := range map[string]string{
		"no boundary":   "From: <a@example.test>\r\nTo: <b@example.test>\r\nSubject: x\r\nDate: Tue, 24 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nnothing\r\n",
		"bad address":   "From: <a@@example.test\r\nTo: <b@example.test>\r\nSubject: x\r\nDate: Tue, 24 Nov 2026 09:00:00 +0000\r\n\r\nx\r\n",
		"bad date":      "From: <a@example.test>\r\nTo: <b@example.test>\r\nSubject: x\r\nDate: someday\r\n\r\nx\r\n",
		"broken base64": "From: <a@example.test>\r\nTo: <b@example.test>\r\nSubject: x\r\nDate: Tue, 24 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n/9j/4\r\n--b--\r\n",
	} {
		if r := read(t, []byte(eml)); len(r.Defects) == 0 {
			t.Errorf("%s: no defect found: %+v", name, r)
		}
	}
}
