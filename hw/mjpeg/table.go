package mjpeg

// codes is one Huffman table (T.81 C.2). The zero value has no codes. It is
// comparable: equal ones have equal codes.
type codes struct {
	bound  [17]uint32 // first 16-bit window beyond the codes of a length
	offset [17]int32  // from a code of a length to its place in values
	values [256]byte
}

// set takes the number of codes of each length, 1 to 16, and their values.
func (c *codes) set(counts, values []byte) bool {
	*c = codes{}
	code, n := uint32(0), int32(0)
	for l := 1; l <= 16; l++ {
		c.offset[l] = n - int32(code)
		code += uint32(counts[l-1])
		n += int32(counts[l-1])
		if code > 1<<l || int(n) > len(values) || n > 256 {
			return false
		}
		c.bound[l] = code << (16 - l)
		code <<= 1
	}
	copy(c.values[:], values[:n])
	return n > 0
}

// find returns the symbol at the start of a window of 16 bits and the length of
// its code, 0 where there is none.
func (c *codes) find(window uint32) (symbol byte, length uint) {
	for l := uint(1); l <= 16; l++ {
		if window < c.bound[l] {
			return c.values[c.offset[l]+int32(window>>(16-l))], l
		}
	}
	return 0, 0
}

const (
	peek = 12 // bits that a look sees
	most = 18 // bits that it takes at most: three looks take less than the 56 there are

	ended = 128 // added to the place in the block by its end
	none  = 256 // added where a look finds nothing: a long code, or none
)

// skipper tells how blocks with one pair of tables are skipped.
type skipper struct {
	dc, ac codes
	// first looks at a block's start: bits taken, the place in the block after
	// that << 8, the difference of the DC coefficient << 16. 0 is none.
	first [1 << peek]uint32
	// more looks at what follows: bits taken, places advanced << 5.
	more [1 << peek]uint16
}

func (s *skipper) build(dc, ac *codes) {
	s.dc, s.ac = *dc, *ac
	for i := range s.first {
		s.first[i], s.more[i] = 0, none<<5
		if bits, places := s.chain(uint(i), 0, 0); places > 0 {
			s.more[i] = uint16(bits | places<<5)
		}
		size, n := dc.find(uint32(i) << (16 - peek))
		if bits := n + uint(size); n > 0 && bits <= peek {
			diff := extend(uint(i)>>(peek-bits), uint(size))
			bits, places := s.chain(uint(i), bits, 1)
			s.first[i] = uint32(bits) | uint32(places)<<8 | uint32(diff)<<16
		}
	}
}

// chain takes AC symbols from the low peek bits of look, of which bits are
// taken, as long as their codes are seen whole; the last one's value need not be.
func (s *skipper) chain(look, bits, places uint) (uint, uint) {
	for bits < peek && places < 64 {
		symbol, n := s.ac.find(uint32(look<<(16-peek+bits)) & 0xFFFF)
		run, size := uint(symbol>>4), uint(symbol&15)
		if n == 0 || bits+n > peek || bits+n+size > most {
			break
		}
		if symbol == 0 {
			return bits + n, places + ended
		}
		if size == 0 && run < 15 || places+run+1 > 64 {
			break
		}
		bits += n + size
		places += run + 1
	}
	return bits, places
}

// extend is the value of size bits (T.81 F.2.2.1).
func extend(bits, size uint) int32 {
	v := int32(bits & (1<<size - 1))
	if size > 0 && v < 1<<(size-1) {
		v += -1<<size + 1
	}
	return v
}
