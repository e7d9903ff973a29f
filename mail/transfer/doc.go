// Package transfer takes the images of events to other places: FTP, SFTP,
// HTTP and MQTT servers, and mailboxes. It has the durable queue of what is on its
// way, an outcome for each event, and one target for each kind of place.
//
// It is not the mail spool, though its waiting follows the same rules, and it
// keeps no images: they stay in the event store until they are handed over. Run
// owns its goroutines, one for each configured place.
package transfer
