// Package tui is the interface in the terminal, built on Bubble Tea: the app,
// its seven pages, their keys and looks.
//
// It reaches the engine through one small interface, Backend, and only inside a
// tea.Cmd; Update and View do no I/O and wait for nothing. Pages are plain
// structs that the app owns. It opens no device, file or network connection but
// the terminal that it is given, and never decides what is valid: that is
// engine/config.
//
// Run owns every goroutine: Bubble Tea's, one that watches for a stalled line and
// one that waits for the end. All end before Run returns, but for a call to the
// backend that has not ended yet, whose context is then cancelled.
package tui
