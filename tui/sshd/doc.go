// Package sshd is SSH as a way in: the interface on a terminal, the commands that
// the design allows, and the event store over SFTP, read only. It knows no engine:
// what is shown, done and read is handed to it.
//
// It is golang.org/x/crypto/ssh and not wish, for what wish's sessions do: they say
// yes to an agent, keep every variable that a client sends, take what is written
// to a client for a sign that somebody is there (a clock on the screen keeps an
// idle session for ever), and stop reading requests while nobody takes a window's
// size. Its middlewares would not be used, and it brings some thirty modules.
//
// Server.Run owns every goroutine: the listener's, those of each connection, and
// those of each session; all end before it returns.
package sshd
