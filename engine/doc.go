// Package engine is the run loop: sources, triggers, events, images,
// notifications, and the hub through which they are watched.
//
// It knows no screen, no wire and no device: what it needs of them it declares
// in deps.go and is given. Run owns every goroutine; nothing else starts one.
package engine
