package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/pkg/sftp"
)

// sftpBlock is what every server takes in one write (draft-ietf-secsh-filexfer-02 §3).
const sftpBlock = 32 << 10

// put writes the file under a temporary name and renames it. What a broken attempt
// left of the same bytes is continued. SFTP's servers say nothing at its end: said is
// what was checked.
func (s *sftpSession) put(ctx context.Context, f file) (said string, err error) {
	if s.fault != nil {
		return "", s.fault
	}
	src, flt := openSource(f)
	if flt != nil {
		return "", flt
	}
	defer src.Close()
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	u := upload{sftpSession: s, ctx: ctx, src: src, dir: f.dir, part: path.Join(f.dir, src.part), final: path.Join(f.dir, f.name)}
	flt = u.run()
	s.wire.rest()
	if flt != nil {
		if flt.kind == network || flt.kind == account {
			s.fault = flt
		}
		return "", flt
	}
	return fmt.Sprintf("the last file is there, %d bytes", f.size), nil
}

// upload is one file on its way.
type upload struct {
	*sftpSession
	ctx              context.Context
	src              *source
	dir, part, final string
}

func (u *upload) run() *fault {
	there := int64(-1)
	info, err := ask(u, func() (os.FileInfo, error) { return u.sftp.Stat(u.part) })
	if err == nil {
		there = info.Size()
	} else if u.wire.why() != nil || u.ctx.Err() != nil {
		return u.failed("size", err)
	}
	if there != u.src.size || there == 0 {
		if flt := u.write(there); flt != nil {
			return flt
		}
	}
	x := trialOf(u.ctx)
	x.passed("send", path.Base(u.final), fmt.Sprintf("all %d bytes are there", u.src.size), "written under a temporary name")
	if flt := u.rename(); flt != nil {
		return flt
	}
	x.passed("rename", path.Base(u.final), "", "under its name")
	return nil
}

// write brings the file to the server; there is what is there of it. Blocks go one
// after the other: with several on their way a broken attempt could leave a hole
// that its size does not show.
func (u *upload) write(there int64) *fault {
	flags, offset := os.O_WRONLY|os.O_CREATE, there
	if there <= 0 || there > u.src.size {
		flags, offset = flags|os.O_TRUNC, 0
	}
	open := func() (*sftp.File, error) { return u.sftp.OpenFile(u.part, flags) }
	out, err := ask(u, open)
	if errors.Is(err, os.ErrNotExist) && u.dir != "" {
		if flt := u.makeFolders(); flt != nil {
			return flt
		}
		out, err = ask(u, open)
	}
	if err != nil {
		return u.failed("send", err)
	}
	flt := u.copy(out, offset)
	if err := u.do(out.Close); err != nil && flt == nil {
		flt = u.failed("send", err)
	}
	return flt
}

// copy writes what is missing, has it flushed and compares the sizes.
func (u *upload) copy(out *sftp.File, offset int64) *fault {
	if err := u.src.from(offset); err != nil {
		return unreadable(file{name: u.final}, err)
	}
	block := make([]byte, sftpBlock)
	for offset < u.src.size {
		n, err := io.ReadFull(u.src, block[:min(sftpBlock, u.src.size-offset)])
		if err != nil {
			return unreadable(file{name: u.final}, err)
		}
		u.wire.step(u.t.patience.progress)
		if _, err := out.WriteAt(block[:n], offset); err != nil {
			return u.failed("send", err)
		}
		offset += int64(n)
	}
	if version, ok := u.sftp.HasExtension("fsync@openssh.com"); ok && version == "1" {
		if err := u.do(out.Sync); err != nil && !errors.Is(err, sftp.ErrSSHFxOpUnsupported) {
			return u.failed("flush", err)
		}
	}
	info, err := ask(u, out.Stat)
	if err != nil {
		return u.failed("size", err)
	}
	if info.Size() != u.src.size {
		return &fault{kind: temporary, step: "size", text: fmt.Sprintf("The server says that it took the file, but of its %d bytes it has %d", u.src.size, info.Size()),
			do: "It is tried again by itself; check the server's disk if it lasts."}
	}
	return nil
}

// makeFolders makes each folder on the way that is not there.
func (u *upload) makeFolders() *fault {
	for i := 1; i <= len(u.dir); i++ {
		if i < len(u.dir) && u.dir[i] != '/' {
			continue
		}
		dir := u.dir[:i]
		err := u.do(func() error { return u.sftp.Mkdir(dir) })
		if err == nil {
			continue
		}
		if _, there := ask(u, func() (os.FileInfo, error) { return u.sftp.Stat(dir) }); there != nil {
			return u.failed("folder", err)
		}
	}
	return nil
}

// rename puts the file in its place: at once where the server has posix-rename, else by
// removing the old one first.
func (u *upload) rename() *fault {
	_, replaces := u.sftp.HasExtension("posix-rename@openssh.com")
	rename := u.sftp.Rename
	if replaces {
		rename = u.sftp.PosixRename
	}
	err := u.do(func() error { return rename(u.part, u.final) })
	if err != nil && !replaces && u.do(func() error { return u.sftp.Remove(u.final) }) == nil {
		err = u.do(func() error { return rename(u.part, u.final) })
	}
	if err != nil {
		return u.failed("rename", err)
	}
	return nil
}

// do is ask for a request whose reply says no more than whether it went well.
func (u *upload) do(request func() error) error {
	u.wire.step(u.t.patience.command)
	return request()
}

// ask is one request with its reply, within its time.
func ask[T any](u *upload, request func() (T, error)) (T, error) {
	u.wire.step(u.t.patience.command)
	return request()
}

// failed is the fault for the error of a request.
func (u *upload) failed(step string, err error) *fault {
	var status *sftp.StatusError
	where := u.final
	switch {
	case u.ctx.Err() != nil:
		return lineFault(step, far{}, u.ctx.Err())
	case u.wire.why() != nil:
		return lineFault(step, u.t.far(), u.wire.why(), u.t.secret)
	case errors.Is(err, os.ErrPermission):
		return &fault{kind: permanent, step: step, err: os.ErrPermission, text: "The server does not let the user write " + where + " (permission denied)", do: seeRights}
	case errors.Is(err, os.ErrNotExist):
		return &fault{kind: temporary, step: step, err: os.ErrNotExist, text: "The server says that " + where + " is not there", do: "It is tried again by itself; check path and file if it lasts."}
	case errors.As(err, &status):
		return u.status(step, status)
	}
	return lineFault(step, u.t.far(), err, u.t.secret)
}

// status is the fault for a server's status. A full disk is among failures, and SFTP
// has no word of it: the disk is asked.
func (u *upload) status(step string, status *sftp.StatusError) *fault {
	f := &fault{kind: temporary, step: step, code: int(status.Code), err: errSSHRefused,
		text: "The server could not do it: " + serverWords(status.Error(), u.t.secret),
		do:   "It is tried again by itself; often a quota or a disk is full, see the server's log."}
	switch status.FxCode() {
	case sftp.ErrSSHFxFailure:
		if _, ok := u.sftp.HasExtension("statvfs@openssh.com"); !ok {
			break
		}
		disk, err := ask(u, func() (*sftp.StatVFS, error) { return u.sftp.StatVFS(cmp.Or(u.dir, ".")) })
		if err == nil && disk.Bavail*disk.Frsize < uint64(u.src.size) {
			f.text, f.do = fmt.Sprintf("The server has no room for the file: %d KB are free", disk.Bavail*disk.Frsize>>10), "Free room on the server; it goes on by itself then."
		}
	case sftp.ErrSSHFxOpUnsupported, sftp.ErrSSHFxBadMessage:
		f.kind, f.do = permanent, serverSide
	case sftp.ErrSSHFxNoConnection, sftp.ErrSSHFxConnectionLost:
		f.kind = network
	}
	return f
}
