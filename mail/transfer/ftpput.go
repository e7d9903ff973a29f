package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"path"
)

// put writes the file under a temporary name and renames it. What a broken attempt
// left of the same bytes is continued.
func (s *ftpSession) put(ctx context.Context, f file) (said string, err error) {
	if s.fault != nil {
		return "", s.fault
	}
	src, flt := openSource(f)
	if flt != nil {
		return "", flt
	}
	defer src.Close()
	s.ctx = ctx
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	flt = s.upload(f, src)
	s.control.rest()
	if flt != nil {
		return "", flt
	}
	s.sent++
	return s.lastSaid(), nil
}

// lastSaid is the server's last words, made harmless.
func (s *ftpSession) lastSaid() string {
	_, said := s.words.reply()
	return serverWords(said, s.t.password)
}

func (s *ftpSession) upload(f file, src *source) *fault {
	part, final := path.Join(f.dir, src.part), path.Join(f.dir, f.name)
	folder := s.makeFolders(f.dir)
	if folder != nil && s.fault != nil {
		return folder
	}
	there, err := s.sizeOf(part)
	if err != nil {
		return s.failed("size", err)
	}
	if flt := s.write(part, there, src); flt != nil {
		if flt.kind != permanent || s.fault != nil {
			return flt
		}
		clear(s.made) // perhaps the folder was removed: the next attempt makes it again
		if folder != nil && !s.isFolder(f.dir) {
			return folder // the cause
		}
		return flt
	}
	x := trialOf(s.ctx)
	x.passed("send", f.name, s.lastSaid(), "written under a temporary name")
	if flt := s.compare(part, src.size); flt != nil {
		return flt
	}
	if flt := s.rename(part, final); flt != nil {
		return flt
	}
	x.passed("rename", f.name, s.lastSaid(), "under its name")
	return nil
}

// makeFolders makes each folder on the way. Servers say much the same of one that is
// there and one that may not be made (550, 521), so that its fault counts only once the
// file cannot be written.
func (s *ftpSession) makeFolders(dir string) (f *fault) {
	if dir == "" || s.made[dir] {
		return nil
	}
	for i := 1; i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		s.control.step(s.t.patience.command)
		if err := s.conn.MakeDir(dir[:i]); err != nil {
			if f = s.understand("folder", err); !isReply(err) || f.kind == network || f.kind == account {
				s.fault = f
				return f
			}
		} else {
			f = nil
		}
	}
	s.made[dir] = true
	return f
}

// isFolder reports whether a folder is there. The session's own folder stays what it is.
func (s *ftpSession) isFolder(dir string) bool {
	s.control.step(s.t.patience.command)
	own, err := s.conn.CurrentDir()
	if err != nil || s.conn.ChangeDir(dir) != nil {
		return false
	}
	if err := s.conn.ChangeDir(own); err != nil {
		s.failed("folder", err)
		s.fault = cmp.Or(s.fault, &fault{kind: network, step: "folder", text: "The server does not go back to its first folder", do: againByItself, err: err})
	}
	return true
}

// sizeOf is a file's size on the server; -1 where it is not there or the server does not say.
func (s *ftpSession) sizeOf(name string) (int64, error) {
	s.control.step(s.t.patience.command)
	n, err := s.conn.FileSize(name)
	if err != nil && (isReply(err) && !isReply(err, 421, 530) || s.control.why() == nil && s.said(213)) {
		return -1, nil
	}
	return n, err
}

// write brings the file to the server; there is what is there of it.
func (s *ftpSession) write(part string, there int64, src *source) *fault {
	if there == src.size && there > 0 {
		return nil
	}
	if there > 0 && there < src.size {
		done, flt := s.resume(part, there, src)
		if done || flt != nil {
			return flt
		}
	}
	if there >= 0 {
		s.control.step(s.t.patience.command)
		if err := s.conn.Delete(part); err != nil && !isReply(err) { // some servers never overwrite
			return s.failed("send", err)
		}
	}
	return s.sending(src, 0, func() error { return s.conn.Stor(part, src) })
}

// resume goes on where the file ends: with REST, else with APPE; done is false where the
// server refuses both.
func (s *ftpSession) resume(part string, there int64, src *source) (done bool, f *fault) {
	for _, send := range []func() error{
		func() error { return s.conn.StorFrom(part, src, uint64(there)) },
		func() error { return s.conn.Append(part, src) },
	} {
		f = s.sending(src, there, send)
		if f == nil {
			return true, nil
		}
		var reply *textproto.Error
		if src.read > 0 || s.ctx.Err() != nil || !errors.As(f, &reply) || s.fault != nil {
			return false, f // the server took to it, or is gone
		}
	}
	return false, nil
}

func (s *ftpSession) sending(src *source, offset int64, send func() error) *fault {
	if err := src.from(offset); err != nil {
		return unreadable(file{name: src.part}, err)
	}
	s.control.step(s.t.patience.command)
	err := send()
	switch {
	case src.err != nil && s.ctx.Err() == nil:
		return unreadable(file{name: src.part}, src.err)
	case err != nil:
		return s.failed("send", err)
	}
	return nil
}

// compare checks that the server has as many bytes as were sent: it may say 226 of
// what it has not read.
func (s *ftpSession) compare(part string, want int64) *fault {
	got, err := s.sizeOf(part)
	if err != nil {
		return s.failed("size", err)
	}
	if got < 0 && s.said(500, 501, 502, 504) { // it does not know SIZE; MLST says it too
		s.control.step(s.t.patience.command)
		entry, err := s.conn.GetEntry(part)
		if err != nil || entry == nil {
			return nil // 226 has to do
		}
		got = int64(entry.Size)
	}
	if got == want {
		x := trialOf(s.ctx)
		x.passed("size", x.name(), s.lastSaid(), fmt.Sprintf("all %d bytes are there", want))
		return nil
	}
	if got > want {
		s.control.step(s.t.patience.command)
		_ = s.conn.Delete(part) // nothing to go on from
	}
	has := fmt.Sprintf("has %d", got)
	if got < 0 {
		has = "does not say that it has any"
	}
	return &fault{kind: temporary, step: "size", text: fmt.Sprintf("The server says that it took the file, but of its %d bytes it %s", want, has),
		do: "It is tried again by itself; check the server's disk if it lasts."}
}

// rename puts the file in its place. Where the server replaces none, the old one is
// removed first.
func (s *ftpSession) rename(part, final string) *fault {
	s.control.step(s.t.patience.command)
	err := s.conn.Rename(part, final)
	if err == nil {
		return nil
	}
	if code, _ := s.words.reply(); isReply(err) && code/100 == 5 && s.words.verb() == "RNTO" {
		s.control.step(s.t.patience.command)
		if s.conn.Delete(final) == nil {
			s.control.step(s.t.patience.command)
			if err = s.conn.Rename(part, final); err == nil {
				return nil
			}
		} // else the first refusal says more
	}
	return s.failed("rename", err)
}

// said reports whether the last reply had one of the codes.
func (s *ftpSession) said(codes ...int) bool {
	code, _ := s.words.reply()
	for _, c := range codes {
		if c == code {
			return true
		}
	}
	return false
}

// isReply reports whether err is a server's reply, with one of the codes if any are given.
func isReply(err error, codes ...int) bool {
	var reply *textproto.Error
	if !errors.As(err, &reply) {
		return false
	}
	for _, c := range codes {
		if c == reply.Code {
			return true
		}
	}
	return len(codes) == 0
}
