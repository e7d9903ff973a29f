package hw

import (
	"encoding/binary"

	"watchpost/engine/frame"
)

const (
	scale = 8 // pixels a block side
	low   = 0x00FF00FF00FF00FF
	sum4  = 0x0001000100010001 // adds the four 16-bit lanes into the topmost
)

// planarMeans fills dst with the block means of w x h samples.
func planarMeans(dst *frame.Plane, pix []byte, stride, w, h int) {
	dst.Resize(w, h, scale)
	for by := range dst.Height {
		rows := min(scale, h-by*scale)
		band := pix[by*scale*stride:]
		out := dst.Pix[by*dst.Width:][:dst.Width]
		for bx := range out {
			cols := min(scale, w-bx*scale)
			at := bx * scale
			if cols < scale || rows < scale {
				out[bx] = edgeMean(band[at:], stride, cols, rows, 1)
				continue
			}
			// Eight samples are one word; even and odd ones are added in lanes
			// of 16 bits, which hold 16 samples of 255 easily.
			var acc uint64
			for range scale {
				x := binary.LittleEndian.Uint64(band[at:])
				acc += x&low + x>>8&low
				at += stride
			}
			out[bx] = byte((acc*sum4>>48 + 32) >> 6)
		}
	}
}

// packedMeans does the same for 4:2:2 with luma and chroma interleaved.
func packedMeans(dst *frame.Plane, pix []byte, stride, w, h int, chromaFirst bool) {
	dst.Resize(w, h, scale)
	shift := 0
	if chromaFirst {
		shift = 8
	}
	for by := range dst.Height {
		rows := min(scale, h-by*scale)
		band := pix[by*scale*stride:]
		out := dst.Pix[by*dst.Width:][:dst.Width]
		for bx := range out {
			cols := min(scale, w-bx*scale)
			at := bx * scale * 2
			if cols < scale || rows < scale {
				out[bx] = edgeMean(band[at+shift/8:], stride, cols, rows, 2)
				continue
			}
			var acc uint64
			for range scale {
				line := band[at : at+16]
				acc += binary.LittleEndian.Uint64(line)>>shift&low + binary.LittleEndian.Uint64(line[8:])>>shift&low
				at += stride
			}
			out[bx] = byte((acc*sum4>>48 + 32) >> 6)
		}
	}
}

// chromaMeans fills dst with the block means of w x h samples that lie step bytes apart.
func chromaMeans(dst *frame.Plane, pix []byte, stride, w, h, step int) {
	dst.Resize(w, h, scale)
	for by := range dst.Height {
		for bx := range dst.Width {
			at := by*scale*stride + bx*scale*step
			dst.Pix[by*dst.Width+bx] = edgeMean(pix[at:], stride, min(scale, w-bx*scale), min(scale, h-by*scale), step)
		}
	}
}

// edgeMean is the mean of a block, also of one that the picture's edge cuts.
func edgeMean(pix []byte, stride, cols, rows, step int) byte {
	sum := 0
	for j := range rows {
		for i := range cols {
			sum += int(pix[j*stride+i*step])
		}
	}
	n := cols * rows
	return byte((sum + n/2) / n)
}
