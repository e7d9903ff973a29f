package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"watchpost/engine/durable/powercut"
)

// The facts of a power cut test: what has been begun and what was acknowledged.
// A configuration is known by its number, which is in its subject and its password.
type (
	began  struct{ save, mark int } // one of them set; by a restore both
	done   struct{ save, mark int }
	edited string // a person's edit with an error took the configuration's place
)

// numbers is which configuration and which secrets stand in the files; 0: none.
type numbers struct{ config, secrets int }

func pairOf(l Loaded) (p numbers) {
	fmt.Sscanf(l.Config.Mail.Subject, "number %d", &p.config)
	fmt.Sscanf(l.Secrets.SMTPPassword, "secret %d", &p.secrets)
	return p
}

// A power cut at any moment of a save or a restore leaves the configuration as it
// was or as it is to be, with the password that belongs to it, and the last good
// copies whole; and each fsync is needed for that.
func TestPowerCut(t *testing.T) {
	_, nine := backedUp(t, made(t, "mail: {subject: number 9}\n", "smtp: {password: secret 9}\n"), true)
	root := t.TempDir()
	rec, err := powercut.Record(root)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "etc", "watchpost", "watchpost.yaml")
	f := Open(path)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	save := func(n int, secret bool) Loaded {
		t.Helper()
		changes := []Change{{Key: "mail.subject", Value: fmt.Sprint("number ", n)}}
		if secret {
			changes = append(changes, Change{Key: "smtp.password", Value: fmt.Sprint("secret ", n)})
		}
		rec.Say(began{save: n})
		l, err := f.Save(changes)
		ok(err)
		rec.Say(done{save: n})
		return l
	}
	mark := func(n int) {
		t.Helper()
		rec.Say(began{mark: n})
		ok(f.MarkGood())
		rec.Say(done{mark: n})
	}
	save(1, false) // without secrets, so that the configuration's own copy counts
	mark(1)
	for n := 2; n <= 4; n++ {
		save(n, true)
		mark(n)
	}
	for n := 5; n <= 6; n++ { // twice: the second edit takes the first one's place
		text := fmt.Sprintf("mail:\n  subject: [broken %d\n", n)
		ok(rec.Place(path, []byte(text), edited(text)))
		f = Open(path)
		save(n, secretOf(n) == n)
		mark(n)
	}
	ok(rec.Place(path, nil, edited(folder))) // which cannot have two names
	f = Open(path)
	save(7, secretOf(7) == 7)
	mark(7)
	save(8, true) // and never marked: a restore keeps it first
	rec.Say(began{save: 9, mark: 8})
	_, err = f.Restore(nine)
	ok(err)
	rec.Say(done{save: 9, mark: 8})
	mark(9)
	rec.Verify(t, checkCut, ".lock")
}

// checkCut starts from what a cut left.
func checkCut(root string, said []any) error {
	path := filepath.Join(root, "etc", "watchpost", "watchpost.yaml")
	var now, next done // acknowledged, and begun
	var edit, kept string
	for _, s := range said {
		switch s := s.(type) {
		case began:
			next = done{max(next.save, s.save), max(next.mark, s.mark)}
		case done:
			now = done{max(now.save, s.save), max(now.mark, s.mark)}
			if s.save > 0 && edit != "" {
				kept, edit = edit, ""
			}
		case edited:
			edit = string(s)
		}
	}
	stands, beside := held(path), held(path+".broken")
	if kept != "" && next.save == now.save && beside != kept {
		return fmt.Errorf("what was set aside is lost: %q", beside)
	}
	if edit != "" && stands != edit {
		switch {
		case next.save == now.save:
			return fmt.Errorf("the edit is gone: %q", stands)
		case beside != edit:
			return fmt.Errorf("the edit is replaced, and not set aside: %q", beside)
		case stands == "" && edit != folder:
			return errors.New("the configuration is gone")
		}
	}
	f := Open(path)
	l, _ := f.Load()
	cur := pairOf(l)
	if stands != "" && stands != edit {
		if err := errors.Join(l.errors(), inFiles(cur, now.save, next.save)); err != nil {
			return fmt.Errorf("the configuration after %d was saved: %w", now.save, err)
		}
	} else if stands == "" && edit == "" && now.save > 0 {
		return errors.New("the configuration is lost")
	}
	if err := checkGood(f, cur, now.mark, next.mark); err != nil {
		return err
	}
	// And it goes on from here.
	if _, err := f.Save([]Change{{Key: "mail.subject", Value: "number 90"}, {Key: "smtp.password", Value: "secret 90"}}); err != nil {
		return fmt.Errorf("saving after the cut: %w", err)
	}
	if err := f.MarkGood(); err != nil {
		return fmt.Errorf("keeping a copy after the cut: %w", err)
	}
	if l, ok := Open(path).LoadGood(); !ok || pairOf(l) != (numbers{90, 90}) {
		return fmt.Errorf("after another save the last good copy is %+v", pairOf(l))
	}
	return nil
}

// folder is what held returns for one.
const folder = "(a folder)"

// held is what stands at a path; "" for nothing.
func held(path string) string {
	b, err := os.ReadFile(path)
	if st, serr := os.Stat(path); err != nil && serr == nil && st.IsDir() {
		return folder
	}
	return string(b)
}

// errors joins what forbids using a configuration.
func (l Loaded) errors() (err error) {
	for _, x := range l.Findings {
		if x.Level == Error {
			err = errors.Join(err, errors.New(x.String()))
		}
	}
	return err
}

// secretOf is which secret the configuration n was saved with: the first has
// none, the last two do not change it.
func secretOf(n int) int {
	switch n {
	case 1:
		return 0
	case 6, 7:
		return 5
	}
	return n
}

func whole(p numbers) bool { return p.secrets == secretOf(p.config) }

// inFiles judges what is in the files when the save of number now was
// acknowledged and that of next may be under way: the secrets are written first.
func inFiles(p numbers, now, next int) error {
	if whole(p) && (p.config == now || p.config == next) || p == (numbers{now, secretOf(next)}) {
		return nil
	}
	return fmt.Errorf("it is number %d with secret %d", p.config, p.secrets)
}

// checkGood judges the last good copies when number now was acknowledged as kept
// and next may be under way; cur stands in the files.
func checkGood(f *File, cur numbers, now, next int) error {
	l, ok := f.LoadGood()
	good := pairOf(l)
	switch {
	case !ok && now > 0:
		return errors.New("there is no last good copy")
	case ok && (!whole(good) || good.config < now || good.config > next):
		return fmt.Errorf("the last good copy is number %d with secret %d after %d was kept", good.config, good.secrets, now)
	}
	want := now // what Revert returns to: the newest that is not the present one
	if cur.config == now && whole(cur) {
		want--
	}
	if want < 1 {
		return nil
	}
	// On a copy, since the check goes on.
	dir, err := os.MkdirTemp("", "revert")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(filepath.Dir(f.Path()))); err != nil {
		return err
	}
	again := Open(filepath.Join(dir, filepath.Base(f.Path())))
	l, err = again.Revert()
	if err != nil {
		return fmt.Errorf("revert to number %d: %w", want, err)
	}
	if p := pairOf(l); !whole(p) || p.config != want && !(next > now && p.config == next) {
		return fmt.Errorf("revert led to number %d with secret %d, want %d", p.config, p.secrets, want)
	}
	return nil
}
