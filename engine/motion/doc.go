// Package motion turns luma planes into motion: a background model, the blobs
// that do not fit it, the level of motion in zones, and event logic. It imports
// the standard library and engine/frame only.
//
// It knows no camera, no trigger configuration file and no clock: time comes
// with each plane. It starts no goroutine; a Detector belongs to one.
//
// A plane is the means of 8 x 8 blocks. light.go fits one gain and offset to
// it, local.go finds light on a part of it; model.go compares it with the background in that light; blobs.go connects
// what deviates and drops what is no object; follow.go finds the things that stay
// from plane to plane; doubt.go what no event starts with; flicker.go learns what comes and goes in its place; gate.go
// makes events of levels. How
// each step works and where it comes from, and how well the whole does, stands
// in docs/detection.md. All of it goes by the time of the planes, never by their
// number.
package motion
