package mail

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// ErrNotConfigured says that there is no server, no reply address or no
// destination yet: a notice cannot be composed.
var ErrNotConfigured = errors.New("mail is not configured: it needs a server, a reply address and a destination")

const (
	summaryImages = 9        // thumbnails in a summary or digest; an alarm has one image
	allImages     = 200      // in a mail of an event's images
	imageBytes    = 14 << 20 // images of one mail together: 20 MB once they are base64
)

// letterhead is what a mail shows of the configuration. It is kept with the mail,
// so that it can be rendered again, smaller, whatever the configuration is then.
type letterhead struct {
	Site         string   `json:"site,omitempty"`
	Zone         string   `json:"zone,omitempty"` // of every stamp; empty: each time's own
	ReplyAddress string   `json:"reply_address"`
	Destinations []string `json:"destinations"`
	Subject      string   `json:"subject"`
	DSTMark      bool     `json:"dst_mark,omitempty"`
}

func letterheadOf(c config.Config, zone *time.Location) letterhead {
	h := letterhead{Site: c.Site.Name, ReplyAddress: c.Mail.ReplyAddress,
		Destinations: c.Mail.Destinations, Subject: c.Mail.Subject, DSTMark: c.Mail.DSTMark}
	if zone != nil {
		h.Zone = zone.String()
	}
	return h
}

// of is the letterhead of n, which may have its own destinations and subject.
func (h letterhead) of(n event.Notice) letterhead {
	if len(n.Destinations) > 0 {
		h.Destinations = n.Destinations
	}
	if n.Subject != "" {
		h.Subject = n.Subject
	}
	return h
}

// form is what a notice is rendered with.
type form struct {
	letterhead
	version   string
	date      time.Time
	messageID string // empty: a new one
	note      string // one more sentence for the text
}

// in is t in the letterhead's zone.
func (h letterhead) in(t time.Time) time.Time {
	if h.Zone != "" {
		if zone, err := time.LoadLocation(h.Zone); err == nil {
			return t.In(zone)
		}
	}
	return t
}

// letter is a rendered mail with its envelope.
type letter struct {
	subject    string
	messageID  string        // with its angle brackets
	from       string        // envelope form: the domain as A-labels
	recipients []string      // as configured
	envelope   []string      // recipients in envelope form
	utf8       bool          // the header needs SMTPUTF8 (RFC 6531)
	images     []event.Image // those that are in it
	bytes      []byte        // CRLF, no line over 998 octets
}

// compose renders n. It has no effect beyond its result.
func compose(n event.Notice, f form) (letter, error) {
	if len(f.Destinations) == 0 {
		return letter{}, ErrNotConfigured
	}
	n.At, f.date = f.in(n.At), f.in(f.date)
	l := letter{recipients: f.Destinations}
	var err error
	var fromUTF8 bool
	if l.from, fromUTF8, err = envelopeAddress(f.ReplyAddress); err != nil {
		return letter{}, err
	}
	var to []string
	for _, d := range l.recipients {
		a, needsUTF8, err := envelopeAddress(d)
		if err != nil {
			return letter{}, err
		}
		l.envelope = append(l.envelope, a)
		if !needsUTF8 {
			to = append(to, "<"+a+">")
		}
	}
	// An address that needs SMTPUTF8 stays out of the header where it can, so
	// that it does not keep the mail from the others.
	if l.utf8 = fromUTF8; len(to) == 0 {
		l.utf8 = true
		to = []string{"<" + l.envelope[0] + ">"}
	}
	domain := l.from[strings.LastIndexByte(l.from, '@')+1:]
	unique := strings.ToLower(rand.Text()[:16])
	if l.messageID = f.messageID; l.messageID == "" {
		l.messageID = "<" + n.ID + "." + unique + "@" + domain + ">"
	}
	l.subject = f.subject(n)

	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.SetGenHeader(gomail.HeaderSubject, encodeSubject(l.subject))
	// Addresses are written as they are: go-mail refuses or leaves raw some
	// that RFC 5321 allows. envelopeAddress keeps control characters out.
	m.SetGenHeaderPreformatted("From", "<"+l.from+">")
	m.SetGenHeaderPreformatted("To", strings.Join(to, ",\r\n "))
	m.SetGenHeader(gomail.HeaderMessageID, l.messageID)
	m.SetDateWithValue(f.date)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834
	m.SetGenHeader(gomail.HeaderUserAgent, "Watchpost/"+headerWord(f.version))
	if n.Event != "" {
		m.SetGenHeader("X-Watchpost-Event", headerWord(n.Event))
	}
	if n.Count() > 0 {
		m.SetGenHeaderPreformatted("X-Watchpost-Firings", firingList(n.Seqs))
	}

	l.images = chooseImages(n)
	images := l.images
	p := describe(n, f, images)
	cid := func(i int) string { return fmt.Sprintf("image%d.%s@watchpost", i+1, unique) }
	m.SetBodyString(gomail.TypeTextPlain, p.text())
	m.AddAlternativeString(gomail.TypeTextHTML, p.html(cid))
	var embeds []*gomail.File
	for i, im := range images {
		embeds = append(embeds, &gomail.File{
			Name:        config.Stamp(im.At.In(n.At.Location()), false) + ".jpg",
			ContentType: "image/jpeg",
			Header:      textproto.MIMEHeader{"Content-Id": {"<" + cid(i) + ">"}},
			Writer: func(w io.Writer) (int64, error) { // EmbedReader would copy it
				n, err := w.Write(im.JPEG)
				return int64(n), err
			},
		})
	}
	m.SetEmbeds(embeds)
	var out bytes.Buffer
	out.Grow(total(images)*78/57 + 16<<10)
	if _, err := m.WriteTo(&out); err != nil {
		return letter{}, fmt.Errorf("compose %s: %w", n.ID, err)
	}
	// RFC 2387 §3.1 demands the type of the root part; go-mail leaves it out.
	const related = "Content-Type: multipart/related;"
	l.bytes = out.Bytes()
	if at := bytes.Index(l.bytes[:min(len(l.bytes), 64<<10)], []byte(related+"\r\n")); at >= 0 {
		l.bytes = slices.Insert(l.bytes, at+len(related), []byte(" type=\"multipart/alternative\";")...)
	}
	return l, nil
}

// envelopeAddress is config.AddressForEnvelope with a guard on what goes into a header raw.
func envelopeAddress(addr string) (ascii string, needsUTF8 bool, err error) {
	ascii, needsUTF8, err = config.AddressForEnvelope(addr)
	if err == nil && (strings.ContainsFunc(ascii, isControl) || !utf8.ValidString(ascii) || !strings.Contains(ascii, "@")) {
		err = errors.New("not an address")
	}
	if err != nil {
		return "", false, fmt.Errorf("%w: %q: %w", ErrNotConfigured, addr, err)
	}
	return ascii, needsUTF8, nil
}

// subject is the configured subject, a colon and the stamp of the trigger's moment
// (CameraNotification:20090618173020500). A state mail's says in it what it is,
// within the same limit: it is no trigger's notification, and should be told from one.
func (f form) subject(n event.Notice) string {
	s := oneLine(f.Subject)
	if n.Kind == event.State && n.Title != "" {
		word := " - " + plainText(n.Title)
		for s != "" && config.SubjectCount(s)+config.SubjectCount(word) > config.SubjectClusters {
			r := []rune(s)
			s = strings.TrimSpace(string(r[:len(r)-1]))
		}
		s = strings.TrimPrefix(s+word, " - ")
	}
	return s + ":" + config.Stamp(n.At, f.DSTMark)
}

// encodeSubject leaves printable ASCII as it is, one line, and makes RFC 2047
// encoded words of at most 75 columns of all else, cut between characters. ASCII
// that looks like an encoded word is encoded too: it would be decoded.
func encodeSubject(s string) string {
	const fits = 63 // columns beside "Subject: " that go-mail does not fold: 44 + ":" + 18
	ascii := !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
	if ascii && len(s) <= fits && s[0] != ' ' && !strings.Contains(s, "=?") {
		return s
	}
	var words []string
	limit := 36 // the first shares its line with "Subject: "
	for s != "" {
		n := 0
		for n < len(s) {
			_, size := utf8.DecodeRuneInString(s[n:])
			if n+size > limit {
				break
			}
			n += size
		}
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s, limit = s[n:], 45 // 60 in base64, and 12 around it
	}
	return strings.Join(words, " ")
}

// listedFirings is how many firings the header lists one by one.
const listedFirings = 1000

// firingList is the Seq of each firing, comma separated, folded; runs of them as
// 5-9 where they are very many.
func firingList(firings event.Seqs) string {
	var words []string
	if firings.Len() > listedFirings {
		words = strings.Split(firings.String(), ",")
	} else {
		for seq := range firings.All() {
			words = append(words, strconv.FormatUint(seq, 10))
		}
	}
	var b strings.Builder
	column := len("X-Watchpost-Firings: ")
	for i, word := range words {
		if i > 0 {
			b.WriteByte(',')
			column++
		}
		if i > 0 && column+len(word) > 76 {
			b.WriteString("\r\n ")
			column = 1
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

// headerWord keeps what may stand in a header as one word, at most 60 octets.
func headerWord(s string) string {
	s = s[:min(len(s), 60)]
	return strings.Map(func(r rune) rune {
		if r > ' ' && r <= '~' {
			return r
		}
		return '-'
	}, s)
}

// mostImages is how many images a mail of the kind has at most.
func mostImages(kind event.NoticeKind) int {
	switch kind {
	case event.Summary, event.Digest:
		return summaryImages
	case event.Images:
		return allImages
	}
	return 1
}

// chooseImages takes the best images that fit.
func chooseImages(n event.Notice) []event.Image {
	limit := mostImages(n.Kind)
	var out []event.Image
	size := 0
	for _, im := range n.Images {
		if len(im.JPEG) == 0 || size+len(im.JPEG) > imageBytes {
			continue
		}
		if len(out) == limit {
			break
		}
		size += len(im.JPEG)
		out = append(out, im)
	}
	return out
}
