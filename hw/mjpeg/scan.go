package mjpeg

import (
	"bytes"
	"encoding/binary"

	"watchpost/engine/frame"
)

// block is one of an MCU.
type block struct {
	*skipper
	wanted bool // of the component that is read
	x, y   int  // in the MCU, blocks of its component
}

// padding is what is read at most beyond the end of the coded data: one block of
// the longest codes, 31 bits for each coefficient, and the word after it.
const padding = 288

// longest is the bits of the longest code with its value.
const longest = 16 + 15

// read decodes the scan that d.blocks describes, its coded data at the start of
// data, into dst. Restart intervals are read each for itself.
//
// What a picture that is cut short has counts. In one that is not, damage is
// seen late or never: the codes fall into step again, and what follows is read
// well, to be put in the wrong place. So a line of MCUs before a wrong code does
// not count; nothing of an interval that is in order but ends too early; and
// nothing from the first odd interval on where the markers do not add up.
func (d *Decoder) read(dst *frame.Plane, data []byte) {
	h, v := 1, 1
	for _, b := range d.blocks {
		if b.wanted {
			h, v = b.x+1, b.y+1
		}
	}
	m := mcus{dst: dst, h: h, v: v, perRow: (dst.Width + h - 1) / h, quant: d.quant[d.comps[d.want].quant]}
	m.total = m.perRow * ((dst.Height + v - 1) / v)
	interval := d.restart
	if interval == 0 {
		interval = m.total
	}
	if n := len(data) + padding; cap(d.coded) < n {
		d.coded = make([]byte, n+n/4)
	}
	number := 0    // of the marker that ends this interval
	odd := m.total // where the first interval begins that is not as it should be
	for at := 0; at < m.total; {
		n, rest := unstuff(d.coded[:cap(d.coded)], data)
		end := min(at+interval, m.total)
		done, left := d.decode(&m, d.coded[:n+padding], at, end)
		if done < end || left >= 8 {
			odd = min(odd, at)
		}
		if done < end {
			switch {
			case left >= longest: // a wrong code: the damage is before it
				done = max(at, done-m.perRow)
			case len(rest) >= 2 && (rest[1] == EOI || d.restart > 0 && rest[1] == RST0+byte(number)):
				done = at
			}
			d.mark(&m, done, end)
		}
		if d.restart == 0 {
			break
		}
		next, lost, ok := restart(rest, number)
		if lost > 0 { // the data may be of any of these intervals
			odd = min(odd, at)
			end = min(end+lost*interval, m.total)
			d.mark(&m, at, end)
		}
		at = end
		if !ok || at == m.total {
			tooFew := at < m.total && len(rest) >= 2 // and not cut short
			tooMany := ok && !bytes.HasPrefix(next, []byte{0xFF, EOI})
			if tooFew || tooMany {
				at = min(at, odd)
			}
			d.mark(&m, at, m.total)
			break
		}
		data, number = next, (number+1+lost)&7
	}
}

// unstuff copies coded data up to the next marker, the stuffing taken out and
// zeros put behind it, and returns its length and the rest from the marker on.
func unstuff(dst, data []byte) (n int, rest []byte) {
	for {
		i := bytes.IndexByte(data, 0xFF)
		if i < 0 {
			n += copy(dst[n:], data)
			data = nil
			break
		}
		n += copy(dst[n:], data[:i])
		j := i + 1
		for j < len(data) && data[j] == 0xFF { // fill bytes
			j++
		}
		if j == len(data) || data[j] != 0 {
			data = data[j-1:]
			break
		}
		dst[n] = 0xFF
		n++
		data = data[j+1:]
	}
	clear(dst[n : n+padding])
	return n, data
}

// restart finds the restart marker with a number, 0 to 7, in data that begins
// with a marker, and returns what follows it. Where that one is lost it is a later
// one, and lost says by how many. It is not ok where the picture ends.
func restart(data []byte, number int) (rest []byte, lost int, ok bool) {
	for len(data) >= 2 && data[1] != EOI && data[1] != SOS {
		m := data[1]
		data = data[2:]
		i := nextMarker(data)
		if m >= RST0 && m <= RST7 {
			lost := (int(m-RST0) - number) & 7
			if lost == 0 || i < 0 {
				return data, lost, true
			}
			switch data[i+1] {
			case RST0 + byte(number): // damage made this one
			case RST0 + byte(number+1)&7: // its number is wrong
				return data, 0, true
			default:
				return data, lost, true
			}
		}
		if i < 0 {
			break
		}
		data = data[i:]
	}
	return nil, 0, false
}

// nextMarker is the offset of the next marker in coded data, -1 where there is none.
func nextMarker(data []byte) int {
	for i := 0; ; i++ {
		j := bytes.IndexByte(data[i:], 0xFF)
		if j < 0 || i+j+1 >= len(data) {
			return -1
		}
		i += j
		if data[i+1] != 0 && data[i+1] != 0xFF {
			return i
		}
	}
}

// mcus is where the MCUs of a scan lie in the plane.
type mcus struct {
	dst           *frame.Plane
	h, v          int // blocks in one, of the component that is read
	perRow, total int
	quant         int32 // of its DC coefficient
}

// mark makes the blocks of MCUs unknown.
func (d *Decoder) mark(m *mcus, from, to int) {
	p := m.dst
	if from >= to {
		return
	}
	if len(p.Unknown) == 0 {
		if cap(p.Unknown) < len(p.Pix) {
			p.Unknown = make([]byte, len(p.Pix))
		}
		p.Unknown = p.Unknown[:len(p.Pix)]
		clear(p.Unknown)
	}
	for i := from; i < to; i++ {
		x0, y0 := i%m.perRow*m.h, i/m.perRow*m.v
		for y := y0; y < min(y0+m.v, p.Height); y++ {
			for x := x0; x < min(x0+m.h, p.Width); x++ {
				if u := &p.Unknown[y*p.Width+x]; *u == 0 {
					*u = 1
					d.unknown++
				}
			}
		}
	}
}

// decode reads MCUs from at up to end out of coded data without stuffing,
// followed by padding. It returns the first one that is damaged, end for none, and
// how many bits are left, less than none where the data were too short.
//
// The top bits of buf are the next ones; n of them are accounted for, and p is
// the offset of the byte behind these. What buf holds beyond is right too, so
// that a refill needs no branch (Giesen, "Reading bits in far too many ways", 2018).
func (d *Decoder) decode(m *mcus, coded []byte, at, end int) (done, left int) {
	var (
		buf    uint64
		n      uint
		p      int
		size   = len(coded) - padding
		pred   int32
		pix    = m.dst.Pix
		w, h   = m.dst.Width, m.dst.Height
		col    = at % m.perRow * m.h
		row    = at / m.perRow * m.v
		blocks = d.blocks
		quant  = m.quant
	)
mcus:
	for ; at < end; at++ {
		for i := range blocks {
			b := &blocks[i]
			if p > size+8 {
				break mcus
			}
			buf |= binary.BigEndian.Uint64(coded[p:]) >> (n & 63)
			p += int(63-n) >> 3
			n |= 56
			first := uint(b.first[buf>>(64-peek)])
			diff := int32(first) >> 16
			place := first >> 8 & 0xFF
			bits := first & 63
			buf <<= bits
			n -= bits
			if first == 0 { // a long code or difference
				symbol, length := b.dc.find(uint32(buf >> 48))
				if length == 0 || symbol > 11 {
					break mcus
				}
				bits, place = length+uint(symbol), 1
				diff = extend(uint(buf>>(64-bits)), uint(symbol))
				buf <<= bits
				n -= bits
				buf |= binary.BigEndian.Uint64(coded[p:]) >> (n & 63)
				p += int(63-n) >> 3
				n |= 56
			}
			more := &b.more
			for look := uint(0); ; {
				for place < 64 {
					look = uint(more[buf>>(64-peek)])
					bits = look & 31
					buf <<= bits
					n -= bits
					if place += look >> 5; place >= 64 {
						break
					}
					look = uint(more[buf>>(64-peek)])
					bits = look & 31
					buf <<= bits
					n -= bits
					if place += look >> 5; place >= 64 {
						break
					}
					buf |= binary.BigEndian.Uint64(coded[p:]) >> (n & 63)
					p += int(63-n) >> 3
					n |= 56
				}
				if place == 64 || place-ended-1 < 63 {
					break
				}
				// The last look went beyond the block, or found nothing: back, and
				// one symbol on.
				place -= look >> 5
				from := p*8 - int(n+bits)
				p = from >> 3
				buf = binary.BigEndian.Uint64(coded[p:]) << (from & 7)
				n = 56 - uint(from&7)
				p += 7
				symbol, length := b.ac.find(uint32(buf >> 48))
				run, value := uint(symbol>>4), uint(symbol&15)
				switch {
				case length == 0:
					break mcus
				case symbol == 0:
					place += ended
				case value == 0 && run < 15 || place+run+1 > 64:
					break mcus
				default:
					place += run + 1
				}
				buf <<= length + value
				n -= length + value
				buf |= binary.BigEndian.Uint64(coded[p:]) >> (n & 63)
				p += int(63-n) >> 3
				n |= 56
			}
			if b.wanted {
				pred += diff
				v := (pred*quant + 128*8 + 4) >> 3
				if uint32(v) > 255 {
					// No picture of 8-bit samples has such a mean, but for rounding.
					if v < -8-quant/4 || v > 255+8+quant/4 {
						break mcus
					}
					v = min(max(v, 0), 255)
				}
				if x, y := col+b.x, row+b.y; x < w && y < h {
					pix[y*w+x] = byte(v)
				}
			}
		}
		if p*8-int(n) > size*8 {
			break
		}
		if col += m.h; col >= w {
			col, row = 0, row+m.v
		}
	}
	return at, size*8 - (p*8 - int(n))
}
