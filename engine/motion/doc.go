// Package motion turns luma planes into motion: a background model, the level of
// motion in zones, and event logic. It imports the standard library and engine/frame only.
//
// It knows no camera, no trigger configuration file and no clock: time comes with each plane. It starts no goroutine.
package motion
