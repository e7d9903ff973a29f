package main

import (
	"fmt"
	"path/filepath"
	"syscall"

	"watchpost/engine/event"
	"watchpost/engine/store"
)

// exportBytes is about what an event takes where it is exported to.
func exportBytes(e event.Stored) int64 {
	const perFile = 1 << 10 // its heads, its padding, and its lines in event.json
	n := int64(perFile * (len(e.Images) + 1))
	for _, im := range e.Images {
		n += int64(im.Bytes)
	}
	return n
}

// room refuses an export that would not fit into dir, or leave less of its disk than
// the store keeps free: events would go for it, or the box could write no mail.
func (x *export) room(dir string) error {
	var fs syscall.Statfs_t
	at := dir
	for syscall.Statfs(at, &fs) != nil { // a folder that is still to be made
		up := filepath.Dir(at)
		if up == at {
			return nil // writing there tells why
		}
		at = up
	}
	free, size := int64(fs.Bavail)*fs.Bsize, int64(fs.Blocks)*fs.Bsize
	if fits(x.needs, free, size) {
		return nil
	}
	return fmt.Errorf("the export takes about %.1f MB, and the disk of %s has %.1f MB free, of which %.1f MB stay free for the box: make room, or choose fewer events or another disk",
		float64(x.needs)/1e6, dir, float64(free)/1e6, float64(store.Reserve(size))/1e6)
}

// fits reports whether a disk of size bytes takes so many. What is not known fits.
func fits(needs, free, size int64) bool {
	return size <= 0 || needs == 0 || needs <= free-store.Reserve(size)
}
