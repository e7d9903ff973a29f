package store

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"watchpost/engine/durable"
)

const indexName = ".index"

// indexHead is the first line of the index. Another one is another form, and the
// index is made anew.
const indexHead = "watchpost events 1: crc32 id bytes images start end flags trigger; made anew where it is missing or damaged\n"

// index is the file that knows the finished events, so that a start need not read
// their folders. A line an event, in text:
//
//	a5d1c3f0 00000042-20261123T205107 123456 12 1795553467512 1795553477512 -k "yard"
//
// CRC-32 of what follows it, id, bytes with eventCost, number of images, start and
// end in Unix milliseconds, flags (-, then k where it is kept, u where its times are
// estimates that can still be corrected), the trigger quoted
// as Go quotes. A later line of an event counts.
//
// A line is appended when an event has ended and its event.json is on the disk,
// and is not fsynced: a power cut may lose the newest lines, which costs the next
// start the reading of as many folders. What is removed needs no line: its folder
// is not there. When lines of removed events are the greater part, and after a
// start that had to read folders, the file is written anew, with fsync.
type index struct {
	path  string
	lines int       // in the file
	stale bool      // something could not be written: it is to be written anew
	retry time.Time // then not before
}

const indexSlack = 1000 // lines of removed events that are no reason to write it anew

// line is the entry's line; with mu held.
func (x *entry) line() []byte {
	b := append(make([]byte, 0, 128), "00000000 "...)
	b = append(b, x.id...)
	for _, n := range []int64{x.bytes, int64(x.images), x.start, x.end} {
		b = strconv.AppendInt(append(b, ' '), n, 10)
	}
	b = append(b, " -"...)
	if x.keep {
		b = append(b, 'k')
	}
	if x.unset {
		b = append(b, 'u')
	}
	b = append(b, ' ')
	b = strconv.AppendQuote(b, x.trigger)
	copy(b, fmt.Sprintf("%08x", crc32.ChecksumIEEE(b[9:])))
	return append(b, '\n')
}

// parseLine reads what line writes, without the line's end.
func parseLine(b []byte) (id []byte, x entry, ok bool) {
	if len(b) < 9 {
		return nil, x, false
	}
	sum, err := strconv.ParseUint(string(b[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.ChecksumIEEE(b[9:]) {
		return nil, x, false
	}
	id, rest, _ := bytes.Cut(b[9:], []byte(" "))
	var n [4]int64
	for i := range n {
		var field []byte
		field, rest, _ = bytes.Cut(rest, []byte(" "))
		if n[i], err = strconv.ParseInt(string(field), 10, 64); err != nil {
			return nil, x, false
		}
	}
	flags, quoted, _ := bytes.Cut(rest, []byte(" "))
	trigger, err := strconv.Unquote(string(quoted))
	x = entry{bytes: n[0], images: int(n[1]), start: n[2], end: n[3], trigger: trigger, keep: bytes.ContainsRune(flags, 'k'), unset: bytes.ContainsRune(flags, 'u')}
	return id, x, err == nil && x.bytes > 0 && x.images >= 0 && x.end != 0
}

// load fills in what the index knows of the events in order; the bytes of the
// others stay 0. It is sound where there is no reason to write it anew.
func (ix *index) load(order []*entry) (sound bool) {
	ix.lines, ix.stale, ix.retry = 0, false, time.Time{}
	data, err := os.ReadFile(ix.path)
	rest, ok := bytes.CutPrefix(data, []byte(indexHead))
	if err != nil || !ok {
		return false
	}
	sound = true
	names := map[string]string{} // one copy of each trigger's name
	next := 0
	for len(rest) > 0 {
		var line []byte
		var whole bool
		line, rest, whole = bytes.Cut(rest, []byte("\n"))
		id, x, ok := parseLine(line)
		if !ok || !whole {
			sound = false
			continue
		}
		ix.lines++
		// The lines mostly stand in the order of the events.
		i, found := next, next < len(order) && order[next].id == string(id)
		if !found {
			i, found = slices.BinarySearchFunc(order, string(id), func(e *entry, id string) int { return compareIDs(e.id, id) })
		}
		if next = i; !found {
			continue // it was removed
		}
		next++
		if name, ok := names[x.trigger]; ok {
			x.trigger = name
		} else {
			names[x.trigger] = x.trigger
		}
		x.id = order[i].id
		*order[i] = x
	}
	return sound && !ix.large(len(order))
}

func (ix *index) large(events int) bool { return ix.lines > 2*events+indexSlack }

// record appends a line.
func (s *Store) record(line []byte) {
	s.mu.Lock()
	events := len(s.order)
	s.mu.Unlock()
	if s.index.stale || s.index.large(events) {
		s.checkpoint()
		return
	}
	s.index.stale = s.index.append(line) != nil
}

func (ix *index) append(line []byte) error {
	// It is not held open: that would keep a disk from being unmounted.
	if _, err := os.Lstat(ix.path); err != nil {
		return err
	}
	f, err := durable.Open(ix.path, 0o640)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = f.WriteAt(line, st.Size())
	ix.lines++
	return err
}

// checkpoint writes the index anew. Where it fails, the old one is as true as it
// was, and it is tried again later: on a full disk not for each event.
func (s *Store) checkpoint() {
	ix := &s.index
	ix.stale = true
	if time.Since(ix.retry) < 0 {
		return
	}
	ix.retry = time.Now().Add(time.Minute)
	s.mu.Lock()
	text := append(make([]byte, 0, 128*len(s.order)+len(indexHead)), indexHead...)
	n := 0
	for _, x := range s.order {
		if x.end != 0 && !x.damaged { // those are looked at again at each start
			text = append(text, x.line()...)
			n++
		}
	}
	s.mu.Unlock()
	err := durable.Write(ix.path, 0o640, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err == nil {
		ix.lines, ix.stale, ix.retry = n, false, time.Time{}
	}
}
