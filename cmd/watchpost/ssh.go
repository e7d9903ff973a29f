package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"watchpost/engine/config"
	"watchpost/tui"
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
			err := tui.Run(ctx, s.engine, tui.Options{Line: line, Rights: tui.Rights{Operator: who.Operator}})
			if errors.Is(err, tui.ErrDumb) {
				fmt.Fprintf(line.Port, "%s\r\n", "This terminal cannot show the interface (TERM=dumb). The commands work: ssh ... status, ssh ... help lists them.")
			}
			return err
		},
		Command: func(ctx context.Context, who sshd.Who, args []string, in io.Reader, out, errs io.Writer) int {
			return runFar(ctx, args, streams{in: in, out: out, err: errs, far: &far{config: path, operator: who.Operator}})
		},
		Files: images,
		Log:   s.log,
	})
}
