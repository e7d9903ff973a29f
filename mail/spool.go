package mail

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

// keepDelivered bounds the settled mails that are kept for looking back.
const keepDelivered = 100

// spool is the folder:
//
//	queue/ID.eml   the mail as it is sent, written once
//	queue/ID.json  its state; that it is there makes the mail accepted
//	delivered/     both files of the newest settled mails
//	quarantine/    what was found damaged, kept for a person to look at
//
// It keeps nothing in memory and is not safe for concurrent use.
type spool struct{ dir string }

func (s spool) queue(name string) string     { return filepath.Join(s.dir, "queue", name) }
func (s spool) delivered(name string) string { return filepath.Join(s.dir, "delivered", name) }

// add makes a mail accepted: when it returns nil, both files are on the disk.
func (s spool) add(r record, eml []byte) error {
	if err := durable.WriteFile(s.queue(r.Mail.ID+".eml"), 0o600, eml); err != nil {
		return err
	}
	if err := s.save(r); err != nil {
		os.Remove(s.queue(r.Mail.ID + ".eml")) // without its state it is nothing; a start removes it too
		return err
	}
	return nil
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
	if err := os.Rename(s.queue(id+".eml"), s.delivered(id+".eml")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// forget removes a settled mail for good.
func (s spool) forget(id string) {
	os.Remove(s.delivered(id + ".eml"))
	os.Remove(s.delivered(id + ".json"))
}

// load reads the folder, making it if need be, and tidies up what a crash left.
// Damage is set aside and told in problems, a sentence each.
func (s spool) load() (queued []record, settled []event.Mail, problems []string, err error) {
	for _, d := range []string{"queue", "delivered", "quarantine"} {
		d = filepath.Join(s.dir, d)
		if err := durable.MkdirAll(d, 0o700); err != nil {
			return nil, nil, nil, fmt.Errorf("mail spool: %w", err)
		}
		if err := durable.Sweep(d); err != nil {
			return nil, nil, nil, fmt.Errorf("mail spool: %w", err)
		}
	}
	files, err := os.ReadDir(s.queue(""))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("mail spool: %w", err)
	}
	for _, f := range files {
		id, isState := strings.CutSuffix(f.Name(), ".json")
		if !isState {
			continue
		}
		r, err := s.read(id)
		if err != nil {
			to, qerr := s.quarantine(id)
			if qerr != nil {
				return nil, nil, nil, fmt.Errorf("mail spool: %s is damaged (%w) and cannot be set aside: %w", id, err, qerr)
			}
			problems = append(problems, fmt.Sprintf("The mail %s in the spool is damaged: %s. It was set aside in %s; look at it there.", id, sanitise(err.Error()), to))
			continue
		}
		queued = append(queued, r)
	}
	for _, f := range files {
		id, isMail := strings.CutSuffix(f.Name(), ".eml")
		if !isMail {
			continue
		}
		if _, err := os.Lstat(s.queue(id + ".json")); errors.Is(err, os.ErrNotExist) {
			if err := os.Remove(s.queue(f.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, nil, nil, fmt.Errorf("mail spool: %w", err)
			}
		}
	}
	settled, err = s.loadSettled()
	return queued, settled, problems, err
}

// read reads one mail's state and checks its bytes against it.
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
	f, err := os.Open(s.queue(id + ".eml"))
	if err != nil {
		return record{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, maxLetter+1))
	if err != nil {
		return record{}, err
	}
	if n != r.Mail.Bytes || hex.EncodeToString(h.Sum(nil)) != r.SHA256 {
		return record{}, fmt.Errorf("%d bytes that do not have the hash of the %d written", n, r.Mail.Bytes)
	}
	return r, nil
}

// quarantine sets a mail's files aside and returns where its state went.
func (s spool) quarantine(id string) (string, error) {
	base := filepath.Join(s.dir, "quarantine", id)
	to := base
	for i := 2; ; i++ { // an earlier one of the same name stays
		if _, err := os.Lstat(to + ".json"); errors.Is(err, os.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s.%d", base, i)
	}
	if err := os.Rename(s.queue(id+".eml"), to+".eml"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return to + ".json", durable.Rename(s.queue(id+".json"), to+".json")
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
				os.Remove(s.delivered(f.Name()))
			}
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Queued.Before(all[j].Queued) })
	for len(all) > keepDelivered {
		s.forget(all[0].ID)
		all = all[1:]
	}
	return all, nil
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
