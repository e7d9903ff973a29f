// Package mail composes notifications, keeps them in a durable spool, sends
// them, classifies what servers reply, and diagnoses why they do not arrive.
//
// It knows no trigger logic, no camera and no screen. Outbox.Run owns its goroutines.
package mail
