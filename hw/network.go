package hw

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	networkSettle = 200 * time.Millisecond // from a burst's first event to the call: an address, then its route
	networkPause  = 500 * time.Millisecond // between two calls
	networkBuffer = 64 << 10               // one datagram; the kernel's are at most 32 KiB
)

// networkGroups are the multicast groups of rtnetlink(7).
const networkGroups = 1<<(unix.RTNLGRP_LINK-1) |
	1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1) |
	1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1)

// WatchNetwork calls back whenever the kernel says that the network has become
// more than it was: a link gained its carrier, an address became usable, there is
// a new route. What is lost calls nothing, nor what is there at the start. A burst
// is gathered: the call comes 200 ms after its first event, and once more where more
// comes after that, at most twice a second. back is called by WatchNetwork's own goroutine
// and must return at once.
//
// It blocks until ctx ends and returns ctx's error, or at once why the kernel
// does not let it listen.
func WatchNetwork(ctx context.Context, back func()) error {
	err := watchNetwork(ctx, back)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("watching for the network's return: %w; what waits for it is tried by its own timetable (a sandbox must allow AF_NETLINK)", err)
}

func watchNetwork(ctx context.Context, back func()) error {
	socket, err := listenNetwork()
	if err != nil {
		return err
	}
	defer socket.Close()
	defer context.AfterFunc(ctx, func() { socket.Close() })()

	// Listen first, then ask what is there, so that nothing falls between.
	known, err := presentNetwork()
	if err != nil {
		return err
	}
	buf := make([]byte, networkBuffer)
	var due, last time.Time // due: of the next call; zero where nothing came
	for {
		if err := socket.SetReadDeadline(due); err != nil {
			return err
		}
		n, err := socket.Read(buf)
		more := false
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			due, last = time.Time{}, time.Now()
			back()
			continue
		case errors.Is(err, unix.ENOBUFS): // messages were lost, perhaps the one that matters
			known, more = network{}, true
		case err != nil:
			return err
		default:
			more = known.read(buf[:n])
		}
		if more && due.IsZero() {
			due = time.Now().Add(networkSettle)
			if soonest := last.Add(networkPause); soonest.After(due) {
				due = soonest
			}
		}
	}
}

// listenNetwork opens a socket on which the kernel tells what changes. The kernel
// lets nobody else send to it who could not change the network itself.
func listenNetwork() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("netlink socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: networkGroups}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("netlink bind", err)
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// presentNetwork asks the kernel for all links, addresses and routes.
func presentNetwork() (network, error) {
	known := network{}
	for _, what := range []int{unix.RTM_GETLINK, unix.RTM_GETADDR, unix.RTM_GETROUTE} {
		b, err := syscall.NetlinkRIB(what, unix.AF_UNSPEC)
		if err != nil {
			return nil, os.NewSyscallError("netlink dump", err)
		}
		known.read(b)
	}
	return known, nil
}
