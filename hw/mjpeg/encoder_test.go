package mjpeg

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
)

// picture of random coefficients, as any encoder may write it.
type sample struct {
	w, h        int
	sampling    [][2]byte // of each component
	restart     int       // MCUs
	apart       bool      // a scan each
	chromaFirst bool      // with apart
	noTables    bool      // standard ones, left out
	shuffled    uint64    // other tables than the standard ones, by this seed
	wide        bool      // quantisation tables of 16 bits
	fill        bool      // fill bytes before markers
	extended    bool      // SOF1
	quant       int
	busy        int // how many of 64 coefficients are not zero, at most
	loud        int // their largest value
	seed        uint64
	progressive bool // DC alone
	ids         string
}

// encode returns the picture, the plane that its DC coefficients make, and where
// in it each restart interval begins (without the marker).
func (s sample) encode() (pic, pix []byte, parts []int) {
	r := rand.New(rand.NewPCG(s.seed, 1))
	var b bytes.Buffer
	seg := func(m byte, body ...byte) {
		if s.fill {
			b.WriteString("\xFF\xFF")
		}
		b.Write([]byte{0xFF, m, byte((len(body) + 2) >> 8), byte(len(body) + 2)})
		b.Write(body)
	}
	b.Write([]byte{0xFF, SOI})
	q := s.quant
	for id := range byte(2) {
		body := []byte{id}
		for i := range 64 {
			v := q
			if i > 0 {
				v = 1 + i%3
			}
			if s.wide {
				body = append(body, byte(v>>8))
			}
			body = append(body, byte(v))
		}
		if s.wide {
			body[0] |= 0x10
		}
		seg(DQT, body...)
	}
	sof := byte(SOF0)
	if s.extended {
		sof = SOF1
	}
	if s.progressive {
		sof = SOF2
	}
	ids := s.ids
	if ids == "" {
		ids = "\x01\x02\x03\x04"
	}
	body := []byte{8, byte(s.h >> 8), byte(s.h), byte(s.w >> 8), byte(s.w), byte(len(s.sampling))}
	hm, vm := 1, 1
	for i, c := range s.sampling {
		body = append(body, ids[i], c[0]<<4|c[1], byte(min(i, 1)))
		hm, vm = max(hm, int(c[0])), max(vm, int(c[1]))
	}
	seg(sof, body...)
	tables := standardTables[4:]
	if s.shuffled != 0 {
		tables = shuffle(tables, s.shuffled)
	}
	if !s.noTables {
		seg(DHT, tables...)
	}
	enc := encoderOf(tables)
	if s.restart > 0 {
		seg(DRI, byte(s.restart>>8), byte(s.restart))
	}

	pw, ph := (s.w+7)/8, (s.h+7)/8
	pix = make([]byte, pw*ph)
	var scans [][]int
	for i := range s.sampling {
		if i == 0 || s.apart {
			scans = append(scans, nil)
		}
		scans[len(scans)-1] = append(scans[len(scans)-1], i)
	}
	if s.chromaFirst {
		scans[0], scans[len(scans)-1] = scans[len(scans)-1], scans[0]
	}
	for _, scan := range scans {
		body := []byte{byte(len(scan))}
		for _, c := range scan {
			body = append(body, ids[c], byte(min(c, 1))*0x11)
		}
		se := byte(63)
		if s.progressive {
			se = 0
		}
		seg(SOS, append(body, 0, se, 0)...)
		w := &bitWriter{b: &b}
		mw, mh := (s.w+8*hm-1)/(8*hm), (s.h+8*vm-1)/(8*vm)
		if len(scan) == 1 {
			c := s.sampling[scan[0]]
			if len(s.sampling) == 1 {
				c = [2]byte{byte(hm), byte(vm)}
			}
			mw, mh = (s.w*int(c[0])+8*hm-1)/(8*hm), (s.h*int(c[1])+8*vm-1)/(8*vm)
		}
		var pred [4]int
		if scan[0] == 0 {
			parts = append(parts, b.Len())
		}
		for m := range mw * mh {
			if s.restart > 0 && m > 0 && m%s.restart == 0 {
				w.flush()
				if s.fill {
					b.WriteByte(0xFF)
				}
				b.Write([]byte{0xFF, RST0 + byte(m/s.restart-1)&7})
				pred = [4]int{}
				if scan[0] == 0 {
					parts = append(parts, b.Len())
				}
			}
			for _, c := range scan {
				ch, cv := int(s.sampling[c][0]), int(s.sampling[c][1])
				if len(scan) == 1 {
					ch, cv = 1, 1
				}
				for k := range ch * cv {
					dc := r.IntN(2*1016/q+1) - 1016/q
					if r.IntN(2) == 0 && abs(pred[c]+3) <= 1016/q {
						dc = pred[c] + r.IntN(4)
					}
					w.dc(enc, min(c, 1), dc-pred[c])
					pred[c] = dc
					if !s.progressive {
						w.ac(enc, min(c, 1), s.coefficients(r))
					}
					x, y := m%mw*ch+k%ch, m/mw*cv+k/ch
					if c == 0 && x < pw && y < ph {
						pix[y*pw+x] = byte(min(max((dc*q+4)>>3+128, 0), 255))
					}
				}
			}
		}
		w.flush()
	}
	if s.fill {
		b.WriteByte(0xFF)
	}
	b.Write([]byte{0xFF, EOI})
	return b.Bytes(), pix, parts
}

func abs(x int) int { return max(x, -x) }

func (s sample) coefficients(r *rand.Rand) (ac [63]int) {
	if s.busy == 0 {
		return
	}
	for range r.IntN(s.busy + 1) {
		v := 1 + r.IntN(s.loud)
		if r.IntN(2) == 0 {
			v = -v
		}
		ac[r.IntN(63)] = v
	}
	if s.busy == 64 && r.IntN(4) == 0 { // full up to the last
		for i := range ac {
			ac[i] = 1 + r.IntN(s.loud)
		}
	}
	return ac
}

type bitWriter struct {
	b    *bytes.Buffer
	acc  uint64
	bits uint
}

func (w *bitWriter) put(v uint64, n uint) {
	w.acc, w.bits = w.acc<<n|v&(1<<n-1), w.bits+n
	for ; w.bits >= 8; w.bits -= 8 {
		c := byte(w.acc >> (w.bits - 8))
		if w.b.WriteByte(c); c == 0xFF {
			w.b.WriteByte(0)
		}
	}
}

func (w *bitWriter) flush() {
	if w.bits > 0 {
		w.put(1<<(8-w.bits)-1, 8-w.bits)
	}
	w.acc, w.bits = 0, 0
}

func (w *bitWriter) value(v int, size uint) {
	if v < 0 {
		v += 1<<size - 1
	}
	w.put(uint64(v), size)
}

func sizeOf(v int) (n uint) {
	for v = abs(v); v > 0; v >>= 1 {
		n++
	}
	return n
}

func (w *bitWriter) dc(e *encoder, table, diff int) {
	n := sizeOf(diff)
	w.symbol(e[table], byte(n))
	w.value(diff, n)
}

func (w *bitWriter) ac(e *encoder, table int, ac [63]int) {
	run := 0
	for _, v := range ac {
		if v == 0 {
			run++
			continue
		}
		for ; run > 15; run -= 16 {
			w.symbol(e[2+table], 0xF0)
		}
		n := sizeOf(v)
		w.symbol(e[2+table], byte(run)<<4|byte(n))
		w.value(v, n)
		run = 0
	}
	if run > 0 {
		w.symbol(e[2+table], 0)
	}
}

func (w *bitWriter) symbol(t map[byte][2]uint, s byte) {
	c, ok := t[s]
	if !ok {
		panic(fmt.Sprintf("no code for %X", s))
	}
	w.put(uint64(c[0]), c[1])
}

// encoder gives the code and its length of a symbol: DC 0, DC 1, AC 0, AC 1.
type encoder [4]map[byte][2]uint

var encoders sync.Map // by the tables

func encoderOf(tables []byte) *encoder {
	if e, ok := encoders.Load(string(tables)); ok {
		return e.(*encoder)
	}
	var e encoder
	for b := tables; len(b) > 0; {
		at := b[0]&1 + b[0]>>4*2
		e[at] = map[byte][2]uint{}
		code, n := uint(0), 17
		for l := uint(1); l <= 16; l++ {
			for range b[l] {
				e[at][b[n]] = [2]uint{code, l}
				code++
				n++
			}
			code <<= 1
		}
		b = b[n:]
	}
	encoders.Store(string(tables), &e)
	return &e
}

// shuffle gives the symbols of each table other codes.
func shuffle(tables []byte, seed uint64) []byte {
	out := bytes.Clone(tables)
	r := rand.New(rand.NewPCG(seed, 2))
	for b := out; len(b) > 0; {
		n := 17
		for _, c := range b[1:17] {
			n += int(c)
		}
		r.Shuffle(n-17, func(i, j int) { b[17+i], b[17+j] = b[17+j], b[17+i] })
		b = b[n:]
	}
	return out
}
