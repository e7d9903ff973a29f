// Package benchmail measures the sender and the spool of package mail beside a
// bare dialogue of the same bytes, the disk itself, and the tools that could stand
// in its place: Postfix's sendmail, nullmailer, msmtp and swaks. `make bench-mail`
// prints one table.
//
// All of it is in tests. It judges nothing by time and starts no goroutine outside
// a test: TestTable runs only with -table, the other tests hold the instruments.
package benchmail
