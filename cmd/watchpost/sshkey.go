package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"watchpost/tui/sshd"
)

// runSSHKey is `watchpost ssh-key add|list|remove`: the keys that may log in over
// SSH, and the box's own. A service that runs takes a change up within a second.
func runSSHKey(ctx context.Context, args []string, s streams) int {
	f := newFlags("ssh-key", s)
	operator := f.Bool("operator", false, "the keys may look, retry and fire only")
	words, ok := f.parse(args, -1, 0, 2)
	if !ok {
		return exitUsage
	}
	verb, arg := "list", ""
	if len(words) > 0 {
		verb = words[0]
	}
	if len(words) > 1 {
		arg = words[1]
	}
	switch {
	case verb == "add" && arg == "-", verb == "list" && arg == "" && !*operator, verb == "remove" && arg != "" && !*operator:
	case verb == "add":
		f.misused("the keys are read from standard input, add -")
		return exitUsage
	default:
		f.misused("it takes add -, list or remove FINGERPRINT")
		return exitUsage
	}
	loaded, findings, err := load(f.file())
	if err != nil {
		return f.failed(err)
	}
	if len(findings) > 0 && loaded.Config.SSH.AuthorizedKeys != "" {
		fmt.Fprintln(s.err, "the configuration has errors: this is the file of keys that its last good copy names")
	}
	keys := keyFile(loaded.Config, f.file().Path())
	switch verb {
	case "add":
		err = addKeys(f, keys, *operator)
	case "remove":
		var k sshd.Key
		if k, err = keys.Remove(arg); err == nil {
			f.printKey("removed", k)
		}
	default:
		err = listKeys(f, keys, hostKeyFile(stateDir(loaded.Config)))
	}
	if errors.Is(err, sshd.ErrUnknownKey) {
		err = fmt.Errorf("%w: watchpost ssh-key list shows them", err)
	}
	if err != nil {
		return f.failed(err)
	}
	return exitOK
}

func addKeys(f *flags, keys sshd.KeyFile, operator bool) error {
	if t, ok := f.s.in.(*os.File); ok && isTerminal(t) {
		fmt.Fprintln(f.s.err, "Paste the public key, then press Ctrl-D:")
	}
	text, err := io.ReadAll(io.LimitReader(f.s.in, 1<<20))
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	given, err := sshd.ParseKeys(string(text))
	if err != nil {
		return err
	}
	for i := range given {
		given[i].Operator = given[i].Operator || operator
	}
	added, err := keys.Add(given)
	if err != nil {
		return err
	}
	for _, k := range given {
		did := "already there"
		for _, a := range added {
			if a.Fingerprint == k.Fingerprint {
				did = "added"
			}
		}
		f.printKey(did, k)
	}
	return nil
}

func (f *flags) printKey(did string, k sshd.Key) {
	if f.json {
		f.printJSON(map[string]any{"done": did, "fingerprint": k.Fingerprint, "type": k.Type, "comment": k.Comment, "operator": k.Operator})
		return
	}
	fmt.Fprintln(f.s.out, strings.TrimSpace(fmt.Sprintf("%s: %s", did, keyLine(k))))
}

func keyLine(k sshd.Key) string {
	role := "installer"
	if k.Operator {
		role = "operator"
	}
	return fmt.Sprintf("%s  %-9s  %s  %s", k.Fingerprint, role, k.Type, k.Comment)
}

// listKeys prints the box's own fingerprint, to be compared at the first log-in,
// and the keys that may log in.
func listKeys(f *flags, keys sshd.KeyFile, hostKey string) error {
	all, problems, err := keys.Keys()
	if err != nil {
		return err
	}
	own, err := ownFingerprint(hostKey)
	if err != nil {
		return err
	}
	if f.json {
		f.printJSON(map[string]string{"host": own, "file": string(keys)})
		for _, k := range all {
			f.printKey("listed", k)
		}
	} else {
		if own == "" {
			own = "its key is made when the service first runs"
		}
		fmt.Fprintf(f.s.out, "this box: %s\n", own)
		for _, k := range all {
			fmt.Fprintln(f.s.out, strings.TrimSpace(keyLine(k)))
		}
		if len(all) == 0 {
			fmt.Fprintln(f.s.out, "no key may log in yet: watchpost ssh-key add - reads one")
		}
	}
	for _, p := range problems {
		fmt.Fprintln(f.s.err, p)
	}
	return nil
}
