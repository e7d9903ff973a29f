package transfer

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http/httptrace"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/foreign"
	"watchpost/engine/trust"
)

// MailDiagnosis walks a mail's delivery up to RCPT with the given settings.
type MailDiagnosis func(ctx context.Context, c config.Config, s config.Secrets, step func(event.Step)) bool

// Diagnose tries the transfer called name of the given settings, which need not be
// those in force: it connects, logs in, and hands a small file over as it would an
// image, which it takes away again where the protocol can. Over HTTP the receiver
// gets real data, over MQTT a message on the topic's level test, which is not
// retained; by e-mail nothing is sent, and mail is what walks. It reports whether an
// image could have been handed over. step is called for each step, by one goroutine
// at a time. It returns up to tidyTime after the end of ctx where a test file lies at
// the place.
func Diagnose(ctx context.Context, c config.Config, s config.Secrets, name string, mail MailDiagnosis, step func(event.Step)) bool {
	refuse := func(verdict, do string) bool {
		step(event.Step{Step: "config", Target: name, Verdict: verdict, Do: do})
		return false
	}
	i := slices.IndexFunc(c.Transfers, func(t config.Transfer) bool { return t.Name == name })
	if i < 0 {
		return refuse("There is no transfer of that name", "Check the name; the Triggers page lists the transfers.")
	}
	t, secret := c.Transfers[i], s.Transfers[name]
	switch {
	case t.Kind == "email" && mail == nil:
		return refuse("There is no mail queue", "Restart the service.")
	case t.Kind == "email":
		if len(t.Destinations) > 0 {
			c.Mail.Destinations = t.Destinations
		}
		return mail(ctx, c, s, step)
	case t.Kind == "http" && t.URL == "":
		return refuse("There is no URL yet", "Enter the transfer's url.")
	case t.Kind != "http" && t.Server == "":
		return refuse("There is no server yet", "Enter the transfer's server.")
	}
	x := &trial{tell: step, mark: time.Now(), secrets: []string{secret}}
	to := x.target(t, secret)
	if to == nil {
		return refuse("A transfer of kind "+t.Kind+" is not known", "Choose another kind.")
	}
	x.clear = config.EncryptionOf(t) == "none"
	x.where(t, c.Site.Name)
	defer x.end()
	return x.run(ctx, to)
}

// Diagnose is Diagnose with the queue's own mail diagnosis. It touches neither the
// queue nor the connections that are open.
func (q *Queue) Diagnose(ctx context.Context, c config.Config, s config.Secrets, name string, step func(event.Step)) bool {
	return Diagnose(ctx, c, s, name, q.options.Diagnose, step)
}

// trial is one diagnosis. What connects and hands over finds it in its context and
// tells it how far it is; the methods that tell do nothing on a nil one.
type trial struct {
	kind    string
	method  string // of HTTP
	secrets []string
	place   string // address or host, where a step has no other target
	file    file
	clear   bool     // nothing is encrypted
	own     string   // the folder that this trial alone has; empty: none
	sent    bool     // of the file something may be at the place
	made    []string // folders that were not there before, in their order

	mu        sync.Mutex // a dialler tells from several goroutines
	tell      func(event.Step)
	mark      time.Time    // when the step that is under way began
	missed    []event.Step // addresses that did not connect, to be told where another does
	connected bool
	shaken    bool // a TLS handshake was told
	wrote     bool // over HTTP a request went out
}

type trialKey struct{}

// trialOf is the trial that a context is of; nil: none.
func trialOf(ctx context.Context) *trial {
	x, _ := ctx.Value(trialKey{}).(*trial)
	return x
}

// target is the place as it is tried: one that stays, as with Home Assistant, keeps
// its own connection, and nobody is told that the box comes and goes.
func (x *trial) target(c config.Transfer, secret string) target {
	x.kind, x.method = c.Kind, c.Method
	switch c.Kind {
	case "ftp":
		t := newFTP(c, secret).(*ftpTarget)
		x.place = t.far().addr
		return t
	case "sftp":
		t := newSFTP(c, secret).(*sftpTarget)
		x.place = t.addr()
		return t
	case "http":
		t := httpTarget{c, secret, stallTime}
		x.secrets = t.secrets()
		if u, err := url.Parse(c.URL); err == nil {
			x.place = u.Host
		}
		return t
	case "mqtt":
		c.Discovery = false
		t := mqttTarget{c, secret, clientID(c) + "-test", stallTime}
		x.place = t.address()
		return t
	}
	return nil
}

const trialText = "watchpost test\n"

// where settles what is handed over, and where to. Where images get folders of their
// own by placeholders, the trial makes one that only it has, in the folders before
// those: so it is seen whether the server lets a folder be made, and nothing of an
// image is touched.
func (x *trial) where(c config.Transfer, site string) {
	random := make([]byte, 2)
	rand.Read(random)
	name := "watchpost-test-" + hex.EncodeToString(random)
	now := time.Now()
	x.file = file{name: name + ".txt", kind: "text/plain", at: now, size: int64(len(trialText)), trigger: "test",
		open: func() (io.ReadSeekCloser, error) { return nopCloser{bytes.NewReader([]byte(trialText))}, nil }}
	if c.Kind == "mqtt" {
		x.file.dir, x.file.name = config.Expand(c.Topic, config.PatternValues{Site: site, Trigger: "test", Event: "test", At: now, N: 1}), "test"
		return
	}
	if c.Path == "." || c.Method == "post" && c.Kind == "http" {
		return
	}
	fixed, own, _ := strings.Cut(c.Path, "{")
	x.file.dir = c.Path
	if own != "" {
		if i := strings.LastIndexByte(fixed, '/'); i >= 0 {
			name = fixed[:i] + "/" + name
		}
		x.file.dir, x.own = name, name
	}
}

// at is where the file goes, as a step shows it.
func (x *trial) at() string { return strings.TrimPrefix(path.Join(x.file.dir, x.file.name), "/") }

// name is the file's, of a trial that is not nil.
func (x *trial) name() string {
	if x == nil {
		return ""
	}
	return x.file.name
}

// run tries a place.
func (x *trial) run(ctx context.Context, to target) bool {
	outer := ctx
	ctx = context.WithValue(httptrace.WithClientTrace(ctx, x.hooks()), trialKey{}, x)
	s, err := to.connect(ctx)
	if err != nil {
		x.failed(faultOf(err, "tcp"), "")
		return false
	}
	defer func() { s.close() }()
	back, files := s.(tidying)
	if files = files && !(x.kind == "http" && x.method == "post"); files {
		if err = back.folder(ctx, x.file.dir); err != nil {
			x.failed(faultOf(err, "folder"), x.file.dir)
		}
	}
	said := ""
	if err == nil {
		x.sent = true
		if said, err = s.put(ctx, x.file); err != nil {
			x.failed(faultOf(err, "send"), x.at())
		}
	}
	switch {
	case err == nil && x.kind == "mqtt":
		x.passed("send", x.at(), said, "the test was published and acknowledged; it is not retained")
	case err == nil && x.kind == "http" && x.method == "post":
		x.passed("send", x.file.name, said, "the receiver took the test by POST: real data to it, which it keeps or not")
	case err == nil && x.kind == "http":
		x.passed("send", x.file.name, said, "the receiver took the test by PUT, as it would an image")
	}
	if x.kind == "http" && x.own != "" && err == nil {
		x.made = []string{x.own}
	}
	if files {
		x.takeBack(outer, to, back, err)
	}
	return err == nil && outer.Err() == nil // one that was broken off is never good
}

// hooks tell look-up, connection and, for HTTP, TLS.
func (x *trial) hooks() *httptrace.ClientTrace {
	host := ""
	return &httptrace.ClientTrace{
		DNSStart: func(i httptrace.DNSStartInfo) { host = i.Host },
		DNSDone: func(i httptrace.DNSDoneInfo) {
			if i.Err == nil && !x.isConnected() {
				x.passed("lookup", host, fmt.Sprint(i.Addrs), plural(len(i.Addrs), "1 address", fmt.Sprintf("%d addresses", len(i.Addrs))))
			}
		},
		ConnectDone: func(_, address string, err error) { x.dialled(address, err) },
		WroteHeaders: func() {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.wrote = true
		},
		TLSHandshakeDone: func(s tls.ConnectionState, err error) { x.secured("", s, err, "encrypted from the first byte") },
	}
}

// end is that of the trial: a connection that is still being made tells nothing more.
func (x *trial) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tell = func(event.Step) {}
}

// hasWritten reports whether a request went out over HTTP.
func (x *trial) hasWritten() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.wrote
}

func (x *trial) isConnected() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.connected
}

// dialled tells of an address. One that does not connect matters only beside one
// that does: where none does, that is the fault of the whole. Later connections are
// told by who makes them.
func (x *trial) dialled(address string, err error) {
	x.mu.Lock()
	if x.connected {
		x.mu.Unlock()
		return
	}
	if err != nil {
		st := lineFault("tcp", far{}, err).asStep(address, x.mark)
		st.Do = "Nothing: another address works."
		x.missed = append(x.missed, st)
		x.mu.Unlock()
		return
	}
	x.connected = true
	missed := x.missed
	x.mu.Unlock()
	for _, st := range missed {
		x.report(st)
	}
	x.passed("tcp", address, "", "connected")
	if x.clear {
		x.passed("tls", "", "", "not encrypted: who is on the way can read what is sent")
	}
}

// secured tells of a TLS handshake: each certificate with its pin, refused or not, and
// where it succeeded what was agreed on.
func (x *trial) secured(address string, state tls.ConnectionState, err error, verdict string) {
	if x == nil {
		return
	}
	x.mu.Lock()
	again := x.shaken
	x.shaken = true
	x.mu.Unlock()
	if again { // on a later connection of the same trial
		return
	}
	chain := trust.Certificates(err, state)
	const shown = 5
	for i, c := range chain[:min(len(chain), shown)] {
		x.report(event.Step{Step: "tls", Target: address, OK: true, Text: trust.Describe(c),
			Verdict: fmt.Sprintf("certificate %d of %d: %s", i+1, len(chain), trust.Validity(c, time.Now()))})
	}
	if err == nil {
		x.passed("tls", address, trust.DescribeTLS(state), verdict)
	}
}

// passed tells of a step that is done; text is the server's or the system's.
func (x *trial) passed(step, target, text, verdict string) {
	if x == nil {
		return
	}
	x.mu.Lock()
	took := ms(x.mark)
	x.mark = time.Now()
	x.mu.Unlock()
	x.report(event.Step{Step: step, Target: target, OK: true, MS: took, Text: text, Verdict: verdict})
}

// failed tells of the step at which it ended.
func (x *trial) failed(f *fault, target string) {
	x.mu.Lock()
	st := f.asStep(target, x.mark)
	x.mark = time.Now()
	x.mu.Unlock()
	_, st.Text, _ = strings.Cut(f.text, ": ") // the server's own words, which the verdict has too
	if !strings.HasSuffix(st.Do, ".") {
		st.Do += "."
	}
	x.report(st)
}

// report hands a step on, harmless and without a secret.
func (x *trial) report(s event.Step) {
	if s.Target == "" {
		s.Target = x.place
	}
	for _, text := range []*string{&s.Target, &s.Text, &s.Verdict} {
		*text = foreign.Harmless(*text, x.secrets...)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tell(s)
}
