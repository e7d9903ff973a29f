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
	named := map[string]string{"smtp.ca_file": c.SMTP.CAFile}
	keys := []string{"smtp.ca_file"}
	for _, t := range c.Transfers {
		for key, path := range map[string]string{"ca_file": t.CAFile, "key_file": t.KeyFile} {
			named["transfers."+t.Name+"."+key] = path
			keys = append(keys, "transfers."+t.Name+"."+key)
		}
	}
	for _, key := range keys {
		if f, bad := fileFinding(key, named[key]); bad {
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
