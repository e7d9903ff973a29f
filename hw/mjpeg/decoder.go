package mjpeg

import (
	"bytes"
	"fmt"
	"slices"

	"watchpost/engine/frame"
)

// Decoder reads pictures one after another. The zero value is ready; it keeps
// tables and memory from one picture to the next and belongs to one goroutine.
type Decoder struct {
	picture
	dc, ac  [4]codes
	tables  []*skipper // of this picture and of those before it, the latest first
	want    int        // which component is read
	blocks  []block    // of an MCU of the scan
	coded   []byte     // a part of the scan without byte stuffing, padded
	unknown int        // blocks marked so
}

// picture is what a picture says before its scan.
type picture struct {
	w, h    int
	comps   []component
	space   [4]component // of comps
	quant   [4]int32     // of the DC coefficient
	restart int          // MCUs between restart markers, 0 for none
	jfif    bool
	adobe   int // its transform, -1 where it does not say
}

type component struct{ id, h, v, quant byte }

// maxTables bounds the memory of a Decoder: 26 KiB each.
const maxTables = 4

// Luma reduces a picture to the mean of each block of 8x8 pixels, 0–255, see the
// package's comment. What could not be read is marked as unknown; what is in Pix there means nothing.
//
// ErrOther is returned for a picture that image/jpeg may read, and an error that
// wraps ErrDamaged where not one block could be read; dst is then undefined.
func (d *Decoder) Luma(dst *frame.Plane, data []byte) error {
	d.want = 0
	return d.plane(dst, data)
}

// Chroma reduces both colour components of a picture to the means of their blocks of
// 8x8 samples, each of which stands for as many pixels as the picture has blocks
// fewer: 16x16 where chroma is 4:2:0. Each takes as long as Luma. A picture without
// colours, and one that Luma returns an error for, is an error.
func (d *Decoder) Chroma(blue, red *frame.Plane, data []byte) error {
	for i, dst := range []*frame.Plane{blue, red} {
		d.want = 1 + i
		if err := d.plane(dst, data); err != nil {
			return err
		}
	}
	return nil
}

// plane reads the component that is wanted.
func (d *Decoder) plane(dst *frame.Plane, data []byte) error {
	if len(data) < 3 || data[0] != 0xFF || data[1] != SOI || data[2] != 0xFF {
		return fmt.Errorf("%w: it does not start as a JPEG", ErrDamaged)
	}
	data = bytes.TrimRight(data, "\x00") // padding, that must not be read as codes where the picture is cut short
	d.picture = picture{adobe: -1}
	d.dc, d.ac = standardDC, standardAC
	for i := 2; ; {
		s, ok := next(data, i)
		if !ok || s.marker == EOI {
			return fmt.Errorf("%w: it ends before its luma", ErrDamaged)
		}
		i = s.end
		good := true
		switch s.marker {
		case SOF0, SOF1:
			if good = d.frame(s.body); !good && len(s.body) > 0 && s.body[0] != 8 {
				return fmt.Errorf("the camera sends JPEG pictures of %d bits, which cannot be read: choose another format", s.body[0])
			}
		case DHT:
			good = d.huffman(s.body)
		case DQT:
			good = d.quantisation(s.body)
		case DRI:
			if good = len(s.body) >= 2; good {
				d.restart = int(s.body[0])<<8 | int(s.body[1])
			}
		case APP0:
			d.jfif = d.jfif || len(s.body) >= 5 && string(s.body[:5]) == "JFIF\x00"
		case APP14:
			if len(s.body) >= 12 && string(s.body[:5]) == "Adobe" {
				d.adobe = int(s.body[11])
			}
		case SOS:
			if d.comps != nil && (d.other() || d.want >= len(d.comps)) {
				return ErrOther
			}
			wanted, ok := d.scan(s.body)
			if good = ok; !wanted {
				break // its coded data is passed over as what is no segment
			}
			c, most := d.comps[d.want], d.comps[0] // T.81 A.1.1; most is what frame makes sure of
			dst.Resize((d.w*int(c.h)+int(most.h)-1)/int(most.h), (d.h*int(c.v)+int(most.v)-1)/int(most.v), 8)
			d.unknown = 0
			d.read(dst, data[s.end:])
			if d.unknown == len(dst.Pix) {
				return fmt.Errorf("%w: nothing of it can be read", ErrDamaged)
			}
			return nil
		default:
			if isSOF(s.marker) {
				return unread(s.marker)
			}
		}
		if !good {
			return fmt.Errorf("%w: a segment of type %X makes no sense", ErrDamaged, s.marker)
		}
	}
}

// unread says why a picture cannot be read by its start of frame.
func unread(sof byte) error {
	switch {
	case sof == SOF2:
		return ErrOther
	case sof >= SOF0+9:
		return fmt.Errorf("the camera sends JPEG pictures with arithmetic coding, which cannot be read: choose another format")
	}
	return fmt.Errorf("the camera sends lossless or hierarchical JPEG pictures, which cannot be read: choose another format")
}

// other reports whether the first component is not luma, as image/jpeg decides it.
func (p *picture) other() bool {
	switch len(p.comps) {
	case 1:
		return false
	case 3:
		c := p.comps
		return !p.jfif && (p.adobe == 0 || c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B')
	}
	return true
}

// frame reads a start of frame (T.81 B.2.2).
func (p *picture) frame(b []byte) bool {
	if len(b) < 6 || p.comps != nil {
		return false
	}
	p.h, p.w = int(b[1])<<8|int(b[2]), int(b[3])<<8|int(b[4])
	n := int(b[5])
	if b[0] != 8 || p.w*p.h == 0 || p.w*p.h > MaxPixels || n < 1 || n > 4 || len(b) < 6+3*n {
		return false
	}
	p.comps = p.space[:n]
	for i := range p.comps {
		c := b[6+3*i:]
		p.comps[i] = component{id: c[0], h: c[1] >> 4, v: c[1] & 15, quant: c[2]}
		if x := p.comps[i]; x.h < 1 || x.h > 4 || x.v < 1 || x.v > 4 || x.quant > 3 {
			return false
		}
		if p.comps[i].h > p.comps[0].h || p.comps[i].v > p.comps[0].v {
			return false // luma with less detail than chroma
		}
	}
	return true
}

// quantisation reads tables of 8 and of 16 bits (T.81 B.2.4.1).
func (p *picture) quantisation(b []byte) bool {
	for len(b) > 0 {
		n := 65
		if b[0]>>4 == 1 {
			n = 129
		}
		if b[0]>>4 > 1 || b[0]&15 > 3 || len(b) < n {
			return false
		}
		q := int32(b[1])
		if n == 129 {
			q = q<<8 | int32(b[2])
		}
		p.quant[b[0]&15] = q
		b = b[n:]
	}
	return true
}

// huffman reads tables (T.81 B.2.4.2).
func (d *Decoder) huffman(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return false
		}
		n := 0
		for _, c := range b[1:17] {
			n += int(c)
		}
		t := &d.dc[b[0]&15]
		if b[0]>>4 == 1 {
			t = &d.ac[b[0]&15]
		}
		if len(b) < 17+n || !t.set(b[1:17], b[17:17+n]) {
			return false
		}
		b = b[17+n:]
	}
	return true
}

// scan reads a start of scan (T.81 B.2.3) and reports whether what is wanted is in it; then
// blocks is an MCU. It is not ok where the scan makes no sense.
func (d *Decoder) scan(b []byte) (wanted, ok bool) {
	if len(b) < 1 || d.comps == nil {
		return false, false
	}
	n := int(b[0])
	if n < 1 || n > len(d.comps) || len(b) < 4+2*n {
		return false, false
	}
	b = b[1 : 1+2*n]
	for i := 0; i < len(b); i += 2 {
		wanted = wanted || b[i] == d.comps[d.want].id
	}
	if !wanted {
		return false, true
	}
	d.blocks = d.blocks[:0]
	for ; len(b) > 0; b = b[2:] {
		at := slices.IndexFunc(d.comps, func(c component) bool { return c.id == b[0] })
		dc, ac := b[1]>>4, b[1]&15
		if at < 0 || dc > 3 || ac > 3 || d.quant[d.comps[d.want].quant] == 0 {
			return false, false
		}
		c := d.comps[at]
		if n == 1 { // not interleaved: an MCU is one block (T.81 A.2.2)
			c.h, c.v = 1, 1
		}
		t := d.skipper(&d.dc[dc], &d.ac[ac])
		for y := range int(c.v) {
			for x := range int(c.h) {
				d.blocks = append(d.blocks, block{skipper: t, wanted: at == d.want, x: x, y: y})
			}
		}
	}
	return true, true
}

// skipper returns the tables for a pair of Huffman tables, made where they are not there yet.
func (d *Decoder) skipper(dc, ac *codes) *skipper {
	at := len(d.tables)
	for i, t := range d.tables {
		if t.dc == *dc && t.ac == *ac {
			at = i
		}
	}
	if at == len(d.tables) {
		if at == maxTables {
			at--
		} else {
			d.tables = append(d.tables, &skipper{})
		}
		d.tables[at].build(dc, ac)
	}
	t := d.tables[at]
	copy(d.tables[1:], d.tables[:at])
	d.tables[0] = t
	return t
}

// The standard tables, for those that a picture does not bring.
var standardDC, standardAC = func() (dc, ac [4]codes) {
	var d Decoder
	d.huffman(standardTables[4:])
	return d.dc, d.ac
}()
