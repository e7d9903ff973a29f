// Package mail composes notifications, keeps them in a durable spool, sends
// them, classifies what servers reply, and diagnoses why they do not arrive.
//
// A notice is rendered once, on Submit; the bytes on the disk are what every
// attempt sends, so that Message-ID, Date and boundaries never change. What
// becomes of each recipient is kept beside them in a file of its own.
//
// It knows no trigger logic, no camera and no screen. Open starts nothing:
// Outbox.Run is the one goroutine that sends.
package mail
