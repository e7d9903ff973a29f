package hw

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"watchpost/engine/frame"
)

// compare runs what and floor by turns and reports the time of both and the
// median of their ratio, which a busy machine does not change.
func compare(b *testing.B, what, floor func()) {
	var a, f []time.Duration
	var ratios []float64
	for b.Loop() {
		start := time.Now()
		what()
		middle := time.Now()
		floor()
		end := time.Now()
		a, f = append(a, middle.Sub(start)), append(f, end.Sub(middle))
		ratios = append(ratios, float64(middle.Sub(start))/float64(end.Sub(middle)))
	}
	slices.Sort(ratios)
	b.ReportMetric(float64(slices.Min(a).Microseconds())/1000, "ms")
	b.ReportMetric(float64(slices.Min(f).Microseconds())/1000, "ms-floor")
	b.ReportMetric(ratios[len(ratios)/2], "x-floor")
}

// sumBytes adds all bytes, a word at a time, as fast as that goes: what one pass
// over them costs.
func sumBytes(p []byte) (sum uint64) {
	for len(p) >= 64 {
		var a, b, c, d uint64
		for range min(len(p)/64, 32) { // a lane of 16 bits holds 4 bytes of each turn
			q := p[:64:64]
			p = p[64:]
			w, x, y, z := binary.LittleEndian.Uint64(q), binary.LittleEndian.Uint64(q[8:]), binary.LittleEndian.Uint64(q[16:]), binary.LittleEndian.Uint64(q[24:])
			a += w&low + w>>8&low
			b += x&low + x>>8&low
			c += y&low + y>>8&low
			d += z&low + z>>8&low
			w, x, y, z = binary.LittleEndian.Uint64(q[32:]), binary.LittleEndian.Uint64(q[40:]), binary.LittleEndian.Uint64(q[48:]), binary.LittleEndian.Uint64(q[56:])
			a += w&low + w>>8&low
			b += x&low + x>>8&low
			c += y&low + y>>8&low
			d += z&low + z>>8&low
		}
		for _, v := range [4]uint64{a, b, c, d} {
			sum += v&0xFFFF + v>>16&0xFFFF + v>>32&0xFFFF + v>>48
		}
	}
	for _, v := range p {
		sum += uint64(v)
	}
	return sum
}

var sink uint64

// BenchmarkLumaBesideOnePass: what uncompressed luma costs beside reading the frame once.
func BenchmarkLumaBesideOnePass(b *testing.B) {
	for _, form := range []frame.Format{frame.YUYV, frame.UYVY, frame.NV12, frame.GREY} {
		f := random(form, 1920, 1080, 0)
		b.Run(form.String()+"/1920x1080", func(b *testing.B) {
			var p frame.Plane
			read := f.Data
			if form == frame.NV12 {
				read = read[:1920*1080]
			}
			compare(b, func() { Pictures{}.Luma(&p, f) }, func() { sink += sumBytes(read) })
		})
	}
}
