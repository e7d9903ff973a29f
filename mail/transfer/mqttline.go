package transfer

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	mqttlog "github.com/eclipse/paho.golang/paho/log"
)

// heard is a connection on which a broker says no more than it may. The library
// makes room for as long a packet as a broker announces, up to 256 MB.
type heard struct {
	net.Conn // the line, or TLS on it
	line     *line

	mu    sync.Mutex
	first []byte // how the broker began
	// Of the packet that is being read: whether its first byte was, how much of its
	// length, and what of its content is still to come (MQTT 5 §2.1).
	begun         bool
	length, shift int
	body          int
}

func (h *heard) Read(p []byte) (int, error) {
	left := h.line.left.Load()
	if left <= 0 {
		return 0, errEndless
	}
	n, err := h.Conn.Read(p[:min(int64(len(p)), left)])
	h.line.left.Add(-int64(n))
	h.mu.Lock()
	defer h.mu.Unlock()
	if room := 4 - len(h.first); room > 0 {
		h.first = append(h.first, p[:min(n, room)]...)
	}
	if !h.follow(p[:n]) {
		return 0, errEndless
	}
	return n, err
}

// follow keeps count of the packets; false: one is too long.
func (h *heard) follow(p []byte) bool {
	for len(p) > 0 {
		switch {
		case h.body > 0:
			n := min(h.body, len(p))
			h.body -= n
			p = p[n:]
			continue
		case !h.begun:
			h.begun, h.length, h.shift = true, 0, 0
		default:
			h.length |= int(p[0]&0x7f) << h.shift
			h.shift += 7
			if h.length > mqttMaxReply || h.shift > 28 {
				return false
			}
			if p[0] < 0x80 {
				h.begun, h.body = false, h.length
			}
		}
		p = p[1:]
	}
	return true
}

// old reports a CONNACK of MQTT 3.1.1 that refuses the version (§3.2.2.3 there).
func (h *heard) old() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.first) == "\x20\x02\x00\x01"
}

// pinger is the sign of life while nothing is published. The library's own takes a
// slow line for a dead one: its ping waits behind an image.
type pinger struct {
	busy *sync.Mutex
	mu   sync.Mutex
	open bool // a ping has no answer yet
}

// Run pings until ctx ends or no answer comes.
func (p *pinger) Run(ctx context.Context, conn net.Conn, keepAlive uint16) error {
	if keepAlive == 0 {
		return nil
	}
	t := time.NewTicker(time.Duration(keepAlive) * time.Second * 3 / 4)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if !p.busy.TryLock() {
			continue
		}
		p.mu.Lock()
		silent := p.open
		p.open = true
		p.mu.Unlock()
		err := errors.New("no answer to a ping")
		if !silent {
			_, err = packets.NewControlPacket(packets.PINGREQ).WriteTo(conn)
		}
		p.busy.Unlock()
		if err != nil {
			return err
		}
	}
}

func (p *pinger) PingResp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = false
}

func (*pinger) PacketSent()             {}
func (p *pinger) PacketReceived()       { p.PingResp() } // any packet is a sign of life
func (*pinger) SetDebug(mqttlog.Logger) {}
