package benchmail

import (
	"fmt"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/mail/mailtest"
)

// latencyMails is how many mails each way of sending is timed for.
const latencyMails = 250

// latency is from Submit to the server's 250 beside bare dialogues of the same
// bytes, by turns, so that the machine's moods meet all alike.
func latency(t *testing.T, rows *table) {
	a := mailtest.Start(t, mailtest.Options{}).At()
	jpeg := picture(usual)
	auto, secrets := account(a, a.Submission, true)
	plain := auto
	plain.SMTP.Auth = "plain"
	eml := rendered(t, auto, alarm(1, jpeg))
	stuffed := stuff(eml)
	conf := roots(t, a)

	var accepted, handed, committed [2]times
	var boxes [2]*outbox
	for i, c := range []config.Config{auto, plain} {
		o, err := openOutbox(t.TempDir(), c, secrets)
		if err != nil {
			t.Fatal(err)
		}
		boxes[i] = o
		defer o.run()()
	}
	kept, err := dialBare(a, conf, false)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.quit()
	var fresh [2]times
	var over times
	const first = 5 // not counted
	for n := range first + latencyMails {
		for i, o := range boxes {
			notice := alarm(n, jpeg)
			began := time.Now()
			if err := o.Submit(t.Context(), notice); err != nil {
				t.Fatal(err)
			}
			returned := time.Now()
			h, c, err := o.delivered(notice.ID)
			if err == nil {
				err = o.Settle(notice.ID)
			}
			if err != nil {
				t.Fatal(err)
			}
			if n >= first {
				accepted[i] = append(accepted[i], returned.Sub(began))
				handed[i] = append(handed[i], h.Sub(began))
				committed[i] = append(committed[i], c.Sub(began))
			}
		}
		for i, atOnce := range []bool{false, true} {
			began := time.Now()
			b, err := dialBare(a, conf, atOnce)
			if err == nil {
				err = b.send(sender, guard, stuffed)
			}
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			b.quit()
			if n >= first {
				fresh[i] = append(fresh[i], took)
			}
		}
		began := time.Now()
		if err := kept.send(sender, guard, stuffed); err != nil {
			t.Fatal(err)
		}
		if n >= first {
			over = append(over, time.Since(began))
		}
	}

	rows.section(fmt.Sprintf("Trigger to the server's 250, STARTTLS and AUTH on loopback: %d mails of %.0f kB each", latencyMails, float64(len(eml))/1000),
		"ms: median, 99th percentile")
	row := func(what string, d times) { rows.row(what, d.String(), d.beside(handed[0])) }
	row("Watchpost, auth: auto (SCRAM-SHA-256)", handed[0])
	row("Watchpost, auth: plain", handed[1])
	row("– of it Submit: composed, and durably queued", accepted[1])
	row("– with the outcome durably noted", committed[1])
	row("bare dialogue, AUTH PLAIN, nothing on any disk of the client", fresh[0])
	row("bare dialogue, acknowledging at once (TCP_QUICKACK)", fresh[1])
	row("bare dialogue on a connection kept open", over)
}
