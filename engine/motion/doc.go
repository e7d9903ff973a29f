// Package motion turns luma planes into motion: a background model, the blobs
// that do not fit it, the level of motion in zones, and event logic. It imports
// the standard library and engine/frame only.
//
// It knows no camera, no trigger configuration file and no clock: time comes
// with each plane. It starts no goroutine; a Detector belongs to one.
//
// # How it works
//
// A plane is the means of 8 x 8 blocks. For each one
//
//   - light.go fits one gain and offset to the whole picture against the
//     background, by least squares over the blocks that agree (trimmed least
//     squares: Rousseeuw 1984), with a search over gains where a light was
//     switched. What fits is exposure or light, not motion.
//   - model.go compares each block with its background in that light: a running
//     mean with its own noise (Wren et al., Pfinder, 1997) and the mean that it
//     had before, so that uncovered ground is known again (two modes in the
//     sense of Stauffer and Grimson 1999). It learns where nothing moves, not
//     under an event, and faster what changed and stayed outside one. A short
//     mean beside the long one tells what stands still (Porikli et al. 2008).
//   - blobs.go connects deviating blocks with two thresholds (hysteresis: Canny
//     1986) and drops what is tiny or has no edge: soft shadows and lamps scale
//     the scene smoothly (brightness distortion: Horprasert et al. 1999). A
//     still blob whose outline stands in the background rather than in the
//     picture is bare ground (Spagnolo et al. 2006): learned, no ghost.
//   - gate.go makes events of levels: a threshold to start, half of it to stay,
//     a least time and a quiet time. Where everything in an event stands still
//     the event rests: it goes on when that moves again, and ends, at its last
//     motion, when something else comes or after the hold time.
//
// All of it goes by the time of the planes, never by their number.
package motion
