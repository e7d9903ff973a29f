package main

import (
	"errors"
	"os"
	"strings"

	"watchpost/engine/config"
)

// fileFindings warns of files that a configuration names and that cannot be read:
// validation itself looks at no file.
func fileFindings(c config.Config) (out []config.Finding) {
	named := [][2]string{{"smtp.ca_file", c.SMTP.CAFile}}
	for _, t := range c.Transfers {
		key := "transfers." + t.Name
		named = append(named, [2]string{key + ".ca_file", t.CAFile}, [2]string{key + ".key_file", t.KeyFile})
	}
	for _, x := range named {
		if f, bad := fileFinding(x[0], x[1]); bad {
			out = append(out, f)
		}
	}
	return out
}

// fileFinding judges one of them.
func fileFinding(key, path string) (config.Finding, bool) {
	if path == "" || !strings.HasSuffix(key, "_file") {
		return config.Finding{}, false
	}
	f, err := os.Open(path)
	if err == nil {
		f.Close()
		return config.Finding{}, false
	}
	why := "it cannot be read"
	switch {
	case errors.Is(err, os.ErrNotExist):
		why = "there is no such file"
	case errors.Is(err, os.ErrPermission):
		why = "this user may not read it"
	}
	return config.Finding{Key: key, Verdict: config.Verdict{Level: config.Warning, Short: "cannot be read",
		Text: path + ": " + why + ": put the file there, readable for the user that watchpost runs as."}}, true
}
