// Package tui is the Bubble Tea interface: the app, its pages, theme and keys.
//
// It reaches the engine through one small interface (Backend), inside a tea.Cmd
// only, and opens no device, file or network connection itself.
package tui
