package transfer

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"watchpost/engine/event"
)

// No state file is taken that would not be written, and one that is taken stays
// what it is.
func FuzzRecord(f *testing.F) {
	good, err := json.Marshal(record{Version: 1, Parts: []int{3, 7}, Mails: 1, Mail: event.Mail{ID: "00000001-transfer", Kind: event.Transfer, Event: eventID(1),
		Recipients: []event.Recipient{{Address: "nas", State: event.Pending}}}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(good), "", "{}", "null", `{"version":1,"mail":{"id":"00000001-transfer","kind":"transfer","event":"e","recipients":[{}]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord("00000001-transfer", data)
		if err != nil {
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		r2, err := parseRecord("00000001-transfer", again)
		if err != nil || !reflect.DeepEqual(r.clone(), r2.clone()) {
			t.Errorf("%v\n%+v\n%+v", err, r, r2)
		}
		_ = r.to().Address + r.progress(1) + r.so()
	})
}

// A broker's packets are counted the same however they come in, and none that is
// too long gets by.
func FuzzPackets(f *testing.F) {
	f.Add([]byte(welcome+thanks), uint8(1))
	f.Add([]byte("\x30\xff\xff\x7f"), uint8(2))
	f.Add([]byte("\x30\x80\x80\x80\x80\x80\x01"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		whole, parts := &heard{}, &heard{}
		ok := whole.follow(data)
		all := true
		for rest := data; len(rest) > 0 && all; {
			n := min(int(piece)+1, len(rest))
			all = parts.follow(rest[:n])
			rest = rest[n:]
		}
		if ok != all || ok && (whole.body != parts.body || whole.begun != parts.begun || whole.body > mqttMaxReply) {
			t.Errorf("%v %v, %d %d", ok, all, whole.body, parts.body)
		}
	})
}

// Whatever a server asks for is a wait within bounds.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "5", "-1", "1e9", "Tue, 24 Nov 2026 12:05:00 GMT"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(s, noon); d < 0 || d > maxAfter || d%time.Second != 0 {
			t.Errorf("%q: %v", s, d)
		}
	})
}
