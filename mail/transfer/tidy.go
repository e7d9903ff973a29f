package transfer

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path"
	"slices"
	"time"
)

// tidying is a session whose place keeps files, so that a trial can take its own away.
type tidying interface {
	session
	// folder sees that a folder is there and makes what of it is not, which the trial
	// is told; an error is a *fault.
	folder(ctx context.Context, dir string) error
	// remove takes a file away, and removeFolder an empty folder; one that is not
	// there is no error. An error is a *fault.
	remove(ctx context.Context, name string) error
	removeFolder(ctx context.Context, dir string) error
}

// tidyTime bounds what it takes to remove a test file after the trial has ended
// otherwise: broken off, or its connection lost.
const tidyTime = 15 * time.Second

// takeBack removes what a trial left at its place, over a new connection where that
// of the trial is of no more use.
func (x *trial) takeBack(ctx context.Context, to target, s tidying, failed error) {
	put := failed == nil
	if f, ok := failed.(*fault); ok && x.kind == "http" && (f.kind != network || f.step != "send" || !x.hasWritten()) { // refused whole, or never sent
		x.sent = false
	}
	if !x.sent && len(x.made) == 0 {
		return
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTime)
	defer cancel()
	left, f := x.remove(own, s, put)
	if f != nil && f.kind == network {
		if again, err := to.connect(own); err == nil {
			left, f = x.remove(own, again.(tidying), put)
			again.close()
		}
	}
	switch {
	case f == nil && put:
		x.passed("remove", x.file.name, "", "taken away again: nothing is left there")
	case f == nil:
	case put && f.kind != network: // images go there all the same
		x.passed("remove", left, f.text, "this stays there, as the server does not let it be removed; images arrive all the same")
	default:
		x.failed(&fault{step: "remove", code: f.code, text: "The test may still be there: " + f.text, do: "Look for " + left + " at the server and remove it."}, left)
	}
}

// remove removes the file under each name that it may have, and the folders that the
// trial made. left is what stays because of f.
func (x *trial) remove(ctx context.Context, s tidying, put bool) (left string, f *fault) {
	names := []string{path.Join(x.file.dir, x.file.name)}
	if src, flt := openSource(x.file); flt == nil && !put && x.kind != "http" {
		src.Close()
		names = append(names, path.Join(x.file.dir, src.part))
	}
	for _, name := range names {
		if err := s.remove(ctx, name); err != nil {
			return name, faultOf(err, "remove")
		}
	}
	for _, dir := range slices.Backward(x.made) {
		if err := s.removeFolder(ctx, dir); err != nil {
			return dir, faultOf(err, "remove")
		}
	}
	return "", nil
}

// webFolder tells of a folder made over HTTP, where only the trial's own is removed.
func (x *trial) webFolder(dir string) {
	switch {
	case x == nil:
	case dir == x.own:
		x.makes(dir)
		x.passed("folder", dir, "", "the folder was made")
	default:
		x.passed("folder", dir, "", "the folder was not there and was made; it stays, for the images")
	}
}

// makes notes a folder that was not there before.
func (x *trial) makes(dir string) {
	if x != nil {
		x.made = append(x.made, dir)
	}
}

// folders calls do for each folder on the way to dir.
func folders(dir string, do func(dir string) error) error {
	for i := 1; i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		if err := do(dir[:i]); err != nil {
			return err
		}
	}
	return nil
}

// hasFolder tells of a folder that is there now.
func (x *trial) hasFolder(dir string) {
	verdict := "the folder is there"
	if x != nil && slices.Contains(x.made, dir) {
		verdict = "the folder was made"
	}
	if dir != "" {
		x.passed("folder", dir, "", verdict)
	}
}

func (s *ftpSession) folder(ctx context.Context, dir string) error {
	s.ctx = ctx
	defer context.AfterFunc(ctx, s.abort)()
	err := folders(dir, func(d string) error {
		if s.isFolder(d) {
			return nil
		}
		s.control.step(s.t.patience.command)
		if err := s.conn.MakeDir(d); err != nil {
			return s.failed("folder", err)
		}
		trialOf(ctx).makes(d)
		return nil
	})
	if err == nil {
		s.made[dir] = true
		trialOf(ctx).hasFolder(dir)
	}
	return err
}

func (s *ftpSession) remove(ctx context.Context, name string) error {
	s.ctx = ctx
	defer context.AfterFunc(ctx, s.abort)()
	s.control.step(s.t.patience.command)
	err := s.conn.Delete(name)
	if err == nil {
		return nil
	}
	f := s.understand("remove", err)
	if f.kind != network {
		if n, err := s.sizeOf(name); err == nil && n < 0 {
			return nil
		}
	}
	return f
}

func (s *ftpSession) removeFolder(ctx context.Context, dir string) error {
	s.ctx = ctx
	defer context.AfterFunc(ctx, s.abort)()
	s.control.step(s.t.patience.command)
	if err := s.conn.RemoveDir(dir); err != nil {
		return s.understand("remove", err)
	}
	return nil
}

// at is an upload without a file, for its requests and their faults.
func (s *sftpSession) at(ctx context.Context, name string) upload {
	return upload{sftpSession: s, ctx: ctx, src: &source{}, final: name}
}

func (s *sftpSession) folder(ctx context.Context, dir string) error {
	defer context.AfterFunc(ctx, s.abort)()
	err := folders(dir, func(d string) error {
		u := s.at(ctx, d)
		info, err := ask(&u, func() (os.FileInfo, error) { return u.sftp.Stat(d) })
		switch {
		case err == nil && info.IsDir():
			return nil
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return u.failed("folder", err)
		}
		if err := u.do(func() error { return u.sftp.Mkdir(d) }); err != nil {
			return u.failed("folder", err)
		}
		trialOf(ctx).makes(d)
		return nil
	})
	if err == nil {
		trialOf(ctx).hasFolder(dir)
	}
	return err
}

func (s *sftpSession) remove(ctx context.Context, name string) error {
	return s.removing(ctx, name, s.sftp.Remove)
}

func (s *sftpSession) removeFolder(ctx context.Context, dir string) error {
	return s.removing(ctx, dir, s.sftp.RemoveDirectory)
}

func (s *sftpSession) removing(ctx context.Context, name string, remove func(string) error) error {
	defer context.AfterFunc(ctx, s.abort)()
	u := s.at(ctx, name)
	if err := u.do(func() error { return remove(name) }); err != nil && !errors.Is(err, os.ErrNotExist) {
		return u.failed("remove", err)
	}
	return nil
}

// folder is left to put: many servers need none, and only those that say so are asked for one.
func (s *httpSession) folder(context.Context, string) error { return nil }

func (s *httpSession) remove(ctx context.Context, name string) error {
	_, err := s.do(ctx, http.MethodDelete, s.below(name), nil, 0, "")
	if f, ok := err.(*fault); ok && (f.code == http.StatusNotFound || f.code == http.StatusGone) {
		return nil
	}
	return err
}

// removeFolder removes a folder with all that is in it, as HTTP knows no other way
// (RFC 4918 §9.6.1): it is for one that only the trial has.
func (s *httpSession) removeFolder(ctx context.Context, dir string) error {
	return s.remove(ctx, dir+"/")
}
