package mail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

const (
	keepDelivered = 100      // settled mails that are known
	keepCopies    = 32 << 20 // bytes of them that are kept for looking back
	keepDamaged   = 20       // mails in quarantine
	reserveBytes  = 1 << 20  // of the disk, kept for the texts of mails when it is full
)

// spool is the folder:
//
//	queue/ID.eml   the mail as it is sent
//	queue/ID.json  its state; that it is there makes the mail accepted
//	delivered/     both files of the newest settled mails
//	quarantine/    what was found damaged, kept for a person to look at
//	sending        the mail that is being handed to the server
//	reserve        room for texts when the disk is full
//
// It keeps nothing in memory and is not safe for concurrent use.
type spool struct{ dir string }

func (s spool) queue(name string) string     { return filepath.Join(s.dir, "queue", name) }
func (s spool) delivered(name string) string { return filepath.Join(s.dir, "delivered", name) }

// add makes a mail accepted: when it returns nil, both files are on the disk.
func (s spool) add(r record, eml []byte) error {
	if _, err := s.read(r.Mail.ID); errors.Is(err, errVersion) {
		return err
	}
	if err := s.write(r.Mail.ID, eml); err != nil {
		return err
	}
	if err := s.save(r); err != nil {
		durable.Remove(s.queue(r.Mail.ID + ".json")) // where only its fsync failed it is there
		durable.Remove(s.queue(r.Mail.ID + ".eml"))  // without its state it is nothing; a start removes it too
		return err
	}
	return nil
}

func (s spool) write(id string, eml []byte) error {
	return durable.WriteFile(s.queue(id+".eml"), 0o600, eml)
}

// save rewrites a mail's state.
func (s spool) save(r record) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(s.queue(r.Mail.ID+".json"), 0o600, append(b, '\n'))
}

// settle moves a mail out of the queue. The state goes first: a mail without one is no mail.
func (s spool) settle(id string) error {
	if err := durable.Rename(s.queue(id+".json"), s.delivered(id+".json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// Not fsynced: should a power cut undo it, the next start removes the file.
	if err := durable.Move(s.queue(id+".eml"), s.delivered(id+".eml")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// forget removes a settled mail for good.
func (s spool) forget(id string) {
	durable.Remove(s.delivered(id + ".eml"))
	durable.Remove(s.delivered(id + ".json"))
}

// replaced removes the mails that another on the disk stands for. It is not
// fsynced: a start that finds both does it again, and the other cannot leave the
// folder before its outcome is fsynced there.
func (s spool) replaced(ids []string) error {
	for _, id := range ids {
		for _, name := range []string{id + ".json", id + ".eml"} {
			if err := durable.Remove(s.queue(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// forgetCopies removes the copies of settled mails, not what is known of them,
// and returns how many.
func (s spool) forgetCopies() int {
	n := 0
	files, _ := os.ReadDir(s.delivered(""))
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".eml") && durable.Remove(s.delivered(f.Name())) == nil {
			n++
		}
	}
	return n
}

// holdReserve takes the reserve where there is room and reports whether it is
// held; where a file system cannot, there is none to be held. releaseReserve gives
// it up and reports whether there was one.
func (s spool) holdReserve() bool {
	name := filepath.Join(s.dir, "reserve")
	if st, err := os.Stat(name); err == nil && st.Size() == reserveBytes {
		return true
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, reserveBytes); err != nil {
		os.Remove(name)
		return !noRoom(err)
	}
	return true
}

// roomy reports whether so much is free that images do not crowd out texts:
// 16 MB, or an eighth of a small disk.
func (s spool) roomy() bool {
	var fs unix.Statfs_t
	if unix.Statfs(s.dir, &fs) != nil {
		return true
	}
	return fs.Bavail >= min(16e6/uint64(fs.Bsize), fs.Blocks/8)
}

func (s spool) releaseReserve() bool { return os.Remove(filepath.Join(s.dir, "reserve")) == nil }

// sending notes which mail is being handed over, so that after a crash it is
// known which one the server may have; "" is none. It is not fsynced: it matters
// little, and each mail would pay for it.
func (s spool) sending(id string) {
	name := filepath.Join(s.dir, "sending")
	if id == "" {
		os.Remove(name)
		return
	}
	os.WriteFile(name, []byte(id), 0o600)
}

func (s spool) wasSending() string {
	id, _ := os.ReadFile(filepath.Join(s.dir, "sending"))
	return string(id)
}

// load reads the folder, making it if need be, and tidies up what a crash left.
// Damage is set aside and told in problems, a sentence each.
func (s spool) load() (queued []record, settled []event.Mail, problems []string, err error) {
	for _, d := range []string{"", "queue", "delivered", "quarantine"} {
		d = filepath.Join(s.dir, d)
		if err := durable.MkdirAll(d, 0o700); err != nil {
			return nil, nil, nil, fmt.Errorf("mail spool: %w", err)
		}
		if err := durable.Sweep(d); err != nil {
			return nil, nil, nil, fmt.Errorf("mail spool: %w", err)
		}
		// A program that was killed may have renamed a file and not fsynced the
		// folder. From here on what is in it is acted upon.
		if err := durable.SyncDir(d); err != nil {
			return nil, nil, nil, fmt.Errorf("mail spool: %w", err)
		}
	}
	files, err := os.ReadDir(s.queue(""))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("mail spool: %w", err)
	}
	replaced, damaged, others := map[string]bool{}, map[string]error{}, 0
	for _, f := range files {
		id, isState := strings.CutSuffix(f.Name(), ".json")
		if !isState {
			continue
		}
		r, err := s.read(id)
		switch {
		case errors.Is(err, errVersion):
			others++
			continue
		case err != nil && r.Mail.ID != "" && r.mendable():
			r.broken = err
		case err != nil:
			damaged[id] = err
			continue
		}
		queued = append(queued, r)
		for _, of := range r.Mail.Replaces {
			replaced[of] = true
		}
	}
	if others > 0 {
		problems = append(problems, fmt.Sprintf("%d mails in the spool are of another version of this program and wait untouched: install that version to send them.", others))
	}
	for id, why := range damaged {
		if replaced[id] { // half removed
			continue
		}
		p, err := s.quarantine(id, why)
		if err != nil {
			return nil, nil, nil, err
		}
		problems = append(problems, p)
	}
	// A digest was on the disk before what it stands for was removed.
	gone := slices.DeleteFunc(slices.Collect(maps.Keys(replaced)), func(id string) bool {
		_, err := os.Lstat(s.queue(id + ".json"))
		return err != nil
	})
	if len(gone) > 0 {
		if err := s.replaced(gone); err != nil {
			return nil, nil, nil, fmt.Errorf("mail spool: %w", err)
		}
		queued = slices.DeleteFunc(queued, func(r record) bool { return replaced[r.Mail.ID] })
	}
	for _, f := range files {
		id, isMail := strings.CutSuffix(f.Name(), ".eml")
		if !isMail {
			continue
		}
		if _, err := os.Lstat(s.queue(id + ".json")); errors.Is(err, os.ErrNotExist) {
			if err := durable.Remove(s.queue(f.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, nil, nil, fmt.Errorf("mail spool: %w", err)
			}
		}
	}
	settled, err = s.loadSettled()
	return queued, settled, problems, err
}

// read reads one mail's state and looks whether its file is there, with its
// length. Whether it has its hash is seen when it is sent, since a start with
// thousands of mails should not take minutes. With an error, a record that has an
// ID is what its state says.
func (s spool) read(id string) (record, error) {
	if !validID(id) {
		return record{}, errors.New("its name is none of ours")
	}
	b, err := readBounded(s.queue(id + ".json"))
	if err != nil {
		return record{}, err
	}
	r, err := parseRecord(id, b)
	if err != nil {
		return record{}, fmt.Errorf("state: %w", err)
	}
	if r.Former != nil {
		eml, err := os.ReadFile(s.queue(id + ".eml"))
		if err == nil && hashOf(eml) == r.Former.SHA256 {
			r.SHA256, r.Mail.Bytes = r.Former.SHA256, r.Former.Bytes
		}
		r.Former = nil
	}
	if r.Mail.Settled() {
		return r, nil // nobody is to get it any more
	}
	st, err := os.Stat(s.queue(id + ".eml"))
	if err == nil && st.Size() != r.Mail.Bytes {
		err = fmt.Errorf("%d bytes of the %d written", st.Size(), r.Mail.Bytes)
	}
	return r, err
}

// quarantine sets a damaged mail's files aside and returns the sentence that says so.
func (s spool) quarantine(id string, why error) (string, error) {
	to := s.aside(id)
	err := durable.Move(s.queue(id+".eml"), to+".eml")
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = durable.Rename(s.queue(id+".json"), to+".json")
	}
	if err != nil {
		return "", fmt.Errorf("mail spool: %s is damaged (%w) and cannot be set aside: %w", id, why, err)
	}
	s.boundQuarantine()
	return fmt.Sprintf("The mail %s in the spool was damaged: %s. It was set aside as %s.json and .eml, and what it told of is mailed anew; check the disk.", id, sanitise(why.Error()), to), nil
}

// aside is the name for a mail in quarantine; an earlier one of the same name stays.
func (s spool) aside(id string) string {
	base := filepath.Join(s.dir, "quarantine", id)
	to := base
	for i := 2; ; i++ {
		_, jerr := os.Lstat(to + ".json")
		_, merr := os.Lstat(to + ".eml")
		if errors.Is(jerr, os.ErrNotExist) && errors.Is(merr, os.ErrNotExist) {
			return to
		}
		to = fmt.Sprintf("%s.%d", base, i)
	}
}

// boundQuarantine keeps the newest mails there.
func (s spool) boundQuarantine() {
	dir := filepath.Join(s.dir, "quarantine")
	files, _ := os.ReadDir(dir)
	age := func(f os.DirEntry) time.Time {
		st, err := f.Info()
		if err != nil {
			return time.Time{}
		}
		return st.ModTime()
	}
	slices.SortFunc(files, func(a, b os.DirEntry) int { return age(a).Compare(age(b)) })
	var names []string // of mails, the newest last
	for _, f := range files {
		name := strings.TrimSuffix(strings.TrimSuffix(f.Name(), ".json"), ".eml")
		names = append(slices.DeleteFunc(names, func(n string) bool { return n == name }), name)
	}
	for ; len(names) > keepDamaged; names = names[1:] {
		durable.Remove(filepath.Join(dir, names[0]+".json"))
		durable.Remove(filepath.Join(dir, names[0]+".eml"))
	}
}

// loadSettled reads what is known of settled mails, oldest first, and removes
// all but the newest. What cannot be read is of no more use and removed too.
func (s spool) loadSettled() ([]event.Mail, error) {
	files, err := os.ReadDir(s.delivered(""))
	if err != nil {
		return nil, fmt.Errorf("mail spool: %w", err)
	}
	var all []event.Mail
	for _, f := range files {
		id, isState := strings.CutSuffix(f.Name(), ".json")
		if !isState {
			continue
		}
		b, err := readBounded(s.delivered(f.Name()))
		if err == nil {
			var r record
			if r, err = parseRecord(id, b); err == nil {
				all = append(all, r.Mail)
			}
		}
		if err != nil {
			s.forget(id)
		}
	}
	for _, f := range files {
		if id, isMail := strings.CutSuffix(f.Name(), ".eml"); isMail {
			if _, err := os.Lstat(s.delivered(id + ".json")); errors.Is(err, os.ErrNotExist) {
				durable.Remove(s.delivered(f.Name()))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b event.Mail) int { return a.Queued.Compare(b.Queued) })
	return s.bound(all), nil
}

// bound forgets the oldest settled mails, and the copies of those that together are too large.
func (s spool) bound(all []event.Mail) []event.Mail {
	for len(all) > keepDelivered {
		s.forget(all[0].ID)
		all = all[1:]
	}
	var bytes int64
	for _, m := range slices.Backward(all) {
		if bytes += m.Bytes; bytes > keepCopies {
			durable.Remove(s.delivered(m.ID + ".eml"))
		}
	}
	return all
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err == nil && len(b) > maxRecord {
		err = fmt.Errorf("larger than %d bytes", maxRecord)
	}
	return b, err
}
