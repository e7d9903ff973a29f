package mjpeg

import "errors"

// Markers (T.81, table B.1).
const (
	TEM   = 0x01
	SOF0  = 0xC0
	SOF1  = 0xC1
	SOF2  = 0xC2
	DHT   = 0xC4
	JPG   = 0xC8
	DAC   = 0xCC
	SOF15 = 0xCF
	RST0  = 0xD0
	RST7  = 0xD7
	SOI   = 0xD8
	EOI   = 0xD9
	SOS   = 0xDA
	DQT   = 0xDB
	DRI   = 0xDD
	APP0  = 0xE0
	APP14 = 0xEE
)

// MaxPixels is the largest picture that is read: 8K.
const MaxPixels = 7680 * 4320

var (
	// ErrDamaged is wrapped where nothing of a picture can be used.
	ErrDamaged = errors.New("the picture is damaged")
	// ErrOther is returned for a picture that image/jpeg may read: progressive, RGB, CMYK.
	ErrOther = errors.New("not a sequential JPEG picture in YCbCr or grey")
)

// segment is a marker with what belongs to it.
type segment struct {
	marker byte
	at     int    // offset of the marker
	body   []byte // without its length
	end    int    // offset behind it
}

// next returns the first segment at or behind offset i, passing over fill bytes,
// markers without a body and what is no marker. It is false at the end of data.
func next(data []byte, i int) (s segment, ok bool) {
	for ; i+4 <= len(data); i++ {
		if data[i] != 0xFF {
			continue
		}
		m := data[i+1]
		if m == EOI {
			return segment{marker: m, at: i, end: i + 2}, true
		}
		if m <= TEM || m == 0xFF || m >= RST0 && m <= SOI {
			continue
		}
		n := int(data[i+2])<<8 | int(data[i+3])
		if n < 2 || i+2+n > len(data) {
			return s, false
		}
		return segment{m, i, data[i+4 : i+2+n], i + 2 + n}, true
	}
	return s, false
}

// Header is what a JPEG picture says before its first scan (T.81 B.2).
type Header struct {
	Width, Height int  // 0 where it does not say
	Tables        bool // it brings Huffman tables
	Scan          int  // offset of the first start of scan, 0 where there is none
}

// ReadHeader walks a picture's segments up to its first scan, or to damage.
func ReadHeader(data []byte) (h Header) {
	for i := 2; ; {
		s, ok := next(data, i)
		switch {
		case !ok || s.marker == EOI:
			return h
		case s.marker == SOS:
			h.Scan = s.at
			return h
		case s.marker == DHT:
			h.Tables = true
		case isSOF(s.marker) && len(s.body) >= 6:
			h.Height, h.Width = int(s.body[1])<<8|int(s.body[2]), int(s.body[3])<<8|int(s.body[4])
		}
		i = s.end
	}
}

func isSOF(m byte) bool { return m >= SOF0 && m <= SOF15 && m != DHT && m != JPG && m != DAC }

// WithTables returns a copy of a picture with the standard Huffman tables put
// before its first scan. MJPEG may leave them out (AVI's convention); JFIF may not.
func WithTables(data []byte, h Header) []byte {
	out := make([]byte, 0, len(data)+len(standardTables))
	out = append(out, data[:h.Scan]...)
	out = append(out, standardTables...)
	return append(out, data[h.Scan:]...)
}
