package hw

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// told is a message of the kernel: a header, a fixed part and attributes.
func told(kind uint16, fixed []byte, attributes ...[]byte) []byte {
	b := make([]byte, unix.SizeofNlMsghdr)
	b = append(b, fixed...)
	for _, a := range attributes {
		b = append(b, a...)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	return b
}

func attribute(kind uint16, value ...byte) []byte {
	b := make([]byte, 4, 4+len(value)+3)
	binary.NativeEndian.PutUint16(b, uint16(4+len(value)))
	binary.NativeEndian.PutUint16(b[2:], kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func ifinfo(family byte, index, flags uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	b[0] = family
	binary.NativeEndian.PutUint32(b[4:], index)
	binary.NativeEndian.PutUint32(b[8:], flags)
	return b
}

func u32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

// TestNetworkNews is for what `ip` does not easily bring about (see TestWatchNetwork).
func TestNetworkNews(t *testing.T) {
	const up = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
	ifaddr := func(flags byte) []byte { return append([]byte{unix.AF_INET6, 64, flags, 0}, u32(4)...) }
	rtmsg := func(flags uint32) []byte {
		return append([]byte{unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, 0, 0, unix.RTN_UNICAST}, u32(flags)...)
	}
	here := attribute(unix.IFA_ADDRESS, make([]byte, 16)...)
	over4 := attribute(unix.RTA_OIF, u32(4)...)
	n := network{}
	for i, step := range []struct {
		message []byte
		more    bool
	}{
		{told(unix.RTM_NEWLINK, ifinfo(0, 4, up)), true},
		{told(unix.RTM_NEWLINK, ifinfo(0, 4, up)), false},              // told again
		{told(unix.RTM_DELLINK, ifinfo(unix.AF_BRIDGE, 4, up)), false}, // left a bridge, and is still there
		{told(unix.RTM_NEWLINK, ifinfo(0, 4, up)), false},
		{told(unix.RTM_NEWLINK, ifinfo(0, 4, unix.IFF_UP)), false}, // without carrier
		{told(unix.RTM_NEWLINK, ifinfo(0, 4, up)), true},
		{told(unix.RTM_NEWLINK, ifinfo(0, loopback, up)), false},
		{told(unix.RTM_NEWADDR, ifaddr(unix.IFA_F_TENTATIVE), here), false}, // RFC 4862 §5.4
		{told(unix.RTM_NEWADDR, ifaddr(0), here), true},
		{told(unix.RTM_NEWADDR, ifaddr(0), here), false},                    // a router advertisement renewed it
		{told(unix.RTM_NEWADDR, ifaddr(unix.IFA_F_DADFAILED), here), false}, // somebody else has it
		{told(unix.RTM_NEWADDR, ifaddr(0x44), here), true},                  // optimistic
		{told(unix.RTM_NEWROUTE, rtmsg(0), over4), true},
		{told(unix.RTM_NEWROUTE, rtmsg(0), over4), false},
		{told(unix.RTM_NEWROUTE, rtmsg(unix.RTM_F_CLONED), over4), false}, // of the cache
		{told(unix.RTM_NEWROUTE, rtmsg(unix.RTNH_F_LINKDOWN), over4), false},
		{told(unix.RTM_NEWROUTE, rtmsg(0), over4), true},
		{told(unix.RTM_NEWLINK, ifinfo(0, 4, 0)), false}, // takes the route along
		{told(unix.RTM_NEWROUTE, rtmsg(0), over4), true},
		{told(unix.RTM_NEWROUTE, rtmsg(0)[:8]), false}, // short
		{told(unix.RTM_NEWADDR, nil), false},
		{told(unix.RTM_NEWLINK, nil), false},
		{[]byte{1, 2, 3}, false},
		{told(unix.NLMSG_DONE, u32(0)), false},
		{append(told(unix.RTM_DELROUTE, rtmsg(0), over4), told(unix.RTM_NEWROUTE, rtmsg(0), over4)...), true}, // two in one
	} {
		if more := n.read(step.message); more != step.more {
			t.Errorf("message %d: %v", i, more)
		}
	}
}

// What is remembered is bounded; beyond the bound old things are news, and new ones still are.
func TestNetworkBound(t *testing.T) {
	n := network{}
	for i := range uint32(3 * networkMost) {
		if !n.read(told(unix.RTM_NEWLINK, ifinfo(0, i+2, ^uint32(0)))) {
			t.Fatalf("link %d is no news", i)
		}
		if len(n) > networkMost {
			t.Fatalf("%d things are remembered", len(n))
		}
	}
}

func FuzzNetworkRead(f *testing.F) {
	f.Add(told(unix.RTM_NEWLINK, ifinfo(0, 4, ^uint32(0)), attribute(unix.IFLA_IFNAME, 'x', 0)))
	f.Add(told(unix.RTM_NEWADDR, []byte{10, 64, 0, 0, 4, 0, 0, 0}, attribute(unix.IFA_LOCAL, 1, 2, 3, 4)))
	f.Add(told(unix.RTM_NEWROUTE, []byte{2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0}, attribute(unix.RTA_TABLE, 1, 2), attribute(unix.RTA_GATEWAY)))
	f.Add([]byte("\"\x00\x00\x00\x18\x0000000000000000000\x010000\x06\x000000000000")) // the last attribute lacks its padding
	f.Fuzz(func(t *testing.T, b []byte) {
		n := network{}
		n.read(b)
		if n.read(b) && len(n) == 0 {
			t.Error("nothing is known, and it was news twice")
		}
		if len(n) > len(b)/unix.SizeofNlMsghdr {
			t.Errorf("%d things in %d bytes", len(n), len(b))
		}
	})
}
