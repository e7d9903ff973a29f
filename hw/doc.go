// Package hw is the devices: cameras (V4L2 through go4vl, clips, the generated
// scene), turning their frames into luma and JPEG, and later sensors and sound.
//
// It knows no trigger, no configuration and no screen. A device starts no
// goroutine in its constructor. Run owns what it needs and ends it before it
// returns; an open Clip owns its ffmpeg, which Close ends and reaps.
package hw
