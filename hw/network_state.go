package hw

import (
	"encoding/binary"
	"iter"
	"maps"
	"syscall"

	"golang.org/x/sys/unix"
)

// networkMost bounds what is remembered. A box that has more forgets all, which
// makes news of what is not.
const networkMost = 10_000

const loopback = 1 // the index of lo, in every network namespace

// network is what is there and usable. The kernel repeats what it has said (each
// router advertisement renews an address), so only what differs from this is news.
type network map[thing]way

// thing names a link, an address or a route.
type thing struct {
	kind          uint16 // RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE
	link          uint32 // of a link and an address
	family        uint8
	bits          uint8 // of the prefix
	tos           uint8
	table, metric uint32
	address       string // of an address; a route's destination
}

// way is where a route leads; a replaced route is news where it leads elsewhere.
type way struct {
	link    uint32
	gateway string
}

// read takes the kernel's messages in and reports whether anything has come to
// be. What cannot be read is passed over.
func (n network) read(b []byte) (more bool) {
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return false
	}
	for i := range messages {
		m := &messages[i]
		switch m.Header.Type {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			more = n.link(m) || more
		case unix.RTM_NEWADDR, unix.RTM_DELADDR:
			more = n.address(m) || more
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			more = n.route(m) || more
		}
	}
	return more
}

// gain remembers a thing and reports whether it is news.
func (n network) gain(t thing, w way) bool {
	if had, ok := n[t]; ok && had == w {
		return false
	}
	if len(n) >= networkMost {
		clear(n)
	}
	n[t] = w
	return true
}

// loseRoutes forgets the routes over a link. The kernel removes IPv4 routes with
// their link or address without a word.
func (n network) loseRoutes(link uint32) {
	maps.DeleteFunc(n, func(t thing, w way) bool { return t.kind == unix.RTM_NEWROUTE && w.link == link })
}

// link reads struct ifinfomsg (rtnetlink(7)): family, pad, type u16, index i32, flags u32, change u32.
func (n network) link(m *syscall.NetlinkMessage) bool {
	const up = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
	b := m.Data
	if len(b) < unix.SizeofIfInfomsg || b[0] != unix.AF_UNSPEC { // a bridge tells of its ports in messages of its own family
		return false
	}
	index, flags := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[8:])
	if index == loopback {
		return false
	}
	t := thing{kind: unix.RTM_NEWLINK, link: index}
	if m.Header.Type == unix.RTM_DELLINK || flags&up != up {
		delete(n, t)
		n.loseRoutes(index)
		return false
	}
	return n.gain(t, way{})
}

// address reads struct ifaddrmsg: family, prefix length, flags, scope, index u32.
func (n network) address(m *syscall.NetlinkMessage) bool {
	b := m.Data
	if len(b) < unix.SizeofIfAddrmsg {
		return false
	}
	flags, index := b[2], binary.NativeEndian.Uint32(b[4:])
	if index == loopback {
		return false
	}
	t := thing{kind: unix.RTM_NEWADDR, link: index, family: b[0], bits: b[1]}
	for kind, value := range attributes(b[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_LOCAL: // where there is a peer, IFA_ADDRESS is the peer's
			t.address = string(value)
		case unix.IFA_ADDRESS:
			if t.address == "" {
				t.address = string(value)
			}
		}
	}
	// RFC 4862 §5.4: until it is known to be unique an address is not used.
	tentative := flags&unix.IFA_F_TENTATIVE != 0 && flags&unix.IFA_F_OPTIMISTIC == 0
	if m.Header.Type == unix.RTM_DELADDR || tentative || flags&unix.IFA_F_DADFAILED != 0 {
		if _, had := n[t]; had {
			delete(n, t)
			n.loseRoutes(index)
		}
		return false
	}
	return n.gain(t, way{})
}

// route reads struct rtmsg: family, destination bits, source bits, tos, table,
// protocol, scope, type, flags u32.
func (n network) route(m *syscall.NetlinkMessage) bool {
	const useless = unix.RTNH_F_DEAD | unix.RTNH_F_LINKDOWN | unix.RTM_F_CLONED
	b := m.Data
	if len(b) < unix.SizeofRtMsg || b[7] != unix.RTN_UNICAST {
		return false
	}
	t := thing{kind: unix.RTM_NEWROUTE, family: b[0], bits: b[1], tos: b[3], table: uint32(b[4])}
	var w way
	for kind, value := range attributes(b[unix.SizeofRtMsg:]) {
		number := uint32(0)
		if len(value) == 4 {
			number = binary.NativeEndian.Uint32(value)
		}
		switch kind {
		case unix.RTA_TABLE:
			t.table = number
		case unix.RTA_PRIORITY:
			t.metric = number
		case unix.RTA_DST:
			t.address = string(value)
		case unix.RTA_OIF:
			w.link = number
		case unix.RTA_GATEWAY, unix.RTA_VIA, unix.RTA_MULTIPATH:
			w.gateway += string(value)
		}
	}
	if t.table == unix.RT_TABLE_LOCAL || w.link == loopback {
		return false
	}
	if m.Header.Type == unix.RTM_DELROUTE || binary.NativeEndian.Uint32(b[8:])&useless != 0 {
		delete(n, t)
		return false
	}
	return n.gain(t, w)
}

// attributes yields the kind and the value of each struct rtattr in b, up to the
// first that is damaged. (syscall.ParseNetlinkRouteAttr panics where the last one
// lacks its padding.)
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			length, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
			if length < unix.SizeofRtAttr || length > len(b) {
				return
			}
			if !yield(kind&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.SizeofRtAttr:length]) {
				return
			}
			b = b[min((length+3)&^3, len(b)):]
		}
	}
}
