package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"

	"watchpost/engine"
	"watchpost/engine/config"
	"watchpost/tui"
	"watchpost/tui/plain"
	"watchpost/tui/sshd"
	"watchpost/tui/term"
)

// keyFile is the file of the keys that may log in over SSH.
func keyFile(c config.Config, configPath string) sshd.KeyFile {
	if c.SSH.AuthorizedKeys != "" {
		return sshd.KeyFile(c.SSH.AuthorizedKeys)
	}
	return sshd.KeyFile(filepath.Join(filepath.Dir(configPath), "authorized_keys"))
}

// hostKeyFile is where the box's own key is.
func hostKeyFile(dir string) string { return filepath.Join(dir, sshd.HostKeyName) }

// newSSH is the SSH server of a service on the configuration of file and the store in dir.
func newSSH(s *service, file *config.File, dir string, images fs.FS) *sshd.Server {
	path := resolved(file.Path()) // of the commands, which may run in any folder
	return sshd.New(sshd.Options{
		Settings: func() sshd.Settings {
			now, err := s.engine.Config(context.Background()) // it is in memory
			if err != nil {
				return sshd.Settings{Listen: sshd.Off}
			}
			return sshd.Settings{Listen: now.Config.SSH.Listen, Keys: keyFile(now.Config, path), Password: s.engine.Login("ssh.password")}
		},
		HostKey: hostKeyFile(dir),
		Show: func(ctx context.Context, line *term.Line, who sshd.Who) error {
			rights := tui.Rights{Operator: who.Operator}
			if t := term.Of(line.Env); t.Dumb {
				stop := context.AfterFunc(ctx, func() { line.Port.SetReadDeadline(time.Unix(1, 0)) }) // prompts wait for a line only
				defer stop()
				return plain.Session(ctx, rights.Limit(s.engine), prompts(line, t, &far{config: path, operator: who.Operator}))
			}
			return tui.Run(ctx, s.engine, tui.Options{Line: line, Rights: rights, Keys: boxKeys{s.engine, path}})
		},
		Command: func(ctx context.Context, who sshd.Who, args []string, in io.Reader, out, errs io.Writer) int {
			return runFar(ctx, args, streams{in: in, out: out, err: errs, far: &far{config: path, operator: who.Operator}})
		},
		Files: images,
		Log:   s.log,
	})
}

// boxKeys are the SSH keys as the System page shows and changes them.
type boxKeys struct {
	api    engine.API
	config string // the configuration's path
}

func (b boxKeys) file() (sshd.KeyFile, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	now, err := b.api.Config(ctx)
	return keyFile(now.Config, b.config), err
}

// List is tui.SSHKeys.
func (b boxKeys) List() (list tui.KeyList, err error) {
	f, err := b.file()
	if err != nil {
		return list, err
	}
	keys, problems, err := f.Keys()
	list.Problems = problems
	for _, k := range keys {
		list.Keys = append(list.Keys, shownKey(k))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if st, serr := b.api.Status(ctx); serr == nil {
		var herr error
		if list.Host, herr = ownFingerprint(hostKeyFile(filepath.Dir(st.Storage.Directory))); herr != nil {
			list.Problems = append(list.Problems, herr.Error())
		}
	}
	return list, err
}

func shownKey(k sshd.Key) tui.SSHKey {
	return tui.SSHKey{Fingerprint: k.Fingerprint, Comment: k.Comment, Operator: k.Operator}
}

// ownFingerprint is that of the box's own key, empty where there is none yet.
func ownFingerprint(path string) (string, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	key, err := sshd.HostKey(path)
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(key.PublicKey()), nil
}

// Judge is tui.SSHKeys.
func (b boxKeys) Judge(text string) (shown []tui.SSHKey, err error) {
	keys, err := sshd.ParseKeys(text)
	for _, k := range keys {
		shown = append(shown, shownKey(k))
	}
	return shown, err
}

// Add is tui.SSHKeys.
func (b boxKeys) Add(text string, operator bool) error {
	f, err := b.file()
	if err != nil {
		return err
	}
	keys, err := sshd.ParseKeys(text)
	if err != nil {
		return err
	}
	for i := range keys {
		keys[i].Operator = operator
	}
	_, err = f.Add(keys)
	return err
}

// Remove is tui.SSHKeys.
func (b boxKeys) Remove(fingerprint string) error {
	f, err := b.file()
	if err == nil {
		_, err = f.Remove(fingerprint)
	}
	return err
}

// Mark is tui.SSHKeys.
func (b boxKeys) Mark(fingerprint string, operator bool) error {
	f, err := b.file()
	if err == nil {
		err = f.Mark(fingerprint, operator)
	}
	return err
}
