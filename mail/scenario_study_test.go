package mail

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// everything is an EHLO reply that offers all there is, in clear too.
const everything = "250-x\r\n250-STARTTLS\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE\r\n250-DSN\r\n250-CHUNKING\r\n" +
	"250-AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2\r\n250-AUTH=PLAIN LOGIN\r\n250-VRFY\r\n250-ETRN\r\n250-ENHANCEDSTATUSCODES\r\n250-PREAUTH\r\n250 HELP"

// otherMechanisms are those that the study offers in clear, and none of which is to be used there.
const otherMechanisms = "250-x\r\n250 AUTH ANONYMOUS APOP CRAM-MD5 DIGEST-MD5 EXTERNAL GSSAPI LOGIN NTLM OAUTHBEARER OTP PLAIN PLAIN-CLIENTTOKEN SCRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 XOAUTH2"

type studyCase struct {
	name         string
	play, secure script
	conf         *tls.Config // nil: the good one
	delivered    bool
	brief        bool // the server says nothing: shorter waits
	says         string
}

// fromTheStudy are the 57 cases for SMTP clients of the fake mail server of the
// STARTTLS study (Poddebniak et al., "Why TLS Is Better Without STARTTLS",
// USENIX Security 2021), by its names: 56 and the opportunistic set-up.
func fromTheStudy() []studyCase {
	const gone = "502 Command not implemented"
	cases := []studyCase{
		{name: "Buffering/B_1, EHLO ignored under TLS", play: script{"STARTTLS": "220 Ready to start TLS\r\n250-example.org\r\n250 AUTH LOGIN"},
			secure: script{"EHLO": silent}, brief: true},
		{name: "Negotiation/D_1, neither EHLO nor STARTTLS", play: script{"EHLO": gone, "STARTTLS": gone}, says: "does not offer STARTTLS"},
		{name: "Negotiation/O_1, AUTH in clear, no STARTTLS", play: script{"EHLO": "250-x\r\n250 AUTH PLAIN LOGIN", "STARTTLS": gone}, says: "does not offer STARTTLS"},
		{name: "Negotiation/O_2, 502", play: script{"STARTTLS": gone}},
		{name: "Negotiation/O_3, 454", play: script{"STARTTLS": "454 TLS not available due to temporary reason"}},
		{name: "Negotiation/O_4, 354", play: script{"STARTTLS": "354 do something else"}},
		{name: "others/X_1, every mechanism in clear", play: script{"EHLO": otherMechanisms, "STARTTLS": gone}, says: "does not offer STARTTLS"},
		{name: "others/ehlo/250-all", play: script{"EHLO": everything}, delivered: true},
		{name: "others/ehlo/250-empty", play: script{"EHLO": "250 "}, says: "does not offer STARTTLS"},
		{name: "others/greeting/220", delivered: true},
		{name: "others/starttls/220", play: script{"STARTTLS": "220 Ready"}, delivered: true},
		{name: "setup_opportunistic_encryption", play: script{"EHLO": "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN"}, delivered: true},
	}
	replies := map[string]string{"220": "220 hello", "221": "221 closing", "354": "354 start", "421": "421 not available", "500": "500 syntax error",
		"501": "501 syntax error in parameters", "502": gone, "504": "504 parameter not implemented", "530": "530 must issue STARTTLS", "550": "550 no", "554": "554 no SMTP service here"}
	add := func(group string, codes string, play func(reply string) script) {
		for code := range strings.FieldsSeq(codes) {
			cases = append(cases, studyCase{name: "others/" + group + code, play: play(replies[code])})
		}
	}
	add("ehlo/", "220 221 354 421 500 501 502 504 530 550", func(r string) script { return script{"EHLO": r} })
	add("greeting/", "221 354 421 500 501 530 554", func(r string) script { return script{"GREETING": r} })
	add("helo/ehlo500_helo", "220 221 354 421 500 501 530", func(r string) script { return script{"EHLO": replies["500"], "HELO": r} })
	add("quit/greeting500_quit", "220 221 354 421 500 501 530", func(r string) script { return script{"GREETING": replies["500"], "QUIT": r} })
	add("rset/ehlo500_rset", "220 221 354 421 500 501 530", func(r string) script { return script{"EHLO": replies["500"], "RSET": r} })
	add("starttls/", "221 354 421 500 501 530", func(r string) script { return script{"STARTTLS": r} })
	cases = append(cases, studyCase{name: "others/starttls/454", play: script{"STARTTLS": "454 no TLS"}})
	return cases
}

// ofItsClasses are more of the same: what the study's paper describes, and what
// hostile or broken servers do with it.
func ofItsClasses(t *testing.T) []studyCase {
	const esc = "\x1b[2J\x1b]0;owned\x07\x1b[31m\u202e \x00 \u009b1m \xff\xfe\r"
	old := goodIdentity(t).conf
	old.MaxVersion = tls.VersionTLS11
	huge := strings.Repeat("x", 200_000)
	return []studyCase{
		{name: "reply injected behind 220", play: script{"STARTTLS": "220 go\r\n250-x\r\n250-AUTH PLAIN\r\n250 x"}, says: "not TLS"},
		{name: "command injected behind 220", play: script{"STARTTLS": "220 go\r\n235 welcome"}, says: "not TLS"},
		{name: "injected behind EHLO", play: script{"EHLO": "250-x\r\n250 STARTTLS\r\n220 go"}, says: "not asked"},
		{name: "injected behind the greeting", play: script{"GREETING": "220 x\r\n250-x\r\n250 AUTH PLAIN"}, says: "not asked"},
		{name: "AUTH in clear only", play: script{"EHLO": "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN"}, secure: script{"EHLO": "250-x\r\n250 8BITMIME"}, says: "does not ask for a user name"},
		{name: "AUTH in clear only, lower case", play: script{"EHLO": "250-x\r\n250-auth plain\r\n250 starttls"}, secure: script{"EHLO": "250-x\r\n250 SIZE"}, says: "does not ask for a user name"},
		{name: "other mechanisms under TLS", play: script{"EHLO": everything}, secure: script{"EHLO": "250-x\r\n250 AUTH GSSAPI"}, says: "in common"},
		{name: "STARTTLS under TLS again", secure: script{"EHLO": everything}, delivered: true},
		{name: "lower case", play: script{"EHLO": "250-x\r\n250-8bitmime\r\n250 starttls"}, secure: script{"EHLO": "250-x\r\n250-size 1000000\r\n250 auth plain"}, delivered: true},
		{name: "mixed case", play: script{"EHLO": "250-x\r\n250-8BITMIME\r\n250 StartTLS"}, secure: script{"EHLO": "250-x\r\n250-SIZE 1000000\r\n250 Auth Login"}, delivered: true},
		{name: "STARTTLS in the greeting only", play: script{"GREETING": "220 x STARTTLS", "EHLO": "250 x"}, says: "does not offer STARTTLS"},
		{name: "STARTTLS in the name of the server", play: script{"EHLO": "250-STARTTLS\r\n250 8BITMIME"}, says: "does not offer STARTTLS"},
		{name: "expired", conf: newIdentity(t, -48*time.Hour, -24*time.Hour, "127.0.0.1").conf},
		{name: "not yet valid", conf: newIdentity(t, 24*time.Hour, 48*time.Hour, "127.0.0.1").conf},
		{name: "wrong name", conf: newIdentity(t, -time.Hour, time.Hour, "mail.example.test").conf},
		{name: "other authority", conf: goodIdentity(t).conf, says: "authority"},
		{name: "self-signed", conf: selfSigned(t, -time.Hour, time.Hour), says: "self-signed"},
		{name: "TLS 1.1", conf: old, says: "1.2 is the least"},
		{name: "silent after 220", play: script{"STARTTLS": "220 go"}, conf: &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { time.Sleep(time.Second); return nil, nil }}, brief: true},
		{name: "closed at STARTTLS", play: script{"STARTTLS": hangUp}},
		{name: "silent at STARTTLS", play: script{"STARTTLS": silent}, brief: true},
		{name: "220 without TLS", play: script{"STARTTLS": "220-go\r\n220 go on in clear"}, conf: &tls.Config{}},
		{name: "endless greeting", play: script{"GREETING": flood + "220-x"}, says: "no end"},
		{name: "endless EHLO", play: script{"EHLO": flood + "250-x"}, says: "no end"},
		{name: "endless STARTTLS", play: script{"STARTTLS": flood + "220-x"}, says: "no end"},
		{name: "endless AUTH", secure: script{"AUTH": flood + "535-x"}, says: "no end"},
		{name: "endless MAIL", secure: script{"MAIL": flood + "250-x"}, says: "no end"},
		{name: "endless empty lines", play: script{"GREETING": flood + ""}},
		{name: "a byte at a time, greeting", play: script{"GREETING": drip + "220-x"}, brief: true},
		{name: "a byte at a time, EHLO", play: script{"EHLO": drip + "250-x"}, brief: true},
		{name: "a byte at a time, AUTH", secure: script{"AUTH": drip + "235-x"}, brief: true},
		{name: "a byte at a time, DOT", secure: script{"DOT": drip + "250-x"}, brief: true},
		{name: "huge line, greeting", play: script{"GREETING": raw + "220 " + huge}, says: "no end"},
		{name: "huge line, EHLO", play: script{"EHLO": "250-x\r\n250 " + huge}, says: "no end"},
		{name: "huge line, RCPT", secure: script{"RCPT": "250 " + huge}, says: "no end"},
		{name: "escapes, greeting", play: script{"GREETING": "554 " + esc}},
		{name: "escapes, EHLO", play: script{"EHLO": "250-" + esc + "\r\n250 AUTH " + esc}},
		{name: "escapes, STARTTLS", play: script{"STARTTLS": "454 " + esc}},
		{name: "escapes, AUTH", secure: script{"AUTH": "535 " + esc}},
		{name: "escapes, mechanisms", secure: script{"EHLO": "250-x\r\n250 AUTH " + esc}},
		{name: "escapes, MAIL", secure: script{"MAIL": "451 " + esc}},
		{name: "escapes, DOT", secure: script{"DOT": "451 " + esc}},
		{name: "escapes, no reply at all", play: script{"GREETING": esc}},
		{name: "NUL bytes", play: script{"GREETING": raw + strings.Repeat("\x00", 300) + "\r\n"}},
		{name: "empty lines", play: script{"GREETING": "\r\n\r\n220 x"}},
		{name: "bare LF", play: script{"GREETING": raw + "220 x\n"}, delivered: true},
		{name: "bare CR", play: script{"GREETING": raw + "220 x\r250 y\r\n"}, delivered: true},
		{name: "334 without end, PLAIN", secure: script{"EHLO": "250-x\r\n250 AUTH PLAIN", "AUTH": "334 ", "RESPONSE": "334 "}},
		{name: "334 without end, LOGIN", secure: script{"EHLO": "250-x\r\n250 AUTH LOGIN", "AUTH": "334 VXNlcm5hbWU6", "RESPONSE": "334 UGFzc3dvcmQ6"}},
		{name: "334 without end, CRAM-MD5", secure: script{"EHLO": "250-x\r\n250 AUTH CRAM-MD5", "AUTH": "334 PDEuMkB4Pg==", "RESPONSE": "334 PDEuMkB4Pg=="}},
		{name: "334 without end, SCRAM", secure: script{"EHLO": "250-x\r\n250 AUTH SCRAM-SHA-256", "AUTH": "334 ", "RESPONSE": "334 "}},
		{name: "334 that is no base64", secure: script{"EHLO": "250-x\r\n250 AUTH LOGIN", "AUTH": "334 %%%"}},
		{name: "secret echoed", secure: script{"AUTH": "535 no AUTH PLAIN " + leaks()[6] + " (" + stagePassword + ")"}},
		{name: "421 under TLS", secure: script{"EHLO": "421 closing"}},
		{name: "two replies to RCPT", secure: script{"RCPT": "250 ok" + twice + "ok"}, says: "not asked"},
		{name: "accepted before it was sent", secure: script{"DATA": "354 go on" + twice + "queued"}, says: "not asked"},
	}
}

// TestSTARTTLSStudy: whatever the server or somebody in between does, no
// credential and no word of the mail crosses a channel in clear, the attempt ends
// with its connection closed, the mail is kept, and what is told is harmless.
func TestSTARTTLSStudy(t *testing.T) {
	study := fromTheStudy()
	if len(study) != 57 {
		t.Fatalf("%d cases, the study has 57", len(study))
	}
	good := goodIdentity(t)
	for _, c := range append(study, ofItsClasses(t)...) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conf := c.conf
			if conf == nil {
				conf = good.conf
			}
			s := newStage(t, c.play, withTLS(conf), withSecure(c.secure))
			cfg, secrets := s.settings(good.caFile)
			b := start(t, t.TempDir(), cfg, secrets, brief(patience), func(x *timeouts) {
				if c.brief {
					brief(500 * time.Millisecond)(x)
				}
			})
			b.submit(alarm("alarm-1", time.Now()))
			m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
			s.closed(t)
			s.leaked(t)
			steps := b.said.stepsOf("alarm-1")
			harmless(t, steps, m.Problem)
			for _, x := range steps {
				for _, l := range leaks() {
					if strings.Contains(x.Text+x.Verdict, l) {
						t.Errorf("a step tells %q: %+v", l, x)
					}
				}
			}
			if delivered := m.QueueState() == "delivered"; delivered != c.delivered || c.delivered != (s.mails.Load() == 1) {
				t.Errorf("%s, the server has it %d times: %+v", m.QueueState(), s.mails.Load(), m)
			}
			if !c.delivered && (m.Count(event.Pending) != 1 || m.Problem == "") {
				t.Errorf("the mail is not kept as it was: %+v", m)
			}
			if !strings.Contains(m.Problem, c.says) {
				t.Errorf("%q, want %q", m.Problem, c.says)
			}
		})
	}
}

// The wire's record would show a leak: the same account without TLS, by force.
func TestStageSeesLeaks(t *testing.T) {
	s := newStage(t, nil)
	b := start(t, t.TempDir(), s.relay(), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	b.untilState("alarm-1", "delivered")
	if w := s.onWire(); !strings.Contains(w, leaks()[0]) || !strings.Contains(w, "Subject:") {
		t.Error("the mail's text is not seen on the wire")
	}
	if len(leaks()) != 9 {
		t.Errorf("%q", leaks())
	}
}
