package hw

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

// JPEG markers (ITU-T T.81, table B.1).
const (
	mTEM   = 0x01
	mSOF0  = 0xC0
	mDHT   = 0xC4
	mJPG   = 0xC8
	mDAC   = 0xCC
	mSOF15 = 0xCF
	mRST0  = 0xD0
	mRST7  = 0xD7
	mSOI   = 0xD8
	mEOI   = 0xD9
	mSOS   = 0xDA
)

// decode decodes one MJPEG frame.
func decode(data []byte) (image.Image, error) {
	data, err := wholeJPEG(data)
	if err != nil {
		return nil, err
	}
	h := readHeader(data)
	if h.w*h.h == 0 || h.w*h.h > maxPixels || h.scan == 0 {
		return nil, fmt.Errorf("%w: no usable header", errDamaged)
	}
	if !h.tables {
		data = withTables(data, h)
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return img, nil
}

// passThrough returns a copy of one MJPEG frame that any program can show.
func passThrough(data []byte) ([]byte, error) {
	data, err := wholeJPEG(data)
	if err != nil {
		return nil, err
	}
	h := readHeader(data)
	if h.w*h.h == 0 || h.scan == 0 {
		return nil, fmt.Errorf("%w: no usable header", errDamaged)
	}
	if !h.tables {
		return withTables(data, h), nil
	}
	return bytes.Clone(data), nil
}

// wholeJPEG checks that a frame has a JPEG's start and end, and returns it
// without the zeros that some cameras pad it with. Drivers do not flag a
// picture that was cut short.
func wholeJPEG(data []byte) ([]byte, error) {
	if len(data) > maxJPEG {
		return nil, fmt.Errorf("%w: %d bytes are too many", errDamaged, len(data))
	}
	data = bytes.TrimRight(data, "\x00")
	switch {
	case len(data) < 128:
		return nil, fmt.Errorf("%w: only %d bytes of JPEG", errDamaged, len(data))
	case !isJPEG(data):
		return nil, fmt.Errorf("%w: it does not start as a JPEG", errDamaged)
	case data[len(data)-2] != 0xFF || data[len(data)-1] != mEOI:
		return nil, fmt.Errorf("%w: its end is missing", errDamaged)
	}
	return data, nil
}

// header is what a JPEG says before its first scan (T.81 B.2).
type header struct {
	w, h   int  // 0 where it does not say
	tables bool // it brings Huffman tables
	scan   int  // offset of the first start of scan, 0 where there is none
}

// readHeader walks a JPEG's segments up to its first scan, or to damage.
func readHeader(data []byte) (h header) {
	for i := 2; i+4 <= len(data) && data[i] == 0xFF; {
		m := data[i+1]
		if m == 0xFF { // fill byte
			i++
			continue
		}
		n := int(data[i+2])<<8 | int(data[i+3])
		if m == 0 || m == mEOI || n < 2 || i+2+n > len(data) {
			return h
		}
		body := data[i+4 : i+2+n]
		switch {
		case m == mSOS:
			h.scan = i
			return h
		case m == mDHT:
			h.tables = true
		case m >= mSOF0 && m <= mSOF15 && m != mJPG && m != mDAC && len(body) >= 6:
			h.h, h.w = int(body[1])<<8|int(body[2]), int(body[3])<<8|int(body[4])
		}
		i += 2 + n
	}
	return h
}

// withTables returns a copy of a JPEG with the standard tables put before its
// first scan. MJPEG may leave them out (AVI's convention); JFIF may not.
func withTables(data []byte, h header) []byte {
	out := make([]byte, 0, len(data)+len(standardTables))
	out = append(out, data[:h.scan]...)
	out = append(out, standardTables...)
	return append(out, data[h.scan:]...)
}

// standardTables is a DHT segment with the typical tables of ITU-T T.81 K.3.
var standardTables = func() []byte {
	tables := []struct {
		class  byte // 0x00 and 0x01 are DC of luma and chroma, 0x10 and 0x11 AC
		counts string
		values string
	}{
		{0x00, "\x00\x01\x05\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"},
		{0x10, "\x00\x02\x01\x03\x03\x02\x04\x03\x05\x05\x04\x04\x00\x00\x01\x7d", "" +
			"\x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07" +
			"\x22\x71\x14\x32\x81\x91\xa1\x08\x23\x42\xb1\xc1\x15\x52\xd1\xf0" +
			"\x24\x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28" +
			"\x29\x2a\x34\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49" +
			"\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69" +
			"\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x83\x84\x85\x86\x87\x88\x89" +
			"\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7" +
			"\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5" +
			"\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2" +
			"\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8" +
			"\xf9\xfa"},
		{0x01, "\x00\x03\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"},
		{0x11, "\x00\x02\x01\x02\x04\x04\x03\x04\x07\x05\x04\x04\x00\x01\x02\x77", "" +
			"\x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71" +
			"\x13\x22\x32\x81\x08\x14\x42\x91\xa1\xb1\xc1\x09\x23\x33\x52\xf0" +
			"\x15\x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26" +
			"\x27\x28\x29\x2a\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48" +
			"\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68" +
			"\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x82\x83\x84\x85\x86\x87" +
			"\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5" +
			"\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3" +
			"\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda" +
			"\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\xf5\xf6\xf7\xf8" +
			"\xf9\xfa"},
	}
	seg := []byte{0xFF, mDHT, 0, 0}
	for _, t := range tables {
		seg = append(seg, t.class)
		seg = append(seg, t.counts...)
		seg = append(seg, t.values...)
	}
	n := len(seg) - 2
	seg[2], seg[3] = byte(n>>8), byte(n)
	return seg
}()
