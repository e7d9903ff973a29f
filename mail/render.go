package mail

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"watchpost/engine/event"
)

// rendered is a mail ready for the spool.
type rendered struct {
	record
	eml []byte
}

// render makes a mail of a notice. date is also when it entered the queue.
func (o *Outbox) render(n event.Notice, head letterhead, date time.Time) (rendered, error) {
	l, err := compose(n, form{letterhead: head, version: o.options.Version, date: date})
	if err != nil {
		return rendered{}, err
	}
	r := record{
		Version: recordVersion, Envelope: l.envelope, Date: date, Notice: n,
		Mail: event.Mail{ID: n.ID, Kind: n.Kind, Event: n.Event, MessageID: l.messageID,
			At: n.At, Queued: date, Firings: n.Seqs, FiringCount: n.Count(), Trigger: triggerNames(n)},
	}
	switch {
	case n.Kind == event.Images:
		r.Mail.Trigger = n.Title
	case n.Count() == 0:
		r.Mail.Trigger = ""
	}
	if n.Kind == event.Images {
		r.Mail.Trigger = plainText(n.Title)
	}
	r.Head = head
	r.take(l)
	for _, a := range l.recipients {
		r.Mail.Recipients = append(r.Mail.Recipients, event.Recipient{Address: a, State: event.Pending})
	}
	return rendered{r, l.bytes}, nil
}

// take notes what of a letter the record tells.
func (r *record) take(l letter) {
	r.SHA256, r.Mail.Bytes = hashOf(l.bytes), int64(len(l.bytes))
	r.From, r.UTF8, r.Mail.Subject = l.from, l.utf8, l.subject
	r.Captions = nil
	for _, im := range l.images {
		r.Captions = append(r.Captions, event.Image{At: im.At, Level: im.Level})
	}
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// smaller renders a mail of the spool again, at most limit bytes, with smaller
// images and then fewer; why is the sentence that says so in its text. ok is false
// where it is as small as it gets. Called with disk held, and only where no server
// can have the mail.
func (o *Outbox) smaller(e *entry, limit int64, why string) (ok bool, err error) {
	images, err := o.images(e, max(summaryImages, mostImages(e.Mail.Kind)))
	if err != nil || len(images) == 0 {
		return false, err
	}
	const b64 = 78. / 57 // base64 in lines of 76 and CR LF
	text := e.Mail.Bytes - int64(float64(total(images))*b64) - 1000
	fitting := fitImages(images, max(0, int(float64(limit-text)/b64)-1000))
	if total(fitting) >= total(images) {
		fitting = fitImages(images, total(images)*3/4) // the estimate was off: at least a good step down
	}
	return true, o.rewrite(e, e.Head, fitting, why)
}

// images are those of a mail of the spool, at most n.
func (o *Outbox) images(e *entry, n int) ([]event.Image, error) {
	f, err := os.Open(o.spool.queue(e.Mail.ID + ".eml"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return imagesOf(f, e.Captions, n)
}

// rewrite renders a mail of the spool again, with another letterhead or other
// images; its recipients, its Message-ID and its date stay. Called with disk held.
func (o *Outbox) rewrite(e *entry, head letterhead, images []event.Image, note string) error {
	r := e.record.clone()
	n := r.Notice
	n.Images = images
	head.Destinations = r.Head.Destinations
	date := r.Date
	if date.IsZero() {
		date = r.Mail.Queued
	}
	l, err := compose(n, form{letterhead: head, version: o.options.Version, date: date, messageID: r.Mail.MessageID, note: note})
	if err != nil {
		return err
	}
	// At no moment do state and mail contradict each other: the state knows both
	// versions while one takes the place of the other.
	r.Former = &version{r.SHA256, r.Mail.Bytes}
	r.Head = head
	r.take(l)
	if err := o.spool.save(r); err != nil {
		return err
	}
	if err := o.spool.write(r.Mail.ID, l.bytes); err != nil {
		// Where only an fsync failed the new one is there, but not for good: the
		// state goes on knowing both.
		there, rerr := o.spool.read(r.Mail.ID)
		if rerr != nil {
			return errors.Join(err, rerr)
		}
		if there.Former = r.Former; there.SHA256 != r.SHA256 {
			there.Former = &version{r.SHA256, r.Mail.Bytes}
		}
		o.mu.Lock()
		o.bytes += there.Mail.Bytes - e.Mail.Bytes
		e.record = there
		o.mu.Unlock()
		return err
	}
	r.Former = nil
	_ = o.spool.save(r) // where it fails the next change does it
	o.mu.Lock()
	o.bytes += r.Mail.Bytes - e.Mail.Bytes
	e.record = r
	o.mu.Unlock()
	return nil
}

// noRoom reports that a disk or quota is full.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

const diskFullNote = "Images were made smaller or left out: the disk of the camera is full."

// addSmaller spools a mail on a full disk: with smaller images, then with none,
// and then in what makeRoom frees. Called with disk held.
func (o *Outbox) addSmaller(n event.Notice, head letterhead, date time.Time) (r rendered, err error) {
	if len(n.Images) > 0 {
		n.Notes = append(n.Notes[:len(n.Notes):len(n.Notes)], diskFullNote)
	}
	err = syscall.ENOSPC
	for limit := total(n.Images) / 8; noRoom(err); limit = 0 {
		if len(n.Images) == 0 && !o.makeRoom() {
			o.fullness("mail: the disk is full and a notification could not be kept, not even without images: free some space; it waits and is tried again")
			return r, err
		}
		n.Images = fitImages(n.Images, limit)
		if r, err = o.render(n, head, date); err != nil {
			return r, err
		}
		err = o.spool.add(r.record, r.eml)
	}
	if err == nil {
		o.fullness("mail: the disk is full: images are left out of notifications, their text is kept: free some space")
	}
	return r, err
}

// fullness notes whether there is room for mails.
func (o *Outbox) fullness(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if text != "" && text != o.full {
		o.options.Log.Error("mail spool", "problem", text)
	}
	o.full = text
}

// textOnly reports whether the disk was full and there is no good room yet: an
// image would take what the texts need. Called with disk held.
func (o *Outbox) textOnly() bool {
	o.mu.Lock()
	full := o.full != ""
	o.mu.Unlock()
	if full && o.spool.roomy() && o.spool.holdReserve() {
		o.fullness("")
		full = false
	}
	return full
}

// makeRoom frees space for the text of a notification: the copies of what is
// delivered, then a reserve, in which images of mails that wait are left out,
// oldest first, until the reserve is there again. It reports whether it is worth
// another try. Called with disk held.
func (o *Outbox) makeRoom() bool {
	if o.spool.forgetCopies() > 0 {
		return true
	}
	released := o.spool.releaseReserve()
	thinned := false
	for !thinned || released && !o.spool.holdReserve() {
		if !o.thin() {
			break
		}
		thinned = true
	}
	return released || thinned
}

// thin leaves the images out of the oldest mail that waits and has some.
func (o *Outbox) thin() bool {
	o.mu.Lock()
	var oldest *entry
	for _, e := range o.mails {
		busy := o.now != nil && o.now.id == e.Mail.ID || e.Handed
		if !busy && len(e.Captions) > 0 && !e.Mail.Settled() && (oldest == nil || e.Mail.At.Before(oldest.Mail.At)) {
			oldest = e
		}
	}
	o.mu.Unlock()
	if oldest == nil {
		return false
	}
	ok, err := o.smaller(oldest, 0, diskFullNote)
	if err != nil {
		o.options.Log.Warn("mail spool", "problem", fmt.Sprintf("no room for mail %s without its images: %v", oldest.Mail.ID, err))
	}
	return ok && err == nil
}
